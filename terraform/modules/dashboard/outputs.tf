output "parameters" {
  description = "What the stack is told."
  value       = aws_cloudformation_stack.dashboard.parameters
}
