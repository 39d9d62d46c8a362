# Stands before data that is worth keeping: Terraform refuses every plan that would destroy this, and with it a
# `terraform destroy` by hand, before anything is touched. `make destroy` takes it out of the state beside the data.

resource "terraform_data" "data_is_worth_keeping" {
  count = var.keeps ? 1 : 0

  lifecycle {
    prevent_destroy = true
  }
}
