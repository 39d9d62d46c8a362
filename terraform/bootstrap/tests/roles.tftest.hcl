# Who may plan and who may deploy: each run's name is its promise. The provider is mocked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

override_resource {
  target          = aws_iam_openid_connect_provider.github
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}

override_resource {
  target = aws_s3_bucket.state
  values = { id = "totesys-prod-terraform-state-123456789012", bucket = "totesys-prod-terraform-state-123456789012" }
}

variables {
  project     = "totesys"
  environment = "prod"
  region      = "eu-west-2"
  owner       = "data-platform"
  repository  = "example/lakehouse"
}

run "main_alone_plans_and_the_protected_environment_alone_deploys" {
  command = plan

  assert {
    condition = { for key, role in aws_iam_role.this : key => jsondecode(role.assume_role_policy).Statement[0].Condition } == {
      plan   = { StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com", "token.actions.githubusercontent.com:sub" = "repo:example/lakehouse:ref:refs/heads/main" } }
      deploy = { StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com", "token.actions.githubusercontent.com:sub" = "repo:example/lakehouse:environment:prod" } }
    }
    error_message = "each role is taken by one subject, which nothing else shares"
  }
}

run "who_plans_only_reads_and_reads_no_data" {
  command = plan

  assert {
    condition = alltrue([
      for action in flatten([for statement in jsondecode(aws_iam_role_policy.plan.policy).Statement : statement.Action if statement.Effect == "Allow"]) :
      can(regex("^[a-z0-9]+:(Describe|Get|List|View)[A-Za-z]*\\*?$", action)) && !contains(["s3:Get*", "s3:*"], action)
    ])
    error_message = "no action writes"
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.plan.policy).Statement : statement.Resource if contains(statement.Action, "s3:GetObject")
    ] == [["arn:aws:s3:::totesys-prod-terraform-state-123456789012/*", "arn:aws:s3:::totesys-prod-artefacts-123456789012/*"]]
    error_message = "of objects it reads states and releases alone"
  }

  assert {
    condition = alltrue([
      for policy in [aws_iam_role_policy.plan.policy, aws_iam_role_policy.deploy.policy] : anytrue([
        for statement in jsondecode(policy).Statement : statement.Effect == "Deny" && try(contains(statement.Action, "secretsmanager:GetSecretValue"), false)
      ])
    ])
    error_message = "no secret's value is read"
  }
}

run "who_deploys_reaches_neither_its_own_role_nor_the_protections_of_states" {
  command = plan

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : statement.Resource if statement.Sid == "LeavesItselfAlone"
    ] == [["arn:aws:iam::123456789012:role/totesys-prod-deploy", "arn:aws:iam::123456789012:role/totesys-prod-plan"]]
    error_message = "who can change a role can have everything"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.deploy.policy).Statement : !contains(flatten([statement.Action]), "iam:*") || statement.Effect == "Deny"])
    error_message = "of IAM it may what it names"
  }
}

run "a_repository_is_one" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = "example/*"
  }
}
