output "ids" {
  description = "By function and callers, as in payments_api_people, the identifier of the API."
  value       = { for key, api in aws_apigatewayv2_api.this : key => api.id }
}

output "urls" {
  description = "By function and callers, where the API answers."
  value       = { for key, api in aws_apigatewayv2_api.this : key => api.api_endpoint }
}

output "callers_policies" {
  description = "By function, the ARN of the policy of programs that ask it."
  value       = { for key, policy in aws_iam_policy.callers : key => policy.arn }
}
