# The schema registry: the captured tables' definitions, to the letter as they were published.

locals {
  definitions = { for path in fileset(var.published, "*.json") : trimsuffix(path, ".json") => file("${var.published}/${path}") }
}

resource "aws_glue_registry" "this" {
  registry_name = var.registry.name
  description   = var.registry.description
}

resource "aws_glue_schema" "table" {
  for_each = local.definitions

  registry_arn      = aws_glue_registry.this.arn
  schema_name       = each.key
  description       = substr(jsondecode(each.value).description, 0, 2048)
  data_format       = "JSON"
  compatibility     = var.registry.compatibility
  schema_definition = each.value
}
