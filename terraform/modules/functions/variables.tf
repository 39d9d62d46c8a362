variable "name" {
  description = "What names begin with."
  type        = string
}

variable "functions" {
  description = "The functions as catalog/pipeline.yaml states them."
  type        = any
}

variable "environment" {
  description = "By function, its environment variables with real names in them."
  type        = map(map(string))
}

variable "role_arns" {
  description = "By function, the ARN of its role."
  type        = map(string)
}

variable "bucket" {
  description = "Where the release is uploaded to."
  type        = object({ name = string })
}

variable "objects" {
  description = "By path in the release, the key of its object."
  type        = map(string)
}

variable "checksums" {
  description = "By function, the SHA-256 of its zip, as base64."
  type        = map(string)
}

variable "logs_key" {
  description = "The key of the logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
}

variable "alerts" {
  description = "The ARN of the topic of operations, which calls what alerts call."
  type        = string
}

variable "network" {
  description = "Where functions run that reach the databases."
  type        = object({ vpc_id = string, subnet_id = string, database_cidrs = list(string), database_port = number })
}
