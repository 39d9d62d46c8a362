# The analysts' work groups, sandboxes and named queries: questions whose headers bi/questions.py reads the same way.

locals {
  # Where a text has ${currency}, ${code} and ${provider}, it gets what amounts are reported in.
  queries = { for path in fileset(var.queries, "*.sql") : trimsuffix(path, ".sql") => trimspace(templatefile("${var.queries}/${path}", var.reporting)) }

  # "<title> Answers: <question>", without the traps that follow.
  headers = {
    for name, text in local.queries : name => split("Answers:", split("Avoids:", join(" ", [
      for line in split("\n", text) : trimspace(trimprefix(line, "--")) if startswith(line, "--")
    ]))[0])
  }

  # Whoever sees no personal columns asks without the lines that show them.
  asked = merge([
    for role, group in var.groups : {
      for name, text in local.queries : (role == "analyst" ? "${role}/${name}" : name) => {
        name = name
        role = role
        text = role == "analyst" ? join("\n", [for line in split("\n", text) : line if !endswith(trimspace(line), "-- personal")]) : text
      }
    }
  ]...)

  # Characters that Athena keeps.
  description_limit = 1024
}

resource "aws_athena_workgroup" "analysts" {
  # checkov:skip=CKV_AWS_82:Where settings are enforced, Athena refuses a table that names its place, and puts it beside the results. What enforcing guards is guarded otherwise: analysts can write nowhere but to the results and the sandbox, whose buckets encrypt by our key.
  for_each = var.groups

  name          = each.value.work_group
  description   = each.value.description
  force_destroy = var.disposable

  configuration {
    enforce_workgroup_configuration    = false
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.scan_limit_bytes

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = each.value.results

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.key_arn
      }
    }
  }
}

# Where analysts may write; modules/access says who may.
resource "aws_glue_catalog_database" "sandbox" {
  for_each = { for role, group in var.groups : role => group.sandbox if group.sandbox != null }

  name         = each.value.database
  description  = each.value.description
  location_uri = each.value.location
}

resource "aws_athena_named_query" "this" {
  for_each = local.asked

  name        = each.value.name
  description = substr("${trimspace(local.headers[each.value.name][0])}. ${trimspace(local.headers[each.value.name][1])}", 0, local.description_limit)
  workgroup   = aws_athena_workgroup.analysts[each.value.role].id
  database    = var.groups[each.value.role].database
  query       = each.value.text
}

# There was one work group once, and one sandbox.
moved {
  from = aws_athena_workgroup.analysts
  to   = aws_athena_workgroup.analysts["personal-data-analyst"]
}

moved {
  from = aws_glue_catalog_database.sandbox[0]
  to   = aws_glue_catalog_database.sandbox["personal-data-analyst"]
}
