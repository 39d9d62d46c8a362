output "databases" {
  description = "By zone, its database."
  value       = { for zone, database in aws_glue_catalog_database.zone : zone => database.name }
}

output "reporting" {
  description = "The reporting currency, how names end that carry it, and whose rates are used; nothing where no feed brings rates."
  value       = local.rates == null ? {} : { currency = var.reporting.currency, code = local.code, provider = local.rates.provider }
}
