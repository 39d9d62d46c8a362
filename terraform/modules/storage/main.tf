# The buckets: versioned, encrypted with one customer key, closed to the public, spoken to over TLS alone.

locals {
  names = { for key in keys(var.buckets) : key => "${var.name}-${replace(key, "_", "-")}-${var.account}" }
  logs  = "${var.name}-access-logs-${var.account}"

  # What the placeholders of the documents below terraform/rights stand for.
  values = merge(
    { name = var.name, partition = var.partition, account = var.account, site = var.viewers_site, bucket_access_logs = local.logs },
    { for key, name in local.names : "bucket_${key}" => name },
  )
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
  policy = jsonencode(jsondecode(templatefile("${var.rights}/keys/data.json", local.values)))
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
  policy = jsonencode(jsondecode(templatefile("${var.rights}/buckets/${each.key}.json", local.values)))

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
  policy = jsonencode(jsondecode(templatefile("${var.rights}/buckets/access_logs.json", local.values)))

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
