output "names" {
  description = "By job, its name in Glue."
  value       = { for name, job in aws_glue_job.this : name => job.name }
}

output "connection" {
  description = "The name of the jobs' connection to the network."
  value       = "${var.name}-network"
}

output "security_group_id" {
  description = "The jobs' security group."
  value       = aws_security_group.jobs.id
}

output "templates" {
  description = "By path in the release, the key of each of the dashboard's templates in the artefacts bucket."
  value       = { for path, object in aws_s3_object.release : path => object.key if startswith(path, "dashboard/") }
}

output "functions" {
  description = "By path in the release, the key of each function's zip in the artefacts bucket."
  value       = { for path, object in aws_s3_object.release : path => object.key if startswith(path, "functions/") }
}
