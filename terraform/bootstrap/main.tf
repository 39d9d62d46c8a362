# What has to be there before anything is deployed, once in each account, by an administrator: the bucket of Terraform's
# states, and two roles that GitHub's workflows take without a stored key. One plans and only reads, from the main branch
# alone; the other deploys, from the protected environment alone, which a reviewer opens. A branch's own workflow, or that
# of a pull request, can take neither.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  name      = "${var.project}-${var.environment}"
  bucket    = "${local.name}-terraform-state-${local.account}"
  state     = "arn:${local.partition}:s3:::${local.bucket}"
  issuer    = "token.actions.githubusercontent.com"

  # Services of which the platform has resources.
  services = ["apigateway", "athena", "backup", "budgets", "cloudformation", "cloudfront", "cloudwatch", "ec2", "events", "glue", "kms", "lambda", "logs", "quicksight", "s3", "scheduler", "secretsmanager", "sns", "sqs"]

  # Who may take a role: the repository, and in it a branch or an environment.
  subjects = {
    plan   = "repo:${var.repository}:ref:refs/heads/main"
    deploy = "repo:${var.repository}:environment:${var.environment}"
  }
}

import {
  to = aws_s3_bucket.state
  id = local.bucket
}

resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV2_AWS_62:nothing waits for states
  # checkov:skip=CKV_AWS_144:a state can be made again from what is there
  # checkov:skip=CKV_AWS_18:CloudTrail of the account says who takes the two roles, and nobody else reads it

  bucket = local.bucket
  tags   = { holds = "Terraform's states" }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "earlier-states-go-after-a-year"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.state]
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:*"
      Resource  = [local.state, "${local.state}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.state]
}

# AWS knows GitHub's certificates, so no thumbprint is stated.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "this" {
  for_each = local.subjects

  name                 = "${local.name}-${each.key}"
  description          = "GitHub's workflows: ${each.key}"
  max_session_duration = each.key == "deploy" ? 14400 : 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = { "${local.issuer}:aud" = "sts.amazonaws.com", "${local.issuer}:sub" = each.value } }
    }]
  })
}

resource "aws_iam_role_policy" "plan" {
  # checkov:skip=CKV_AWS_355:what is only looked at has no resources that could be named beforehand

  name = "looks"
  role = aws_iam_role.this["plan"].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "LooksAtResources"
        Effect = "Allow"
        Action = concat(
          flatten([for service in setsubtract(local.services, ["s3"]) : ["${service}:Describe*", "${service}:Get*", "${service}:List*"]]),
          # Of buckets what they are set to; objects only of the state.
          ["s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListAllMyBuckets", "s3:ListBucket"],
          ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies", "sts:GetCallerIdentity"],
          # What Budgets calls a look at a budget.
          ["budgets:ViewBudget"],
        )
        Resource = "*"
      },
      {
        Sid      = "ReadsTheState"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${local.state}/*", "arn:${local.partition}:s3:::${local.name}-artefacts-${local.account}/*"]
      },
      {
        Sid      = "ReadsNoDataAndNoSecret"
        Effect   = "Deny"
        Action   = ["athena:GetQueryResults*", "logs:GetLogEvents", "logs:GetQueryResults", "secretsmanager:BatchGetSecretValue", "secretsmanager:GetRandomPassword", "secretsmanager:GetSecretValue"]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "deploy" {
  # checkov:skip=CKV_AWS_355:what is deployed does not exist yet; the account is the environment's own
  # checkov:skip=CKV_AWS_290:what is deployed does not exist yet; the account is the environment's own
  # checkov:skip=CKV_AWS_289:policies are what it deploys; those of its own role are out of its reach
  # checkov:skip=CKV_AWS_286:roles are what it deploys; its own is out of its reach
  # checkov:skip=CKV_AWS_288:objects of the release are what it uploads; secrets are denied
  # checkov:skip=CKV_AWS_287:credentials are denied below
  # checkov:skip=CKV2_AWS_40:of IAM it may no more than the roles and policies of the platform

  name = "deploys"
  role = aws_iam_role.this["deploy"].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "MakesThePlatform"
        Effect   = "Allow"
        Action   = concat([for service in local.services : "${service}:*"], ["sts:GetCallerIdentity"])
        Resource = "*"
      },
      {
        Sid    = "MakesTheRolesOfJobs"
        Effect = "Allow"
        Action = [
          "iam:AttachRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:CreateRole", "iam:DeletePolicy", "iam:DeletePolicyVersion",
          "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole",
          "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions",
          "iam:ListRolePolicies", "iam:PutRolePolicy", "iam:TagPolicy", "iam:TagRole", "iam:UntagPolicy", "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
        ]
        Resource = ["arn:${local.partition}:iam::${local.account}:role/${local.name}-*", "arn:${local.partition}:iam::${local.account}:policy/${local.name}-*"]
      },
      {
        Sid       = "HandsThemOn"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = ["arn:${local.partition}:iam::${local.account}:role/${local.name}-*"]
        Condition = { StringEquals = { "iam:PassedToService" = ["backup.amazonaws.com", "glue.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com"] } }
      },
      {
        Sid      = "ReadsNoSecret"
        Effect   = "Deny"
        Action   = ["secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue"]
        Resource = "*"
      },
      {
        Sid      = "LeavesItselfAlone"
        Effect   = "Deny"
        Action   = "iam:*"
        Resource = [for key in keys(local.subjects) : "arn:${local.partition}:iam::${local.account}:role/${local.name}-${key}"]
      },
      {
        Sid      = "LeavesTheStatesBucketAlone"
        Effect   = "Deny"
        Action   = ["s3:DeleteBucket*", "s3:DeleteObjectVersion", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"]
        Resource = [local.state, "${local.state}/*"]
      },
    ]
  })
}
