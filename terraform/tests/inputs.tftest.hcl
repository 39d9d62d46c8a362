# What an environment may say: each run's name is its promise. The provider is mocked. What it may not say stands in
# variables/.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  environment           = "test"
  region                = "eu-west-2"
  owner                 = "data-platform"
  alert_emails          = ["somebody@example.org"]
  documentation_viewers = ["203.0.113.0/24"]

  network = {
    vpc_id            = "vpc-0123456789abcdef0"
    subnet_id         = "subnet-0123456789abcdef0"
    availability_zone = "eu-west-2a"
    database_cidrs    = ["10.0.4.0/24"]
  }
}

run "the_required_inputs_alone_make_an_environment" {
  command = plan

  assert {
    condition     = length(output.buckets) == length(yamldecode(file("../catalog/pipeline.yaml")).buckets)
    error_message = "every bucket of the pipeline has a name"
  }

  assert {
    condition     = alltrue([for name in values(output.buckets) : startswith(name, "totesys-test-") && endswith(name, "-123456789012")])
    error_message = "a bucket's name holds the environment and the account"
  }

  assert {
    condition     = !var.slack && !contains(keys(output.secrets), "slack") && !contains(keys(output.alert_topics), "mail")
    error_message = "Slack is told of nothing unless it is asked for: no secret, no function, no topic besides"
  }

  assert {
    condition     = length(output.http_apis) == 0 && length(output.callers_policies) == 0 && !contains(keys(output.secrets), "payments_reader") && output.network.functions_security_group_id == null
    error_message = "nothing answers over HTTP unless it is asked for: no address, no secret, no function, no security group"
  }
}

run "another_environment_differs_in_its_names_alone" {
  command = plan

  variables {
    environment = "other"
  }

  assert {
    condition     = { for key, name in output.buckets : key => replace(name, "totesys-other-", "totesys-test-") } == run.the_required_inputs_alone_make_an_environment.buckets
    error_message = "the same buckets, under another name"
  }

  assert {
    condition     = output.secrets == run.the_required_inputs_alone_make_an_environment.secrets
    error_message = "secrets are named alike in every environment"
  }
}

run "slack_and_an_api_for_programs_are_there_where_they_are_asked_for" {
  command = plan

  variables {
    slack    = true
    http_api = {}
  }

  assert {
    condition     = output.secrets["slack"] == "totesys/slack" && contains(keys(output.alert_topics), "mail")
    error_message = "its webhook is put in by a person, and what it does not take is told by mail alone"
  }

  assert {
    condition     = keys(output.http_apis) == ["payments_api_programs"] && keys(output.callers_policies) == ["payments_api"]
    error_message = "one API, and a policy for those who ask it: for people there is none without an issuer of their tokens"
  }

  assert {
    condition     = output.secrets["payments_reader"] == "totesys/payments_reader"
    error_message = "the role that reads is put in by a person"
  }
}

run "there_is_no_backup_unless_it_is_asked_for" {
  command = plan

  assert {
    condition     = length(module.backup) == 0
    error_message = "it costs as much as the buckets"
  }
}

run "the_lakes_buckets_are_backed_up_and_copied_elsewhere" {
  command = plan

  variables {
    backup = { days = 40, copy_to = "arn:aws:backup:eu-west-1:123456789012:backup-vault:elsewhere" }
  }

  assert {
    condition     = length(module.backup) == 1
    error_message = "a plan of AWS Backup"
  }
}

run "there_is_no_dashboard_unless_it_is_asked_for" {
  command = plan

  assert {
    condition     = length(module.dashboard) == 0
    error_message = "QuickSight needs a subscription"
  }
}

run "the_dashboard_reads_the_lake" {
  command = plan

  variables {
    quicksight = { owner_arn = "arn:aws:quicksight:eu-west-2:123456789012:group/default/analysts" }
  }

  assert {
    condition     = module.dashboard[0].parameters.WorkGroup == "totesys"
    error_message = "it asks in the analysts' work group"
  }
}

run "the_dashboard_reads_the_warehouse" {
  command = plan

  variables {
    quicksight = {
      owner_arn   = "arn:aws:quicksight:eu-west-2:123456789012:group/default/analysts"
      reads       = "warehouse"
      import_mode = "SPICE"
      warehouse   = { host = "warehouse.example.org", database = "warehouse", secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:reader" }
    }
  }

  assert {
    condition     = module.dashboard[0].parameters.WarehousePort == "5432" && !contains(keys(module.dashboard[0].parameters), "WorkGroup")
    error_message = "it asks the warehouse alone"
  }
}
