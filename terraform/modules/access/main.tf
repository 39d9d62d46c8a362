# One role for each job, and in it what catalog/pipeline.yaml says of the job. The documents below terraform/rights are
# made from that file (`make rights`); here stands only what their placeholders stand for.

locals {
  values = merge(
    {
      name           = var.name
      partition      = var.partition
      region         = var.region
      account        = var.account
      data_key       = var.data_key
      secrets_key    = var.secrets_key
      releases       = var.releases
      connection     = var.connection
      vpc            = var.network.vpc_id
      subnet         = var.network.subnet_id
      security_group = var.network.security_group_id

      # Where no function is in the network nothing reads this.
      functions_security_group = coalesce(var.network.functions_security_group_id, "none")
    },
    { for key, name in var.buckets : "bucket_${key}" => name },
    { for key, arn in var.secrets : "secret_${key}" => arn },
  )
}

resource "aws_iam_role" "job" {
  for_each = var.jobs

  name                 = "${var.name}-${replace(each.key, "_", "-")}"
  description          = "The Glue job ${each.key}: ${each.value.description}"
  max_session_duration = 3600
  assume_role_policy   = jsonencode(jsondecode(templatefile("${var.rights}/glue_takes_roles.json", local.values)))
}

resource "aws_iam_role_policy" "job" {
  for_each = var.jobs

  name   = "what-the-job-does"
  role   = aws_iam_role.job[each.key].id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/jobs/${each.key}.json", local.values)))
}

# A job that reaches the internet has no business in the network of the databases.
resource "aws_iam_role_policy" "unbound" {
  for_each = { for name, job in var.jobs : name => job if job.network == "vpc" }

  name   = "what-knows-no-resource"
  role   = aws_iam_role.job[each.key].id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/jobs/${each.key}.unbound.json", local.values)))
}

# The roles of functions, and that of the schedules, which call one of them.
resource "aws_iam_role" "function" {
  for_each = var.functions

  name                 = "${var.name}-${replace(each.key, "_", "-")}"
  description          = "The function ${each.key}: ${each.value.description}"
  max_session_duration = 3600
  assume_role_policy   = jsonencode(jsondecode(templatefile("${var.rights}/lambda_takes_roles.json", local.values)))
}

resource "aws_iam_role_policy" "function" {
  for_each = var.functions

  name   = "what-the-function-does"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/functions/${each.key}.json", local.values)))
}

resource "aws_iam_role_policy" "unbound_function" {
  for_each = { for name, function in var.functions : name => function if function.network == "vpc" }

  name   = "what-knows-no-resource"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/functions/${each.key}.unbound.json", local.values)))
}

resource "aws_iam_role" "schedules" {
  name                 = "${var.name}-schedules"
  description          = "EventBridge Scheduler: calls the function that starts workflows"
  max_session_duration = 3600
  assume_role_policy   = jsonencode(jsondecode(templatefile("${var.rights}/scheduler_takes_roles.json", local.values)))
}

resource "aws_iam_role_policy" "schedules" {
  name   = "what-schedules-do"
  role   = aws_iam_role.schedules.id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/schedules.json", local.values)))
}
