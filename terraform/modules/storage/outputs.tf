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

  # CloudFront refuses a bucket for its logs that takes no ACL.
  depends_on = [aws_s3_bucket_ownership_controls.access_logs, aws_s3_bucket_public_access_block.this]
}

output "key_arn" {
  description = "The key that encrypts the buckets."
  value       = aws_kms_key.data.arn
}
