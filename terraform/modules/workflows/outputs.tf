output "names" {
  description = "The workflows."
  value       = [for workflow in aws_glue_workflow.this : workflow.name]
}
