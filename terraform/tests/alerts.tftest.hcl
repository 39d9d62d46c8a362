# Who is told of what: each run's name is its promise. The provider is mocked.

mock_provider "aws" {
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-2:123456789012:log-group:/aws/events/one" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-2:123456789012:one", id = "https://sqs.eu-west-2.amazonaws.com/123456789012/one" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-2:123456789012:one" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-2:123456789012:key/one" }
  }
}

run "what_eventbridge_says_is_delivered_or_kept_and_every_state_is_told_twice" {
  command = apply

  module {
    source = "./modules/alerts"
  }

  variables {
    name      = "lake"
    account   = "123456789012"
    region    = "eu-west-2"
    partition = "aws"
    namespace = "lakehouse"
    emails    = ["operations@example.org"]
    jobs      = { one = {}, two = {} }
    functions = ["do_it"]
    run_metrics = {
      succeeded     = { metric = "run_failed", states = ["SUCCEEDED"], value = 0 }
      not_succeeded = { metric = "run_failed", states = ["FAILED", "TIMEOUT", "STOPPED"], value = 1 }
    }
    alarms = {
      table = {
        entry      = "table-paused", words = "It waits.", owner = "owner.of-it@example.org"
        metrics    = { paused = { namespace = "lakehouse", metric = "paused", of = { table = "one" }, statistic = "Maximum" } }
        expression = null, above = 0, seconds = 300, periods = 1, enough = 1, missing = "ignore", tells = ["ALARM", "OK"], by_mail_alone = false
      }
      silent = {
        entry      = "job-silent", words = "It is silent.", owner = null
        metrics    = { queued = { namespace = "AWS/SQS", metric = "m", of = { QueueName = "{queue}" }, statistic = "Sum" } }
        expression = null, above = 1, seconds = 300, periods = 5, enough = 5, missing = "missing", tells = ["INSUFFICIENT_DATA", "OK"], by_mail_alone = false
      }
      failed = {
        entry      = "function-failed", words = "It failed.", owner = null
        metrics    = { queued = { namespace = "AWS/SQS", metric = "m", of = { QueueName = "{failed_do_it}" }, statistic = "Maximum" } }
        expression = null, above = 0, seconds = 300, periods = 1, enough = 1, missing = "notBreaching", tells = ["ALARM", "OK"], by_mail_alone = false
      }
      unsaid = {
        entry      = "function-failed", words = "It told nobody.", owner = null
        metrics    = { queued = { namespace = "AWS/SQS", metric = "m", of = {}, statistic = "Maximum" } }
        expression = null, above = 0, seconds = 300, periods = 1, enough = 1, missing = "notBreaching", tells = ["ALARM", "OK"], by_mail_alone = true
      }
      both = {
        entry = "both", words = "Both.", owner = null
        metrics = {
          one = { namespace = "n", metric = "m", of = {}, statistic = "Sum" }
          two = { namespace = "n", metric = "o", of = {}, statistic = "Sum" }
        }
        expression = "FILL(one, 0) + FILL(two, 0)", above = 1, seconds = 300, periods = 1, enough = 1, missing = "notBreaching", tells = ["ALARM", "OK"], by_mail_alone = false
      }
    }
    runbook_url        = "https://example.org/runbook"
    freshness_minutes  = 25
    rejected_percent   = 5
    monthly_budget     = 40
    log_retention_days = 365
  }

  assert {
    condition = alltrue([
      for statement in concat(
        jsondecode(aws_kms_key.alerts.policy).Statement,
        jsondecode(aws_cloudwatch_log_resource_policy.run_ends.policy_document).Statement,
      ) : !strcontains(jsonencode(statement), "aws:Source")
    ])
    error_message = "EventBridge and CloudWatch state no source to a key or to the logs, so a policy that asks for one refuses them"
  }

  assert {
    condition     = one(aws_cloudwatch_event_target.run_ends.dead_letter_config).arn == aws_sqs_queue.undelivered.arn
    error_message = "what is not delivered is kept"
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.run_ends.input_transformer) == 0
    error_message = "nothing is written into a text that a bracket or a quote could spoil"
  }

  assert {
    condition = [for filter in aws_cloudwatch_log_metric_filter.run_ends : filter.pattern] == [
      "{ ($.detail.state = \"FAILED\") || ($.detail.state = \"TIMEOUT\") || ($.detail.state = \"STOPPED\") }",
      "{ ($.detail.state = \"SUCCEEDED\") }",
    ]
    error_message = "every state in which a run ends is counted, by job"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.run_ends.event_pattern).detail == { jobName = ["one", "two"] }
    error_message = "of these jobs, in every state"
  }

  assert {
    condition     = { for key, subscription in aws_sns_topic_subscription.email : key => subscription.endpoint } == { "operations operations@example.org" = "operations@example.org", "mail operations@example.org" = "operations@example.org", "owner.of-it@example.org owner.of-it@example.org" = "owner.of-it@example.org" }
    error_message = "operations and the owner of a table are told"
  }

  assert {
    condition     = { for key, topic in aws_sns_topic.this : key => topic.name } == { operations = "lake-alerts", mail = "lake-alerts-by-mail", "owner.of-it@example.org" = "lake-alerts-owner-of-it" }
    error_message = "each has a topic"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this["silent"].alarm_actions) == 0 && length(aws_cloudwatch_metric_alarm.this["silent"].insufficient_data_actions) == 1 && length(aws_cloudwatch_metric_alarm.this["table"].insufficient_data_actions) == 0
    error_message = "an alarm tells of the states that it is to tell of"
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["silent"].metric_query : one(query.metric).dimensions]).QueueName == "lake-undelivered"
    error_message = "what only a deployment names is put in"
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["failed"].metric_query : one(query.metric).dimensions]).QueueName == "lake-do-it-failed"
    error_message = "the queue of a function is put in"
  }

  assert {
    condition = aws_budgets_budget.month.limit_amount == "40" && { for told in aws_budgets_budget.month.notification : told.threshold => told.notification_type } == { 80 = "ACTUAL", 100 = "FORECASTED", 120 = "ACTUAL" } && alltrue([
      for told in aws_budgets_budget.month.notification : told.subscriber_email_addresses == toset(["operations@example.org"])
    ])
    error_message = "operations are told of a bill that grows, before it is all spent and when it is overspent"
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.this["both"].metric_query : query.id if query.return_data == true] == ["result"]
    error_message = "the result of an expression is what counts"
  }
}
