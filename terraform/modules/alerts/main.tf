# Who is told of what. catalog/alarms.yaml states every alarm: what it looks at, when it fires, and its words, which
# end at an entry of docs/runbook.md. An alarm tells once when a state begins, and once when it ends.

locals {
  rule  = "${var.name}-run-ends"
  queue = "${var.name}-undelivered"

  # What only a deployment knows.
  own_names = merge(
    { "{rule}" = local.rule, "{queue}" = local.queue },
    { for function in var.functions : "{failed_${function}}" => "${var.name}-${replace(function, "_", "-")}-failed" },
    { for key, id in var.apis : "{api_${key}}" => id },
  )

  # What an environment decides.
  thresholds = { freshness = var.freshness_minutes * 60, dead-letters = var.rejected_percent }

  # Glue's own names of its log groups, by kind of runtime; they are the account's, so an account has them once.
  log_groups = {
    python_shell = ["/aws-glue/python-jobs/output", "/aws-glue/python-jobs/error"]
    spark        = ["/aws-glue/jobs/output", "/aws-glue/jobs/error", "/aws-glue/jobs/logs-v2"]
  }

  # EventBridge writes below this prefix alone.
  run_ends = "/aws/events/${local.rule}"

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
        # Who asks a key for a topic states no source; the topics' own policies say whose alarms they take.
        Sid       = "AlertsAreWritten"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
      },
      {
        Sid       = "LogsAreWritten"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = ["${local.logs}:/aws-glue/*", "${local.logs}:/aws/lambda/${var.name}-*", "${local.logs}:/aws/vendedlogs/${var.name}-*", "${local.logs}:${local.run_ends}"] } }
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

# One topic for operations, and one for each owner of captured tables.

locals {
  owners = toset([for alarm in values(var.alarms) : alarm.owner if alarm.owner != null])
  # What tells alerts besides is told of by e-mail alone.
  has_more = anytrue([for alarm in values(var.alarms) : alarm.by_mail_alone])
  topics = merge(
    { operations = "${var.name}-alerts" },
    local.has_more ? { mail = "${var.name}-alerts-by-mail" } : {},
    { for owner in local.owners : owner => "${var.name}-alerts-${replace(split("@", owner)[0], "/[^A-Za-z0-9_-]/", "-")}" },
  )
  told = concat(
    [for address in var.emails : { topic = "operations", address = address }],
    [for address in var.emails : { topic = "mail", address = address } if local.has_more],
    [for owner in local.owners : { topic = owner, address = owner }],
  )
}

resource "aws_sns_topic" "this" {
  for_each = local.topics

  name              = each.value
  display_name      = "lakehouse ${var.name}"
  kms_master_key_id = aws_kms_key.alerts.id
}

resource "aws_sns_topic_policy" "this" {
  for_each = aws_sns_topic.this

  arn = each.value.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsPublish"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = { for told in local.told : "${told.topic} ${told.address}" => told }

  topic_arn = aws_sns_topic.this[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.address
}

# How runs end: Glue tells EventBridge, a rule writes it to a log group, and that becomes a metric, on which alarms
# stand. The log group keeps what happened; a rule that told topics would tell every failing tick anew.

resource "aws_cloudwatch_log_group" "run_ends" {
  name              = local.run_ends
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.alerts.arn
}

resource "aws_cloudwatch_log_resource_policy" "run_ends" {
  policy_name = local.rule

  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EventsAreWritten"
      Effect    = "Allow"
      Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "${aws_cloudwatch_log_group.run_ends.arn}:*"
    }]
  })
}

resource "aws_cloudwatch_event_rule" "run_ends" {
  name        = local.rule
  description = "A run of a job ended, or takes long"
  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change", "Glue Job Run Status"]
    detail        = { jobName = sort(keys(var.jobs)) }
  })
}

