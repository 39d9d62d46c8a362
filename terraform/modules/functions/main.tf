# The Lambda functions of catalog/pipeline.yaml: each from its own zip of the release, with its own role, log and queue of
# the calls that it failed at.

locals {
  names = { for key in keys(var.functions) : key => "${var.name}-${replace(key, "_", "-")}" }

  # Who asks over HTTP waits for the answer, so that nothing is tried again or kept.
  unattended = { for key, function in var.functions : key => function if function.called_by != "http" }
  in_network = { for key, function in var.functions : key => function if function.network == "vpc" }
}

# The way of functions to the databases and to AWS; nobody comes to them.
resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5:functions in the network have it

  count = length(local.in_network) > 0 ? 1 : 0

  name        = "${var.name}-functions"
  description = "The functions in the network of the databases"
  vpc_id      = var.network.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "databases" {
  for_each = length(local.in_network) > 0 ? toset(var.network.database_cidrs) : toset([])

  security_group_id = aws_security_group.functions[0].id
  description       = "To the warehouse"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.network.database_port
  to_port           = var.network.database_port
}

resource "aws_vpc_security_group_egress_rule" "aws" {
  count = length(local.in_network) > 0 ? 1 : 0

  security_group_id = aws_security_group.functions[0].id
  description       = "To the endpoints of AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = var.functions

  name              = "/aws/lambda/${local.names[each.key]}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key
}

resource "aws_sqs_queue" "failed" {
  for_each = local.unattended

  name                      = "${local.names[each.key]}-failed"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:its log says what each call did; there is no chain of services to trace
  # checkov:skip=CKV_AWS_115:a reserve would be taken from the account's other functions; each is called a few times an hour, or by an API that is throttled
  # checkov:skip=CKV_AWS_116:what it fails at goes to the queue that its destination on failure names
  # checkov:skip=CKV_AWS_117:what names a database runs in its network; the others reach AWS and the internet alone
  # checkov:skip=CKV_AWS_173:its environment holds names, and no secret
  # checkov:skip=CKV_AWS_272:its zip is named by its checksum, and the role that deploys alone writes releases

  for_each = var.functions

  function_name    = local.names[each.key]
  description      = each.value.description
  role             = var.role_arns[each.key]
  package_type     = "Zip"
  architectures    = ["x86_64"]
  runtime          = "python${each.value.python}"
  handler          = each.value.handler
  memory_size      = each.value.memory_megabytes
  timeout          = each.value.timeout_seconds
  s3_bucket        = var.bucket.name
  s3_key           = var.objects["functions/${each.key}.zip"]
  source_code_hash = var.checksums[each.key]

  dynamic "environment" {
    for_each = length(var.environment[each.key]) > 0 ? [var.environment[each.key]] : []

    content {
      variables = environment.value
    }
  }

  dynamic "vpc_config" {
    for_each = each.value.network == "vpc" ? [var.network] : []

    content {
      subnet_ids         = [vpc_config.value.subnet_id]
      security_group_ids = [aws_security_group.functions[0].id]
    }
  }

  # Lambda would make the group by itself, without a key and for ever.
  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.unattended

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = each.value.retries
  maximum_event_age_in_seconds = 3600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed[each.key].arn
    }
  }
}

# What the topic of operations calls.

resource "aws_lambda_permission" "alerts" {
  for_each = { for key, function in var.functions : key => function if function.called_by == "alerts" }

  statement_id  = "the-topic-calls"
  function_name = aws_lambda_function.this[each.key].function_name
  action        = "lambda:InvokeFunction"
  principal     = "sns.amazonaws.com"
  source_arn    = var.alerts
}

resource "aws_sns_topic_subscription" "alerts" {
  for_each = aws_lambda_permission.alerts

  topic_arn = var.alerts
  protocol  = "lambda"
  endpoint  = aws_lambda_function.this[each.key].arn
}
