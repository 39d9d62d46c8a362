# What analysts may do in the sandbox, for the account to attach to the role that they take: who they are is its own
# matter, and so is what they may read elsewhere.

resource "aws_iam_policy" "sandbox" {
  count = var.sandbox == null ? 0 : 1

  name        = "${var.name}-analysts-sandbox"
  description = "Analysts make, change and drop tables in ${var.sandbox.database}, and nowhere else"
  policy      = jsonencode(jsondecode(templatefile("${var.rights}/analysts/sandbox.json", local.values)))
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