resource "aws_cloudwatch_event_target" "run_ends" {
  rule = aws_cloudwatch_event_rule.run_ends.name
  arn  = aws_cloudwatch_log_group.run_ends.arn

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_cloudwatch_log_resource_policy.run_ends, aws_sqs_queue_policy.undelivered]
}

resource "aws_sqs_queue" "undelivered" {
  name                      = local.queue
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheRuleLeavesWhatItCannotDeliver"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.undelivered.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.run_ends.arn } }
    }]
  })
}

resource "aws_cloudwatch_log_metric_filter" "run_ends" {
  for_each = var.run_metrics

  name           = "${local.rule}-${replace(each.key, "_", "-")}"
  log_group_name = aws_cloudwatch_log_group.run_ends.name
  pattern        = "{ ${join(" || ", [for state in each.value.states : "($.detail.state = \"${state}\")"])} }"

  metric_transformation {
    namespace  = var.namespace
    name       = each.value.metric
    value      = each.value.value
    dimensions = { job = "$.detail.jobName" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "run_late" {
  name           = "${local.rule}-late"
  log_group_name = aws_cloudwatch_log_group.run_ends.name
  pattern        = "{ $.detail.notificationCondition.NotifyDelayAfter > 0 }"

  metric_transformation {
    namespace = var.namespace
    name      = "run_late"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.words} ${var.runbook_url}#${each.value.entry}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = lookup(local.thresholds, each.key, each.value.above)
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.enough
  treat_missing_data  = each.value.missing

  alarm_actions             = contains(each.value.tells, "ALARM") ? local.actions[each.key] : []
  ok_actions                = contains(each.value.tells, "OK") ? local.actions[each.key] : []
  insufficient_data_actions = contains(each.value.tells, "INSUFFICIENT_DATA") ? local.actions[each.key] : []

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = metric_query.key
      return_data = each.value.expression == null

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        stat        = metric_query.value.statistic
        period      = each.value.seconds
        dimensions  = { for name, value in metric_query.value.of : name => lookup(local.own_names, value, value) }
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression[*]

    content {
      id          = "result"
      label       = each.key
      expression  = metric_query.value
      return_data = true
    }
  }
}

locals {
  actions = {
    for name, alarm in var.alarms : name => [
      for topic in concat([alarm.by_mail_alone ? "mail" : "operations"], alarm.owner[*]) : aws_sns_topic.this[topic].arn
    ]
  }
}

# A bill that grows tells nobody by itself. Budgets writes to the addresses without a topic, a few times a day at most.
resource "aws_budgets_budget" "month" {
  name         = "${var.name}-month"
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = { "80" = "ACTUAL", "100" = "FORECASTED", "120" = "ACTUAL" }

    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = tonumber(notification.key)
      threshold_type             = "PERCENTAGE"
      notification_type          = notification.value
      subscriber_email_addresses = var.emails
    }
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
          metrics = [[var.namespace, "seconds_behind", "job", "extract_cdc"]]
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
          metrics = [[var.namespace, "rows_changed", "job", "extract_cdc"]]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title  = "Tables that are paused, and rows that wait for a person"
          region = var.region
          view   = "timeSeries"
          stat   = "Maximum"
          period = 300
          metrics = [
            [{ expression = "SEARCH('{\"${var.namespace}\",job,table} (MetricName=\"paused\" OR MetricName=\"deletions_held\" OR MetricName=\"rows_set_aside\")', 'Maximum', 300)", id = "held" }],
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
          metrics = [[var.namespace, "unequal", "job", "reconcile"], [var.namespace, "inferred", "job", "reconcile"]]
        }
      },
      {
        type = "alarm", x = 0, y = 12, width = 24, height = 4
        properties = {
          title  = "Alerts"
          alarms = [for key in sort(keys(var.alarms)) : "arn:${var.partition}:cloudwatch:${var.region}:${var.account}:alarm:${var.name}-${key}"]
        }
      },
    ]
  })
}
