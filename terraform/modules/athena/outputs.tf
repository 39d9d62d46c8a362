output "work_group" {
  description = "The analysts' work group."
  value       = aws_athena_workgroup.analysts.name
}
