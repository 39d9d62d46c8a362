# Who is told of what. Each alert says what happened, what to do, and where the runbook goes on; docs/runbook.md has
# an entry for every key of local.alarms, and one for jobs.

locals {
  namespace = "lakehouse" # glue_jobs/runtime/metrics.py: NAMESPACE

  # A metric may be delivered twice, so every alarm looks at the maximum.
  alarms = {
    freshness = {
      words     = "A change has waited for more than ${var.freshness_minutes} minutes and is not in the warehouse, or captures have stopped. See which workflow failed or stands still, and start it."
      metric    = "seconds_behind"
      job       = "extract_cdc"
      by_table  = false
      threshold = var.freshness_minutes * 60
      period    = 300
      missing   = "breaching"
      # No word from the capture counts as late only once that many ticks were missed.
      periods = var.freshness_minutes / 5
      enough  = 1
    }
    table-held = {
      words     = "A source table is not captured: its structure or a privilege differs from its contract. The other tables go on. lakehouse status, or the log of extract_cdc, says which and why."
      metric    = "tables_held"
      job       = "extract_cdc"
      by_table  = false
      threshold = 0
      period    = 300
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
    deletions-held = {
      words     = "A source table lost so many rows at once that its batch is held for a person. Restore the rows, or release the deletion."
      metric    = "deletions_held"
      job       = "extract_cdc"
      by_table  = true
      threshold = 0
      period    = 300
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
    handed-over = {
      words     = "Batches were handed over to Spark more than an hour ago and are not built. See why the workflow transform_large fails or does not run, and start it."
      metric    = "seconds_handed_over"
      job       = "transform"
      by_table  = false
      threshold = 3600
      period    = 300
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
    batch-held = {
      words     = "Validation would reject so many rows that it holds the batch for a person; later batches wait behind it. Correct the rule, or release the rejected rows to the dead letters."
      metric    = "verdicts_held"
      job       = "validate_raw"
      by_table  = false
      threshold = 0
      period    = 300
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
    dead-letters = {
      words     = "More than ${var.rejected_percent} percent of a batch's rows broke a rule and are dead letters. See which rule in totesys_dead_letter or on the documentation site; mend the rows, or the rule, then replay."
      metric    = "percent_rejected"
      job       = "validate_raw"
      by_table  = false
      threshold = var.rejected_percent
      period    = 300
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
    rows-set-aside = {
      words     = "Rows were kept in totesys_dead_letter and are not in the star. They arrive once contract and source agree."
      metric    = "rows_set_aside"
      job       = "extract_cdc"
      by_table  = true
      threshold = 0
      period    = 300
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
    reconciliation = {
      words     = "Source, lake and warehouse differ by rows that no later capture can explain. totesys_ops.reconciliations holds their keys."
      metric    = "unequal"
      job       = "reconcile"
      by_table  = false
      threshold = 0
      period    = 3600
      missing   = "notBreaching"
      periods   = 1
      enough    = 1
    }
  }

  # Glue's own names of its log groups, by kind of runtime; they are the account's, so an account has them once.
  log_groups = {
    python_shell = ["/aws-glue/python-jobs/output", "/aws-glue/python-jobs/error"]
    spark        = ["/aws-glue/jobs/output", "/aws-glue/jobs/error", "/aws-glue/jobs/logs-v2"]
  }

  logs = "arn:${var.partition}:logs:${var.region}:${var.account}:log-group"
}

resource "aws_kms_key" "alerts" {
  description             = "${var.name}: logs and alerts"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${var.partition}:iam::${var.account}:root" }
        Action    = "kms:*"
        Resource  = "*" # in a key's policy: this key
      },
      {
        Sid       = "AlertsAreWritten"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
      },
      {
        Sid       = "LogsAreWritten"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "${local.logs}:/aws-glue/*" } }
      },
    ]
  })
}

resource "aws_kms_alias" "alerts" {
  name          = "alias/${var.name}-alerts"
  target_key_id = aws_kms_key.alerts.key_id
}

resource "aws_cloudwatch_log_group" "jobs" {
  for_each = toset(flatten(values(local.log_groups)))

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.alerts.arn
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  display_name      = "totesys lakehouse"
  kms_master_key_id = aws_kms_key.alerts.id
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsAndRulesPublish"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alerts.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.emails)

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

# Any job that does not end well. The job's own message is left out: it may hold quotes, which would spoil the text,
# and it stands in the log.
resource "aws_cloudwatch_event_rule" "job" {
  for_each = var.jobs

  name        = "${var.name}-${replace(each.key, "_", "-")}-did-not-end-well"
  description = "${each.key} failed, timed out or was stopped"
  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail        = { jobName = [each.key], state = ["FAILED", "STOPPED", "TIMEOUT"] }
  })
}

resource "aws_cloudwatch_event_target" "job" {
  for_each = var.jobs

  rule = aws_cloudwatch_event_rule.job[each.key].name
  arn  = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      job   = "$.detail.jobName"
      run   = "$.detail.jobRunId"
      state = "$.detail.state"
    }
    input_template = jsonencode("${var.name}: the job <job> ended <state>. The next tick does its work again; if this comes twice, look at the log of run <run>. ${var.runbook_url}#job-failed")
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for key, alarm in local.alarms : key => alarm if !alarm.by_table }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.words} ${var.runbook_url}#${each.key}"
  namespace           = local.namespace
  metric_name         = each.value.metric
  dimensions          = { job = each.value.job }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.enough
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# One alarm over all tables.
resource "aws_cloudwatch_metric_alarm" "by_table" {
  for_each = { for key, alarm in local.alarms : key => alarm if alarm.by_table }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.words} ${var.runbook_url}#${each.key}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.enough
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "worst"
    label       = each.value.metric
    return_data = true
    period      = each.value.period
    expression  = "SELECT MAX(${each.value.metric}) FROM SCHEMA(\"${local.namespace}\", job, \"table\") WHERE job = '${each.value.job}'"
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title   = "Seconds that the oldest change has waited"
          region  = var.region
          view    = "timeSeries"
          stat    = "Maximum"
          period  = 300
          metrics = [[local.namespace, "seconds_behind", "job", "extract_cdc"]]
          annotations = {
            horizontal = [{ label = "alert", value = var.freshness_minutes * 60 }]
          }
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title   = "Rows captured"
          region  = var.region
          view    = "timeSeries"
          stat    = "Maximum"
          period  = 300
          metrics = [[local.namespace, "rows_changed", "job", "extract_cdc"]]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title  = "Rows that wait for a person, by table"
          region = var.region
          view   = "timeSeries"
          stat   = "Maximum"
          period = 300
          metrics = [
            [{ expression = "SEARCH('{\"${local.namespace}\",job,table} (MetricName=\"deletions_held\" OR MetricName=\"rows_set_aside\")', 'Maximum', 300)", id = "held" }],
          ]
        }
      },
      {
        type = "metric", x = 12, y = 6, width = 12, height = 6
        properties = {
          title   = "Rows that differ between source, lake and warehouse"
          region  = var.region
          view    = "timeSeries"
          stat    = "Maximum"
          period  = 86400
          metrics = [[local.namespace, "unequal", "job", "reconcile"], [local.namespace, "inferred", "job", "reconcile"]]
        }
      },
      {
        type = "alarm", x = 0, y = 12, width = 24, height = 4
        properties = {
          title  = "Alerts"
          alarms = [for key in sort(keys(local.alarms)) : "arn:${var.partition}:cloudwatch:${var.region}:${var.account}:alarm:${var.name}-${key}"]
        }
      },
    ]
  })
}
