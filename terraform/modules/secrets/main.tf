# Places for secrets. No value is stated here, so none comes into the state.

locals {
  values = { partition = var.partition, account = var.account }
}

resource "aws_kms_key" "secrets" {
  description             = "${var.name}: secrets"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode(jsondecode(templatefile("${var.rights}/keys/secrets.json", local.values)))
}

resource "aws_kms_alias" "secrets" {
  name          = "alias/${var.name}-secrets"
  target_key_id = aws_kms_key.secrets.key_id
}

resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                    = each.value.name
  description             = each.value.description
  kms_key_id              = aws_kms_key.secrets.arn
  recovery_window_in_days = var.disposable ? 0 : 30
}

# Whether a person has put a value in; not which.
data "aws_secretsmanager_secret_versions" "this" {
  for_each = aws_secretsmanager_secret.this

  secret_id = each.value.id
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each = aws_secretsmanager_secret.this

  secret_arn          = each.value.arn
  block_public_policy = true
  policy              = jsonencode(jsondecode(templatefile("${var.rights}/secrets/${each.key}.json", merge(local.values, { "secret_${each.key}" = each.value.arn }))))
}

resource "aws_secretsmanager_secret_rotation" "this" {
  # checkov:skip=CKV_AWS_304:the days are a variable, which refuses more than ninety

  for_each = var.rotation

  secret_id           = aws_secretsmanager_secret.this[each.key].id
  rotation_lambda_arn = each.value.lambda_arn

  rotation_rules {
    automatically_after_days = each.value.days
  }
}
