# One role for each job, and in it what catalog/pipeline.yaml says of the job: objects by prefix, tables by zone, and
# the secrets, registries, workflows and the work group that its arguments name, and the runs that it watches.

locals {
  glue = "arn:${var.partition}:glue:${var.region}:${var.account}"
  ec2  = "arn:${var.partition}:ec2:${var.region}:${var.account}"

  # "ingestion/raw/" is the prefix raw/ of the bucket ingestion.
  places = {
    for name, job in var.jobs : name => {
      for kind in ["reads", "writes", "removes"] : kind => [
        for place in try(job.access[kind], []) : {
          bucket = split("/", place)[0]
          arn    = var.buckets[split("/", place)[0]].arn
          prefix = join("/", slice(split("/", place), 1, length(split("/", place))))
        }
      ]
    }
  }

  named = {
    for name, job in var.jobs : name => {
      for kind in ["secret", "registry", "workflow", "athena"] : kind => distinct(flatten([
        for text in values(job.arguments) : regexall("\\$\\{${kind}:(\\w+)\\}", text)
      ]))
    }
  }

  listed = {
    for name, places in local.places : name => {
      for bucket in distinct([for place in flatten(values(places)) : place.bucket]) :
      bucket => distinct([for place in flatten(values(places)) : "${place.prefix}*" if place.bucket == bucket])
    }
  }

  registers = { for name, job in var.jobs : name => try(job.access.registers, []) }
  looks_up  = { for name, job in var.jobs : name => distinct(concat(try(job.access.looks_up, []), try(job.access.registers, []))) }
  tables_of = { for zone, stated in var.zones : zone => ["${local.glue}:database/${stated.database}", "${local.glue}:table/${stated.database}/*"] }

  # Statements are made JSON one by one: they are of different shapes, which a list of Terraform's does not hold.
  statements = {
    for name, job in var.jobs : name => [for statement in concat(
      [
        {
          holds = true
          text = jsonencode({
            Sid      = "ReadsObjects"
            Effect   = "Allow"
            Action   = ["s3:GetObject"]
            Resource = concat([var.releases], [for place in concat(local.places[name].reads, local.places[name].writes) : "${place.arn}/${place.prefix}*"])
          })
        },
        {
          holds = length(local.places[name].writes) > 0
          text = jsonencode({
            Sid      = "WritesObjects"
            Effect   = "Allow"
            Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
            Resource = [for place in local.places[name].writes : "${place.arn}/${place.prefix}*"]
          })
        },
        {
          holds = length(local.places[name].removes) > 0
          text = jsonencode({
            Sid      = "RemovesObjects"
            Effect   = "Allow"
            Action   = ["s3:DeleteObject"]
            Resource = [for place in local.places[name].removes : "${place.arn}/${place.prefix}*"]
          })
        },
        {
          holds = true
          text = jsonencode({
            Sid      = "UsesTheKeyOfTheBuckets"
            Effect   = "Allow"
            Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
            Resource = [var.data_key]
          })
        },
        {
          holds = length(local.looks_up[name]) > 0
          text = jsonencode({
            Sid      = "LooksUpTables"
            Effect   = "Allow"
            Action   = ["glue:BatchGetPartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
            Resource = concat(["${local.glue}:catalog"], flatten([for zone in local.looks_up[name] : local.tables_of[zone]]))
          })
        },
        {
          holds = length(local.registers[name]) > 0
          text = jsonencode({
            Sid      = "RegistersPartitions"
            Effect   = "Allow"
            Action   = ["glue:BatchCreatePartition", "glue:BatchDeletePartition", "glue:BatchUpdatePartition", "glue:CreateTable", "glue:UpdateTable"]
            Resource = concat(["${local.glue}:catalog"], flatten([for zone in local.registers[name] : local.tables_of[zone]]))
          })
        },
        {
          holds = length(local.named[name].secret) > 0
          text = jsonencode({
            Sid      = "ReadsItsSecrets"
            Effect   = "Allow"
            Action   = ["secretsmanager:GetSecretValue"]
            Resource = [for key in local.named[name].secret : var.secrets[key]]
          })
        },
        {
          holds = length(local.named[name].secret) > 0
          text = jsonencode({
            Sid       = "UsesTheKeyOfTheSecrets"
            Effect    = "Allow"
            Action    = ["kms:Decrypt"]
            Resource  = [var.secrets_key]
            Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
          })
        },
        {
          holds = length(try(job.access.sees, [])) > 0
          text = jsonencode({
            Sid      = "SeesWhichValueSecretsHave"
            Effect   = "Allow"
            Action   = ["secretsmanager:DescribeSecret"]
            Resource = [for key in try(job.access.sees, []) : var.secrets[key]]
          })
        },
        {
          holds = length(local.named[name].registry) > 0
          text = jsonencode({
            Sid      = "ReadsRegisteredContracts"
            Effect   = "Allow"
            Action   = ["glue:GetSchemaVersion"]
            Resource = flatten([for key in local.named[name].registry : ["${local.glue}:registry/${var.registries[key]}", "${local.glue}:schema/${var.registries[key]}/*"]])
          })
        },
        {
          holds = length(local.named[name].workflow) > 0
          text = jsonencode({
            Sid      = "StartsWorkflows"
            Effect   = "Allow"
            Action   = ["glue:StartWorkflowRun"]
            Resource = [for key in local.named[name].workflow : "${local.glue}:workflow/${key}"]
          })
        },
        {
          holds = length(local.named[name].athena) > 0
          text = jsonencode({
            Sid      = "AsksAthena"
            Effect   = "Allow"
            Action   = ["athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup", "athena:StartQueryExecution", "athena:StopQueryExecution"]
            Resource = ["arn:${var.partition}:athena:${var.region}:${var.account}:workgroup/${var.athena.work_group}"]
          })
        },
        {
          holds = length(local.named[name].athena) > 0
          text = jsonencode({
            Sid      = "FindsTheResults"
            Effect   = "Allow"
            Action   = ["s3:GetBucketLocation"]
            Resource = [var.athena.results]
          })
        },
        {
          holds = length(try(job.access.watches, [])) > 0
          text = jsonencode({
            Sid      = "SeesWhetherRunsGoOn"
            Effect   = "Allow"
            Action   = ["glue:GetJobRun", "glue:GetJobRuns"]
            Resource = [for watched in try(job.access.watches, []) : "${local.glue}:job/${watched}"]
          })
        },
        {
          holds = true
          text = jsonencode({
            Sid      = "Logs"
            Effect   = "Allow"
            Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
            Resource = [for arn in var.log_groups[job.runtime.kind] : "${arn}:*"]
          })
        },
        {
          holds = true
          text = jsonencode({
            Sid      = "ReadsItsConnection"
            Effect   = "Allow"
            Action   = ["glue:GetConnection"]
            Resource = ["${local.glue}:catalog", "${local.glue}:connection/${var.connection}"]
          })
        },
        {
          holds = true
          text = jsonencode({
            Sid      = "JoinsTheNetwork"
            Effect   = "Allow"
            Action   = ["ec2:CreateNetworkInterface"]
            Resource = ["${local.ec2}:network-interface/*", "${local.ec2}:security-group/${var.network.security_group_id}", "${local.ec2}:subnet/${var.network.subnet_id}"]
          })
        },
        {
          holds = true
          text = jsonencode({
            Sid       = "LeavesTheNetwork"
            Effect    = "Allow"
            Action    = ["ec2:DeleteNetworkInterface"]
            Resource  = ["${local.ec2}:network-interface/*"]
            Condition = { ArnEquals = { "ec2:Vpc" = "${local.ec2}:vpc/${var.network.vpc_id}" } }
          })
        },
        {
          holds = true
          text = jsonencode({
            Sid       = "MarksItsInterfaces"
            Effect    = "Allow"
            Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
            Resource  = ["${local.ec2}:network-interface/*"]
            Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = ["aws-glue-service-resource"] } }
          })
        },
      ],
      [
        for bucket, prefixes in local.listed[name] : {
          holds = true
          text = jsonencode({
            Sid       = "Lists${title(bucket)}"
            Effect    = "Allow"
            Action    = ["s3:ListBucket"]
            Resource  = [var.buckets[bucket].arn]
            Condition = { StringLike = { "s3:prefix" = prefixes } }
          })
        }
      ],
    ) : statement.text if statement.holds]
  }

  # Actions that know no resource: looking at the network.
  unbound = {
    for name, job in var.jobs : name => [for statement in [
      {
        holds = true
        text = jsonencode({
          Sid      = "SeesTheNetwork"
          Effect   = "Allow"
          Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcEndpoints"]
          Resource = "*"
        })
      },
    ] : statement.text if statement.holds]
  }
}

resource "aws_iam_role" "job" {
  for_each = var.jobs

  name                 = "${var.name}-${replace(each.key, "_", "-")}"
  description          = "The Glue job ${each.key}: ${each.value.description}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "glue.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }]
  })
}

resource "aws_iam_role_policy" "job" {
  for_each = var.jobs

  name = "what-the-job-does"
  role = aws_iam_role.job[each.key].id

  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[${join(",", local.statements[each.key])}]}"
}

resource "aws_iam_role_policy" "unbound" {
  for_each = var.jobs

  name   = "what-knows-no-resource"
  role   = aws_iam_role.job[each.key].id
  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[${join(",", local.unbound[each.key])}]}"
}
