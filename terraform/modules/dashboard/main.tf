# The dashboard in Amazon QuickSight, from bi/dashboard by way of the release: a template whose properties are
# QuickSight's own names. An account needs a subscription first, so nothing is here unless it is asked for.

locals {
  over = {
    lake = {
      WorkGroup = var.work_group
    }
    warehouse = {
      WarehouseHost      = try(var.quicksight.warehouse.host, "")
      WarehousePort      = tostring(try(var.quicksight.warehouse.port, 5432))
      WarehouseDatabase  = try(var.quicksight.warehouse.database, "")
      WarehouseSecretArn = try(var.quicksight.warehouse.secret_arn, "")
      VpcConnectionArn   = try(var.quicksight.warehouse.vpc_connection_arn, "")
    }
  }
}

resource "aws_cloudformation_stack" "dashboard" {
  # checkov:skip=CKV_AWS_124:Terraform waits for the stack and says itself what went wrong

  name         = "${var.name}-dashboard"
  template_url = "https://${var.bucket.domain}/${var.templates["dashboard/${var.quicksight.reads}.json"]}"

  parameters = merge(
    { OwnerArn = var.quicksight.owner_arn, ImportMode = var.quicksight.import_mode },
    { for name, value in local.over.lake : name => value if var.quicksight.reads == "lake" },
    { for name, value in local.over.warehouse : name => value if var.quicksight.reads == "warehouse" },
  )
}
