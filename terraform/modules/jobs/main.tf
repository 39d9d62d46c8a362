# The release, the way into the network, and the jobs.

locals {
  prefix = "releases/${var.manifest.release}"
  root   = "s3://${var.bucket.name}/${local.prefix}"
  wheels = { for kind, wheels in var.manifest.installs : kind => join(",", [for wheel in wheels : "${local.root}/${wheel}"]) }

  # How each runtime installs the wheels of the release, and nothing from an index.
  runtime_arguments = {
    python_shell = {
      "library-set"      = "none"
      "--extra-py-files" = local.wheels.python_shell
    }
    spark = {
      "--additional-python-modules"       = local.wheels.spark
      "--python-modules-installer-option" = "--no-index"
    }
  }
}

resource "aws_s3_object" "release" {
  for_each = var.manifest.objects

  bucket                 = var.bucket.name
  key                    = "${local.prefix}/${each.key}"
  source                 = "${var.release}/${each.key}"
  source_hash            = each.value.sha256
  server_side_encryption = "aws:kms"
  kms_key_id             = var.key_arn
  bucket_key_enabled     = true

  # Jobs that are starting load the release before. tools/deploy.py takes it out of the state, so that it stays for them;
  # where somebody applies without that, it goes when all point to this one.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "jobs" {
  # checkov:skip=CKV2_AWS_5:Glue attaches it through the connection below

  name        = "${var.name}-jobs"
  description = "The Glue jobs"
  vpc_id      = var.network.vpc_id
}

# Glue demands that its own machines may reach each other on every TCP port.
resource "aws_vpc_security_group_ingress_rule" "among_jobs" {
  # checkov:skip=CKV_AWS_24:the rule names the jobs' own group, not the internet; Glue demands every TCP port
  # checkov:skip=CKV_AWS_25:the rule names the jobs' own group, not the internet; Glue demands every TCP port
  # checkov:skip=CKV_AWS_260:the rule names the jobs' own group, not the internet; Glue demands every TCP port

  security_group_id            = aws_security_group.jobs.id
  description                  = "From the jobs' own machines"
  referenced_security_group_id = aws_security_group.jobs.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "among_jobs" {
  security_group_id            = aws_security_group.jobs.id
  description                  = "To the jobs' own machines"
  referenced_security_group_id = aws_security_group.jobs.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "databases" {
  for_each = toset(var.network.database_cidrs)

  security_group_id = aws_security_group.jobs.id
  description       = "To the source and the warehouse"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.network.database_port
  to_port           = var.network.database_port
}

resource "aws_vpc_security_group_egress_rule" "aws" {
  security_group_id = aws_security_group.jobs.id
  description       = "To the endpoints of AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_glue_connection" "network" {
  name            = "${var.name}-network"
  description     = "The way of the jobs to the source, the warehouse and the endpoints of AWS"
  connection_type = "NETWORK"

  physical_connection_requirements {
    availability_zone      = var.network.availability_zone
    subnet_id              = var.network.subnet_id
    security_group_id_list = [aws_security_group.jobs.id]
  }
}

resource "aws_glue_job" "this" {
  # checkov:skip=CKV_AWS_195:buckets encrypt by themselves with a customer key, and there are no bookmarks; a security configuration would move the logs to groups that no alarm reads

  for_each = var.jobs

  name        = each.key
  description = each.value.description
  role_arn    = var.role_arns[each.key]
  connections = each.value.network == "vpc" ? [aws_glue_connection.network.name] : null

  timeout           = each.value.timeout_minutes
  max_retries       = each.value.max_retries
  default_arguments = merge(local.runtime_arguments[each.value.runtime.kind], var.arguments[each.key])

  glue_version      = try(each.value.runtime.glue, null)
  worker_type       = try(each.value.runtime.worker_type, null)
  number_of_workers = try(each.value.runtime.workers, null)
  execution_class   = each.value.runtime.kind == "spark" ? "STANDARD" : null
  max_capacity      = try(each.value.runtime.max_capacity, null)

  command {
    name            = each.value.runtime.kind == "spark" ? "glueetl" : "pythonshell"
    python_version  = try(each.value.runtime.python, "3")
    script_location = "s3://${var.bucket.name}/${aws_s3_object.release[each.value.script].key}"
  }

  notification_property {
    notify_delay_after = floor(each.value.timeout_minutes * var.late_share)
  }

  execution_property {
    max_concurrent_runs = each.value.max_concurrent_runs
  }

  depends_on = [aws_s3_object.release]
}
