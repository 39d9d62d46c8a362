variable "project" {
  description = "The project's name, with which the names of buckets and roles begin."
  type        = string
}

variable "environment" {
  description = "The environment, as in its file of ../environments."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment is 2 to 12 lower-case letters and digits, such as dev or prod."
  }
}

variable "region" {
  description = "AWS region of the state."
  type        = string
}

variable "owner" {
  description = "Who answers for the environment."
  type        = string
}

variable "repository" {
  description = "The repository on GitHub whose workflows plan and deploy, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is owner/name, without a pattern in it."
  }
}
