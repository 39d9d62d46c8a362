output "job_log_groups" {
  description = "By kind of runtime, the ARNs of the groups that its jobs log to."
  value       = { for kind, names in local.log_groups : kind => [for name in names : aws_cloudwatch_log_group.jobs[name].arn] }
}

output "dashboard" {
  description = "The dashboard's name."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "topic_arns" {
  description = "Where alerts are published: for operations, and for each owner of tables."
  value       = { for key, topic in aws_sns_topic.this : key => topic.arn }
}
