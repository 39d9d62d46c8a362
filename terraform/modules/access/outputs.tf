output "role_arns" {
  description = "By job, the ARN of its role."
  value       = { for name, role in aws_iam_role.job : name => role.arn }
}

output "analyst_role_arns" {
  description = "By name, the ARN of each role of analysts."
  value       = { for name, role in aws_iam_role.analyst : name => role.arn }
}

output "operators_policy" {
  description = "ARN of the policy of those who run the pipeline by hand."
  value       = aws_iam_policy.operators.arn
}

output "repairs_policy" {
  description = "ARN of the policy of what operators do besides: schedules, logs, new values of secrets."
  value       = aws_iam_policy.repairs.arn
}

output "function_role_arns" {
  description = "By function, the ARN of its role."
  value       = { for name, role in aws_iam_role.function : name => role.arn }

  # A function that is called before it has its rights fails.
  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy.unbound_function]
}

output "schedules_role_arn" {
  description = "The ARN of the schedules' role."
  value       = aws_iam_role.schedules.arn

  depends_on = [aws_iam_role_policy.schedules]
}
