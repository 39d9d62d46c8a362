output "buckets" {
  description = "By key: name, ARN and the name under which CloudFront reaches it."
  value = {
    for key, bucket in aws_s3_bucket.this : key => {
      name   = bucket.bucket
      arn    = bucket.arn
      domain = bucket.bucket_regional_domain_name
    }
  }
}

output "logs_bucket" {
  description = "Where access logs go: name and domain."
  value       = { name = aws_s3_bucket.access_logs.bucket, domain = aws_s3_bucket.access_logs.bucket_domain_name }
}

output "key_arn" {
  description = "The key that encrypts the buckets."
  value       = aws_kms_key.data.arn
}
