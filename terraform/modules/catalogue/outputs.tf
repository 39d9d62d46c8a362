output "databases" {
  description = "By zone, its database."
  value       = { for zone, database in aws_glue_catalog_database.zone : zone => database.name }
}
