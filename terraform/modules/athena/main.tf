# The analysts' work group, sandbox and named queries: questions whose headers bi/questions.py reads the same way.

locals {
  queries = { for path in fileset(var.queries, "*.sql") : trimsuffix(path, ".sql") => trimspace(file("${var.queries}/${path}")) }

  # "<title> Answers: <question>", without the traps that follow.
  headers = {
    for name, text in local.queries : name => split("Answers:", split("Avoids:", join(" ", [
      for line in split("\n", text) : trimspace(trimprefix(line, "--")) if startswith(line, "--")
    ]))[0])
  }

  # Characters that Athena keeps.
  description_limit = 1024
}

resource "aws_athena_workgroup" "analysts" {
  # checkov:skip=CKV_AWS_82:Where settings are enforced, Athena refuses a table that names its place, and puts it beside the results. What enforcing guards is guarded otherwise: analysts can write nowhere but to the results and the sandbox, whose buckets encrypt by our key.
  name          = var.work_group.work_group
  description   = var.work_group.description
  force_destroy = var.disposable

  configuration {
    enforce_workgroup_configuration    = false
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.scan_limit_bytes

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location = var.results

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.key_arn
      }
    }
  }
}

# Where analysts may write; modules/access says who may.
resource "aws_glue_catalog_database" "sandbox" {
  count = var.sandbox == null ? 0 : 1

  name         = var.sandbox.database
  description  = var.sandbox.description
  location_uri = var.sandbox.location
}

resource "aws_athena_named_query" "this" {
  for_each = local.queries

  name        = each.key
  description = substr("${trimspace(local.headers[each.key][0])}. ${trimspace(local.headers[each.key][1])}", 0, local.description_limit)
  workgroup   = aws_athena_workgroup.analysts.id
  database    = var.database
  query       = each.value
}
