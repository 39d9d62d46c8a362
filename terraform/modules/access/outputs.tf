output "role_arns" {
  description = "By job, the ARN of its role."
  value       = { for name, role in aws_iam_role.job : name => role.arn }
}

output "analysts_policy" {
  description = "ARN of the policy by which analysts write in the sandbox; null where there is none."
  value       = one(aws_iam_policy.sandbox[*].arn)
}

output "operators_policy" {
  description = "ARN of the policy of those who run the pipeline by hand."
  value       = aws_iam_policy.operators.arn
}

output "repairs_policy" {
  description = "ARN of the policy of what operators do besides: schedules, logs, new values of secrets."
  value       = aws_iam_policy.repairs.arn
}
