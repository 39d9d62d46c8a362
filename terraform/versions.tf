terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Bucket, key and region come from the environment's file: terraform init -backend-config=environments/dev.s3.tfbackend
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, {
      project     = local.pipeline.name
      environment = var.environment
      owner       = var.owner
      managed_by  = "terraform"
    })
  }
}
