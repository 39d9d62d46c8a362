# Who asks: a role for analysts who see no personal columns, and one for those who see them. Who may take them is the
# account's matter: a role is taken by whom its own policies let.

resource "aws_iam_role" "analyst" {
  for_each = var.analysts

  name                 = "${var.name}-${each.key}"
  description          = "Asks ${each.value.work_group} by Athena, and writes in a sandbox"
  max_session_duration = 3600
  assume_role_policy   = jsonencode(jsondecode(templatefile("${var.rights}/people/account_takes_roles.json", local.values)))
}

resource "aws_iam_role_policy" "analyst" {
  for_each = var.analysts

  name   = "works"
  role   = aws_iam_role.analyst[each.key].id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/people/${each.key}.json", local.values)))
}

resource "aws_iam_role_policy" "sandbox" {
  for_each = { for role, of in var.analysts : role => of if of.has_sandbox }

  name   = "writes-in-the-sandbox"
  role   = aws_iam_role.analyst[each.key].id
  policy = jsonencode(jsondecode(templatefile("${var.rights}/people/${each.key}.sandbox.json", local.values)))
}

# What those may do who run, watch, approve and repair; the account attaches it to the role that they take.
resource "aws_iam_policy" "operators" {
  name        = "${var.name}-operators"
  description = "Runs the jobs of ${var.name}, answers what they ask of a person, and reads every zone"
  policy      = jsonencode(jsondecode(templatefile("${var.rights}/people/operators.json", local.values)))
}

# What the runbook has them do besides; apart, since a policy has 6,144 letters at most.
resource "aws_iam_policy" "repairs" {
  name        = "${var.name}-repairs"
  description = "Turns schedules of ${var.name} on and off, reads its logs, and puts new values into its secrets"
  policy      = jsonencode(jsondecode(templatefile("${var.rights}/people/repairs.json", local.values)))
}
