# Where analysts may write: each run's name is its promise. The provider is mocked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

run "the_sandbox_is_deployed_from_the_pipelines_file" {
  command = plan

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

  assert {
    condition     = module.athena.sandboxes["personal-data-analyst"].name == yamldecode(file("../catalog/pipeline.yaml")).athena.sandbox.database
    error_message = "the database has the name that the file states"
  }

  assert {
    condition     = module.athena.sandboxes["personal-data-analyst"].location == "s3://${output.buckets["sandbox"]}/"
    error_message = "its data lies in the bucket of its own"
  }

  assert {
    condition     = module.athena.sandboxes["analyst"].location == "s3://${output.buckets["redacted_sandbox"]}/"
    error_message = "analysts who see no personal columns have another"
  }

  assert {
    condition     = output.buckets["sandbox"] == "totesys-test-sandbox-123456789012"
    error_message = "the bucket is named as the others are"
  }
}

run "the_bucket_is_as_the_others_but_written_again_and_expiring" {
  command = plan

  module {
    source = "./modules/storage"
  }

  variables {
    rights          = "./rights"
    name            = "lake"
    account         = "123456789012"
    partition       = "aws"
    buckets         = yamldecode(file("../catalog/pipeline.yaml")).buckets
    noncurrent_days = 30
    results_days    = 14
    disposable      = false
    viewers_site    = "arn:aws:cloudfront::123456789012:distribution/one"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this["sandbox"].rule :
      rule.bucket_key_enabled && alltrue([for by in rule.apply_server_side_encryption_by_default : by.sse_algorithm == "aws:kms"])
    ])
    error_message = "what lies there is encrypted with the customer's key"
  }

  assert {
    condition = alltrue([
      for closed in [aws_s3_bucket_public_access_block.this["sandbox"]] :
      closed.block_public_acls && closed.block_public_policy && closed.ignore_public_acls && closed.restrict_public_buckets
    ])
    error_message = "nothing of it is public"
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.this["sandbox"].policy).Statement : statement.Sid] == ["TlsOnly", "RecentTlsOnly"]
    error_message = "nothing refuses an analyst to write again or to remove"
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this["sandbox"].rule : one(rule.expiration).days if rule.id == "objects-expire"
    ] == [yamldecode(file("../catalog/pipeline.yaml")).buckets.sandbox.expire_days]
    error_message = "an object goes after the days that the file states"
  }

  assert {
    condition = alltrue(flatten([
      for key, lifecycle in aws_s3_bucket_lifecycle_configuration.this : [
        for rule in lifecycle.rule : rule.id != "objects-expire"
      ] if !endswith(key, "sandbox")
    ]))
    error_message = "nothing else expires so"
  }
}

run "analysts_write_in_the_sandbox_alone" {
  command = plan

  module {
    source = "./modules/access"
  }

  variables {
    rights      = "./rights"
    name        = "lake"
    account     = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
    jobs        = {}
    functions   = {}
    buckets     = { ingestion = "lake-in", processed = "lake-star", documentation = "lake-docs", athena_results = "lake-results", sandbox = "lake-play", redacted_sandbox = "lake-play-redacted" }
    data_key    = "arn:aws:kms:eu-west-2:123456789012:key/one"
    releases    = "releases/"
    secrets     = { for key, secret in yamldecode(file("../catalog/pipeline.yaml")).secrets : key => "arn:aws:secretsmanager:eu-west-2:123456789012:secret:${secret.name}" }
    secrets_key = "arn:aws:kms:eu-west-2:123456789012:key/two"
    connection  = "network"
    network     = { vpc_id = "vpc-1", subnet_id = "subnet-1", security_group_id = "sg-1" }
    analysts    = { personal-data-analyst = { work_group = "totesys", has_sandbox = true } }
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.sandbox["personal-data-analyst"].policy).Statement : statement.Resource])) == toset([
      "arn:aws:s3:::lake-play",
      "arn:aws:s3:::lake-play/*",
      "arn:aws:kms:eu-west-2:123456789012:key/one",
      "arn:aws:glue:eu-west-2:123456789012:catalog",
      "arn:aws:glue:eu-west-2:123456789012:database/totesys_sandbox",
      "arn:aws:glue:eu-west-2:123456789012:table/totesys_sandbox/*",
    ])
    error_message = "no other bucket, database or key"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.sandbox["personal-data-analyst"].policy).Statement : statement.Condition if startswith(statement.Action[0], "kms:")
      ] == [{
        StringEquals = { "kms:ViaService" = "s3.eu-west-2.amazonaws.com" }
        StringLike   = { "kms:EncryptionContext:aws:s3:arn" = ["arn:aws:s3:::lake-play", "arn:aws:s3:::lake-play/*"] }
    }]
    error_message = "the key of all buckets opens this one alone"
  }

  assert {
    condition = length(setsubtract(
      ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable", "glue:BatchCreatePartition", "glue:BatchDeletePartition", "glue:GetPartitions"],
      flatten([for statement in jsondecode(aws_iam_role_policy.sandbox["personal-data-analyst"].policy).Statement : statement.Action]),
    )) == 0
    error_message = "what the statements that write need"
  }

  assert {
    condition = alltrue([
      for action in flatten([for statement in jsondecode(aws_iam_role_policy.sandbox["personal-data-analyst"].policy).Statement : statement.Action]) :
      !strcontains(action, "*") && !contains(["glue:CreateDatabase", "glue:UpdateDatabase", "glue:DeleteDatabase"], action)
    ])
    error_message = "tables are analysts' to change, the database is not"
  }
}

run "where_no_sandbox_is_stated_nobody_writes" {
  command = plan

  module {
    source = "./modules/access"
  }

  variables {
    rights      = "./rights"
    name        = "lake"
    account     = "123456789012"
    region      = "eu-west-2"
    partition   = "aws"
    jobs        = {}
    functions   = {}
    buckets     = { ingestion = "lake-in", processed = "lake-star", documentation = "lake-docs", athena_results = "lake-results", sandbox = "lake-play", redacted_sandbox = "lake-play-redacted" }
    data_key    = "arn:aws:kms:eu-west-2:123456789012:key/one"
    releases    = "releases/"
    secrets     = { for key, secret in yamldecode(file("../catalog/pipeline.yaml")).secrets : key => "arn:aws:secretsmanager:eu-west-2:123456789012:secret:${secret.name}" }
    secrets_key = "arn:aws:kms:eu-west-2:123456789012:key/two"
    connection  = "network"
    network     = { vpc_id = "vpc-1", subnet_id = "subnet-1", security_group_id = "sg-1" }
    analysts    = { personal-data-analyst = { work_group = "totesys", has_sandbox = false } }
  }

  assert {
    condition     = length(aws_iam_role_policy.sandbox) == 0
    error_message = "there is no policy"
  }
}
