output "work_groups" {
  description = "By the role that analysts take, their work group."
  value       = { for role, group in aws_athena_workgroup.analysts : role => group.name }
}

output "sandboxes" {
  description = "By the role that analysts take, the database in which they may write, and where its data lies."
  value       = { for role, database in aws_glue_catalog_database.sandbox : role => { name = database.name, location = database.location_uri } }
}
