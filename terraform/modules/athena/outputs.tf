output "work_group" {
  description = "The analysts' work group."
  value       = aws_athena_workgroup.analysts.name
}

output "sandbox" {
  description = "The database in which analysts may write, and where its data lies; null where there is none."
  value       = one([for database in aws_glue_catalog_database.sandbox : { name = database.name, location = database.location_uri }])
}
