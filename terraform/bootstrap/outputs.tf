output "roles" {
  description = "What the variables AWS_PLAN_ROLE (of the repository) and AWS_DEPLOY_ROLE (of the environment) hold on GitHub."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
}
