output "secrets" {
  description = "By key, the ARN of each secret."
  value       = { for key, secret in aws_secretsmanager_secret.this : key => secret.arn }
}

output "key_arn" {
  description = "The key that encrypts the secrets."
  value       = aws_kms_key.secrets.arn
}
