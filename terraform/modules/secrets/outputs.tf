output "secrets" {
  description = "By key, the ARN of each secret."
  value       = { for key, secret in aws_secretsmanager_secret.this : key => secret.arn }
}

output "filled" {
  description = "Whether the secret of every database that jobs open holds a value."
  value       = alltrue([for key, secret in data.aws_secretsmanager_secret_versions.this : try(length(secret.versions), 0) > 0 if var.secrets[key].holds == "dsn" && var.secrets[key].option == null])
}

output "key_arn" {
  description = "The key that encrypts the secrets."
  value       = aws_kms_key.secrets.arn
}
