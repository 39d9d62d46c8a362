output "dashboard" {
  description = "The dashboard's name."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "topic_arn" {
  description = "Where alerts are published."
  value       = aws_sns_topic.alerts.arn
}
