# Whichever project is deployed, every name is its own. The provider is mocked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  environment           = "test"
  region                = "eu-west-2"
  owner                 = "data-platform"
  alert_emails          = ["somebody@example.org"]
  documentation_viewers = ["203.0.113.0/24"]

  network = {
    vpc_id            = "vpc-0123456789abcdef0"
    subnet_id         = "subnet-0123456789abcdef0"
    availability_zone = "eu-west-2a"
    database_cidrs    = ["10.0.4.0/24"]
  }
}

run "a_project_brings_its_own_names" {
  command = plan

  assert {
    condition     = alltrue([for name in values(output.buckets) : startswith(name, "${yamldecode(file("${var.project}/catalog/pipeline.yaml")).name}-test-")])
    error_message = "buckets begin with the project's name"
  }

  assert {
    condition     = module.catalogue.databases == { for zone, stated in yamldecode(file("${var.project}/catalog/contracts/zones.yaml")) : zone => stated.database }
    error_message = "databases are those of the project's zones"
  }

  assert {
    condition     = [for stated in split(",", module.registry.versions) : split("=", stated)[0]] == [for path in sort(fileset("${var.project}/catalog/published", "*.json")) : trimsuffix(path, ".json")]
    error_message = "what is registered is what the project published"
  }

  assert {
    condition     = output.secrets == { for key, secret in yamldecode(file("${var.project}/catalog/pipeline.yaml")).secrets : key => secret.name if try(secret.option, null) == null }
    error_message = "secrets are the project's"
  }
}

run "what_is_no_project_is_not_deployed" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project = "../docs"
  }
}
