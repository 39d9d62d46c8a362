# Workflows, what starts the jobs in them, and what starts them by themselves.

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

  # Glue refuses to activate an on-demand trigger at its creation.
  start_on_creation = each.value.type == "conditional" ? true : null
  enabled           = true

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

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297:what a schedule says is the name of a workflow

  for_each = var.schedules

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = "Starts the workflow ${each.value.workflow}"
  schedule_expression          = each.value.expression
  schedule_expression_timezone = try(each.value.time_zone, "UTC")

  # Without secrets a schedule starts runs in vain.
  state = var.enabled && !contains(var.paused, each.key) ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.starter.arn
    role_arn = var.starter.role_arn
    input    = jsonencode({ workflow = aws_glue_workflow.this[each.value.workflow].name })

    # Unless it is told otherwise the scheduler tries for a day; here the next tick is the retry.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }

    dead_letter_config {
      arn = var.starter.queue_arn
    }
  }

  depends_on = [aws_glue_trigger.this]
}
