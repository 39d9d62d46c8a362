output "arns" {
  description = "By function, its ARN."
  value       = { for key, function in aws_lambda_function.this : key => function.arn }
}

output "queues" {
  description = "By function, the ARN of the queue of the calls that it failed at."
  value       = { for key, queue in aws_sqs_queue.failed : key => queue.arn }
}
