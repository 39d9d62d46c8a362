# What starts by itself: each run's name is its promise. The provider is mocked.

mock_provider "aws" {}

variables {
  name      = "lake"
  workflows = { ingest = { description = "It captures", max_concurrent_runs = 1 }, keep = { description = "It keeps house", max_concurrent_runs = 1 } }
  triggers  = { due = { workflow = "ingest", type = "on_demand", starts = ["capture"] } }
  jobs      = { capture = "capture" }
  enabled   = true
  paused    = []
  schedules = {
    often   = { workflow = "ingest", expression = "cron(0/10 * * * ? *)" }
    nightly = { workflow = "keep", expression = "cron(30 4 * * ? *)", time_zone = "Europe/London" }
  }
  starter = {
    arn       = "arn:aws:lambda:eu-west-2:123456789012:function:lake-start"
    role_arn  = "arn:aws:iam::123456789012:role/lake-schedules"
    queue_arn = "arn:aws:sqs:eu-west-2:123456789012:lake-start-failed"
  }
}

run "a_schedule_tries_once_by_a_named_clock_and_what_it_could_not_start_is_kept" {
  command = plan

  module {
    source = "./modules/workflows"
  }

  assert {
    condition = alltrue([
      for schedule in aws_scheduler_schedule.this : one(schedule.target).retry_policy[0].maximum_retry_attempts == 0 && one(schedule.target).dead_letter_config[0].arn == var.starter.queue_arn
    ])
    error_message = "the next tick is the retry, and nothing is lost"
  }

  assert {
    condition     = { for key, schedule in aws_scheduler_schedule.this : key => schedule.schedule_expression_timezone } == { often = "UTC", nightly = "Europe/London" }
    error_message = "each names its clock"
  }

  assert {
    condition     = { for key, schedule in aws_scheduler_schedule.this : key => jsondecode(one(schedule.target).input) } == { often = { workflow = "ingest" }, nightly = { workflow = "keep" } }
    error_message = "each says which workflow"
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.state == "ENABLED" && schedule.group_name == "lake"])
    error_message = "they are on, in a group of their own"
  }
}

run "a_schedule_that_is_paused_is_off_and_the_others_are_on" {
  command = plan

  module {
    source = "./modules/workflows"
  }

  variables {
    paused = ["nightly"]
  }

  assert {
    condition     = { for key, schedule in aws_scheduler_schedule.this : key => schedule.state } == { often = "ENABLED", nightly = "DISABLED" }
    error_message = "nothing but what is named is off"
  }
}

run "without_secrets_nothing_starts_by_itself" {
  command = plan

  module {
    source = "./modules/workflows"
  }

  variables {
    enabled = false
  }

  assert {
    condition     = { for key, schedule in aws_scheduler_schedule.this : key => schedule.state } == { often = "DISABLED", nightly = "DISABLED" }
    error_message = "a run without secrets is in vain"
  }
}
