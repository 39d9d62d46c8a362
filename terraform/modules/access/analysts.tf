# What analysts may do in the sandbox, for the account to attach to the role that they take: who they are is its own
# matter, and so is what they may read elsewhere.

resource "aws_iam_policy" "sandbox" {
  count = var.sandbox == null ? 0 : 1

  name        = "${var.name}-analysts-sandbox"
  description = "Analysts make, change and drop tables in ${var.sandbox.database}, and nowhere else"
  policy      = jsonencode(jsondecode(templatefile("${var.rights}/analysts/sandbox.json", local.values)))
}
