# What an environment may not say: each run's name is its promise. It is run on variables.tf alone, which needs no
# provider and takes a second in place of a minute.

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

run "an_environment_has_a_short_plain_name" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = "My Environment"
  }
}

run "a_region_is_a_regions_code" {
  command         = plan
  expect_failures = [var.region]

  variables {
    region = "London"
  }
}

run "an_issuer_of_tokens_is_named_with_their_audiences" {
  command         = plan
  expect_failures = [var.http_api]

  variables {
    http_api = { issuer = "https://login.example.org/finance" }
  }
}

run "audiences_are_named_with_the_issuer_of_their_tokens" {
  command         = plan
  expect_failures = [var.http_api]

  variables {
    http_api = { audiences = ["payments"] }
  }
}

run "an_issuer_is_reached_by_tls" {
  command         = plan
  expect_failures = [var.http_api]

  variables {
    http_api = { issuer = "http://login.example.org/finance", audiences = ["payments"] }
  }
}

run "somebody_owns_the_environment" {
  command         = plan
  expect_failures = [var.owner]

  variables {
    owner = " "
  }
}

run "somebody_is_told_of_alerts" {
  command         = plan
  expect_failures = [var.alert_emails]

  variables {
    alert_emails = []
  }
}

run "an_alert_goes_to_an_address" {
  command         = plan
  expect_failures = [var.alert_emails]

  variables {
    alert_emails = ["nobody"]
  }
}

run "a_network_is_named_by_ids" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = {
      vpc_id            = "my network"
      subnet_id         = "subnet-0123456789abcdef0"
      availability_zone = "eu-west-2a"
      database_cidrs    = ["10.0.4.0/24"]
    }
  }
}

run "a_subnet_lies_in_the_region" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = {
      vpc_id            = "vpc-0123456789abcdef0"
      subnet_id         = "subnet-0123456789abcdef0"
      availability_zone = "us-east-1a"
      database_cidrs    = ["10.0.4.0/24"]
    }
  }
}

run "jobs_do_not_reach_databases_anywhere" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = {
      vpc_id            = "vpc-0123456789abcdef0"
      subnet_id         = "subnet-0123456789abcdef0"
      availability_zone = "eu-west-2a"
      database_cidrs    = ["0.0.0.0/0"]
    }
  }
}

run "a_database_listens_on_a_port" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = {
      vpc_id            = "vpc-0123456789abcdef0"
      subnet_id         = "subnet-0123456789abcdef0"
      availability_zone = "eu-west-2a"
      database_cidrs    = ["10.0.4.0/24"]
      database_port     = 99999
    }
  }
}

run "the_documentation_is_not_open_to_the_world" {
  command         = plan
  expect_failures = [var.documentation_viewers]

  variables {
    documentation_viewers = ["0.0.0.0/0"]
  }
}

run "the_documentation_has_viewers" {
  command         = plan
  expect_failures = [var.documentation_viewers]

  variables {
    documentation_viewers = []
  }
}

run "viewers_are_ipv4_ranges" {
  command         = plan
  expect_failures = [var.documentation_viewers]

  variables {
    documentation_viewers = ["2001:db8::/32"]
  }
}

run "production_data_is_never_disposable" {
  command         = plan
  expect_failures = [var.data_is_disposable]

  variables {
    environment        = "prod"
    data_is_disposable = true
  }
}

run "what_was_removed_stays_for_a_week_at_least" {
  command         = plan
  expect_failures = [var.noncurrent_days]

  variables {
    noncurrent_days = 1
  }
}

run "results_of_queries_are_kept_for_a_day_at_least" {
  command         = plan
  expect_failures = [var.athena_results_days]

  variables {
    athena_results_days = 0
  }
}

run "athena_stops_no_query_before_its_own_floor" {
  command         = plan
  expect_failures = [var.athena_scan_limit_bytes]

  variables {
    athena_scan_limit_bytes = 1000
  }
}

run "logs_are_kept_for_a_year_at_least" {
  command         = plan
  expect_failures = [var.log_retention_days]

  variables {
    log_retention_days = 30
  }
}

run "freshness_is_looked_at_in_whole_ticks" {
  command         = plan
  expect_failures = [var.freshness_minutes]

  variables {
    freshness_minutes = 12
  }
}

run "an_alert_on_dead_letters_has_a_share" {
  command         = plan
  expect_failures = [var.rejected_percent]

  variables {
    rejected_percent = 0
  }
}

run "the_runbook_is_read_over_tls" {
  command         = plan
  expect_failures = [var.runbook_url]

  variables {
    runbook_url = "http://example.org/runbook"
  }
}

run "only_known_secrets_are_rotated" {
  command         = plan
  expect_failures = [var.secret_rotation]

  variables {
    secret_rotation = { other = { lambda_arn = "arn:aws:lambda:eu-west-2:123456789012:function:rotate" } }
  }
}

run "a_secret_is_rotated_by_a_function_and_within_ninety_days" {
  command         = plan
  expect_failures = [var.secret_rotation]

  variables {
    secret_rotation = { source = { lambda_arn = "arn:aws:lambda:eu-west-2:123456789012:function:rotate", days = 365 } }
  }
}

run "the_sites_certificate_is_where_cloudfront_looks" {
  command         = plan
  expect_failures = [var.documentation_domain]

  variables {
    documentation_domain = { name = "docs.example.org", certificate_arn = "arn:aws:acm:eu-west-2:123456789012:certificate/one" }
  }
}

run "the_platforms_own_tags_are_not_overwritten" {
  command         = plan
  expect_failures = [var.tags]

  variables {
    tags = { project = "another" }
  }
}

run "a_month_may_cost_something" {
  command         = plan
  expect_failures = [var.monthly_budget]

  variables {
    monthly_budget = 0
  }
}

run "a_backup_is_kept_for_a_week_at_least" {
  command         = plan
  expect_failures = [var.backup]

  variables {
    backup = { days = 1 }
  }
}

run "a_backup_is_copied_to_a_vault" {
  command         = plan
  expect_failures = [var.backup]

  variables {
    backup = { copy_to = "somewhere" }
  }
}

run "a_user_or_a_group_of_quicksight_owns_the_dashboard" {
  command         = plan
  expect_failures = [var.quicksight]

  variables {
    quicksight = { owner_arn = "somebody" }
  }
}

run "the_dashboard_reads_nothing_else" {
  command         = plan
  expect_failures = [var.quicksight]

  variables {
    quicksight = { owner_arn = "arn:aws:quicksight:eu-west-2:123456789012:user/default/a", reads = "files" }
  }
}

run "a_dashboard_over_the_warehouse_knows_where_it_is" {
  command         = plan
  expect_failures = [var.quicksight]

  variables {
    quicksight = { owner_arn = "arn:aws:quicksight:eu-west-2:123456789012:user/default/a", reads = "warehouse" }
  }
}

run "what_is_paused_is_a_schedule" {
  command         = plan
  expect_failures = [var.paused_schedules]

  variables {
    paused_schedules = ["every_blue_moon"]
  }
}
