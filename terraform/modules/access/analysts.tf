# What analysts may do in the sandbox, for the account to attach to the role that they take: who they are is its own
# matter, and so is what they may read elsewhere.

locals {
  sandbox_bucket = var.sandbox == null ? "" : var.buckets[var.sandbox.bucket].arn
}

resource "aws_iam_policy" "sandbox" {
  count = var.sandbox == null ? 0 : 1

  name        = "${var.name}-analysts-sandbox"
  description = "Analysts make, change and drop tables in ${var.sandbox.database}, and nowhere else"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WritesObjects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = ["${local.sandbox_bucket}/${var.sandbox.prefix}*"]
      },
      {
        Sid      = "ListsTheBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = [local.sandbox_bucket]
      },
      {
        # All buckets have one key; S3 says for which of them it asks.
        Sid      = "UsesTheKeyForThisBucket"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.data_key]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [local.sandbox_bucket, "${local.sandbox_bucket}/*"] }
        }
      },
      {
        Sid    = "ChangesTables"
        Effect = "Allow"
        Action = [
          "glue:BatchCreatePartition",
          "glue:BatchDeletePartition",
          "glue:BatchGetPartition",
          "glue:BatchUpdatePartition",
          "glue:CreatePartition",
          "glue:CreateTable",
          "glue:DeletePartition",
          "glue:DeleteTable",
          "glue:GetDatabase",
          "glue:GetPartition",
          "glue:GetPartitions",
          "glue:GetTable",
          "glue:GetTables",
          "glue:UpdatePartition",
          "glue:UpdateTable",
        ]
        Resource = ["${local.glue}:catalog", "${local.glue}:database/${var.sandbox.database}", "${local.glue}:table/${var.sandbox.database}/*"]
      },
    ]
  })
}
