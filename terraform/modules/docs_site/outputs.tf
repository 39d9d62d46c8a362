output "distribution_arn" {
  description = "The distribution, which alone may read the bucket."
  value       = aws_cloudfront_distribution.site.arn
}

output "url" {
  description = "The site."
  value       = "https://${try(var.domain.name, aws_cloudfront_distribution.site.domain_name)}"
}
