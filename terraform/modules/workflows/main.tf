# Workflows, and what starts the jobs in them.

resource "aws_glue_workflow" "this" {
  for_each = var.workflows

  name                = each.key
  description         = each.value.description
  max_concurrent_runs = each.value.max_concurrent_runs
}

resource "aws_glue_trigger" "this" {
  for_each = var.triggers

  name          = each.key
  type          = upper(each.value.type)
  workflow_name = aws_glue_workflow.this[each.value.workflow].name
  schedule      = try(each.value.schedule, null)

  # Glue refuses to activate an on-demand trigger at its creation. Without secrets a schedule starts runs in vain.
  start_on_creation = each.value.type == "conditional" ? true : null
  enabled           = each.value.type == "scheduled" ? var.schedules : true

  dynamic "actions" {
    for_each = each.value.starts

    content {
      job_name = var.jobs[actions.value]
    }
  }

  dynamic "predicate" {
    for_each = each.value.type == "conditional" ? [each.value] : []

    content {
      logical = upper(predicate.value.logical)

      dynamic "conditions" {
        for_each = predicate.value.when

        content {
          job_name = var.jobs[conditions.value.job]
          state    = conditions.value.state
        }
      }
    }
  }
}
