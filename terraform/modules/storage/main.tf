# The buckets: versioned, encrypted with one customer key, closed to the public, spoken to over TLS alone.

locals {
  names = { for key in keys(var.buckets) : key => "${var.name}-${replace(key, "_", "-")}-${var.account}" }
  logs  = "${var.name}-access-logs-${var.account}"
  roles = { for job, role in var.job_roles : job => "arn:${var.partition}:iam::${var.account}:role/${role}" }

  secure = {
    for key, name in merge(local.names, { access_logs = local.logs }) : key => [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = ["arn:${var.partition}:s3:::${name}", "arn:${var.partition}:s3:::${name}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "RecentTlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = ["arn:${var.partition}:s3:::${name}", "arn:${var.partition}:s3:::${name}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  }

  written_once = {
    for key, bucket in var.buckets : key => [{
      Sid       = "NothingIsWrittenTwice"
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = "s3:PutObject"
      Resource  = [for prefix in bucket.written_once : "arn:${var.partition}:s3:::${local.names[key]}/${prefix}*"]
      Condition = {
        Null = { "s3:if-none-match" = "true" }
        # Parts of an upload bear no such header; what completes it does.
        Bool = { "s3:ObjectCreationOperation" = "true" }
      }
    }] if length(bucket.written_once) > 0
  }

  immutability = {
    for key in var.immutable : key => [
      {
        Sid       = "JobsRemoveNoVersion"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["s3:DeleteObjectVersion", "s3:PutObjectVersionAcl", "s3:PutObjectAcl", "s3:BypassGovernanceRetention"]
        Resource  = ["arn:${var.partition}:s3:::${local.names[key]}/*"]
        Condition = { ArnEquals = { "aws:PrincipalArn" = values(local.roles) } }
      },
      {
        Sid       = "WhatIsPublishedStays"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:DeleteObject"
        Resource  = ["arn:${var.partition}:s3:::${local.names[key]}/*"]
        Condition = { ArnEquals = { "aws:PrincipalArn" = [for job, arn in local.roles : arn if !contains(var.housekeepers, var.job_roles[job])] } }
      },
    ]
  }

  site = {
    documentation = [{
      Sid       = "TheSiteReads"
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = ["arn:${var.partition}:s3:::${local.names["documentation"]}/*"]
      Condition = { StringEquals = { "aws:SourceArn" = var.viewers_site } }
    }]
  }
}

resource "aws_kms_key" "data" {
  description             = "${var.name}: everything in the buckets"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_key_policy" "data" {
  key_id = aws_kms_key.data.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountDecides"
        Effect    = "Allow"
        Principal = { AWS = "arn:${var.partition}:iam::${var.account}:root" }
        Action    = "kms:*"
        Resource  = "*" # in a key's policy: this key
      },
      {
        Sid       = "TheSiteReads"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "kms:Decrypt"
        Resource  = "*" # in a key's policy: this key
        Condition = { StringEquals = { "aws:SourceArn" = var.viewers_site } }
      },
    ]
  })
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV2_AWS_62:nothing waits for objects: commits say what is there
  # checkov:skip=CKV_AWS_144:versions protect against mistakes; a lost region is captured again from the source

  for_each = var.buckets

  bucket        = local.names[each.key]
  force_destroy = var.disposable
  tags          = { holds = each.value.description }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = merge({ for key, bucket in aws_s3_bucket.this : key => bucket.id }, { access_logs = aws_s3_bucket.access_logs.id })

  bucket                  = each.value
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.secure[each.key],
      lookup(local.written_once, each.key, []),
      lookup(local.immutability, each.key, []),
      lookup(local.site, each.key, []),
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "what-was-removed-goes"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  dynamic "rule" {
    for_each = each.key == "athena_results" ? [var.results_days] : []

    content {
      id     = "results-go"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = var.buckets[each.key].expire_days[*]

    content {
      id     = "objects-expire"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = aws_s3_bucket.this

  bucket        = each.value.id
  target_bucket = aws_s3_bucket.access_logs.id
  target_prefix = "s3/${each.key}/"

  depends_on = [aws_s3_bucket_policy.access_logs]
}

# Who read and wrote: S3's and CloudFront's own logs. S3 delivers them only where its own keys encrypt.

resource "aws_s3_bucket" "access_logs" {
  # checkov:skip=CKV2_AWS_62:nothing waits for access logs
  # checkov:skip=CKV_AWS_144:access logs are not what the business needs after a region is lost
  # checkov:skip=CKV_AWS_145:S3 delivers logs only where its own keys encrypt

  bucket        = local.logs
  force_destroy = var.disposable
  tags          = { holds = "Access logs of the other buckets and of the documentation site" }
}

resource "aws_s3_bucket_versioning" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# CloudFront's logs are delivered by ACL, so this bucket alone keeps them.
resource "aws_s3_bucket_ownership_controls" "access_logs" {
  # checkov:skip=CKV2_AWS_65:CloudFront delivers its logs by ACL

  bucket = aws_s3_bucket.access_logs.id

  rule {
    object_ownership = "BucketOwnerPreferred"
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.secure["access_logs"], [{
      Sid       = "S3DeliversLogs"
      Effect    = "Allow"
      Principal = { Service = "logging.s3.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:${var.partition}:s3:::${local.logs}/*"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }])
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    id     = "logs-go-after-a-year"
    status = "Enabled"

    filter {}

    expiration {
      days = 365
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.access_logs]
}
