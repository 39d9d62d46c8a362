output "arns" {
  description = "By function, its ARN."
  value       = { for key, function in aws_lambda_function.this : key => function.arn }
}

output "queues" {
  description = "By function, the ARN of the queue of the calls that it failed at."
  value       = { for key, queue in aws_sqs_queue.failed : key => queue.arn }
}

output "names" {
  description = "By function, its name in Lambda."
  value       = { for key, function in aws_lambda_function.this : key => function.function_name }
}

output "invoke_arns" {
  description = "By function, the ARN by which API Gateway calls it."
  value       = { for key, function in aws_lambda_function.this : key => function.invoke_arn }
}

output "security_group_id" {
  description = "The security group of the functions in the network of the databases; null where there are none."
  value       = one(aws_security_group.functions[*].id)
}
