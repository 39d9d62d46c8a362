output "dashboard" {
  description = "The dashboard's name."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "topic_arns" {
  description = "Where alerts are published: for operations, and for each owner of tables."
  value       = { for key, topic in aws_sns_topic.this : key => topic.arn }
}

output "key_arn" {
  description = "The key of logs and alerts."
  value       = aws_kms_key.alerts.arn
}
