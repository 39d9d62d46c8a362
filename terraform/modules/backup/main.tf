# A copy of the lake's buckets that outlives them: AWS Backup's, every night, in a vault of its own.

resource "aws_backup_vault" "this" {
  name        = "${var.name}-lake"
  kms_key_arn = var.key_arn
}

resource "aws_backup_plan" "this" {
  name = "${var.name}-lake"

  rule {
    rule_name         = "every-night"
    target_vault_name = aws_backup_vault.this.name
    schedule          = "cron(0 2 * * ? *)"
    start_window      = 60
    completion_window = 480

    lifecycle {
      delete_after = var.days
    }

    dynamic "copy_action" {
      for_each = var.copy_to[*]

      content {
        destination_vault_arn = copy_action.value

        lifecycle {
          delete_after = var.days
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = "${var.name}-lake"
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.buckets
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-backup"
  description = "AWS Backup, for the buckets of the lake"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }]
  })
}

# What AWS's own policies for it hold, for these buckets alone; restores are a person's, who takes another role.
resource "aws_iam_role_policy" "this" {
  name = "what-backup-does"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadsBuckets"
        Effect = "Allow"
        Action = [
          "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketNotification", "s3:GetBucketTagging", "s3:GetBucketVersioning",
          "s3:GetInventoryConfiguration", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketNotification", "s3:PutInventoryConfiguration",
        ]
        Resource = var.buckets
      },
      {
        Sid      = "ReadsObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
        Resource = [for arn in var.buckets : "${arn}/*"]
      },
      {
        Sid       = "UsesTheKeyOfTheBuckets"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource  = [var.key_arn]
        Condition = { StringLike = { "kms:ViaService" = ["s3.*.amazonaws.com", "backup.*.amazonaws.com"] } }
      },
      {
        Sid      = "IsToldOfChanges"
        Effect   = "Allow"
        Action   = ["events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:EnableRule", "events:ListTargetsByRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets"]
        Resource = ["arn:${var.partition}:events:*:${var.account}:rule/AwsBackupManagedRule*"]
      },
    ]
  })
}
