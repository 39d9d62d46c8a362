variable "rights" {
  description = "The folder of the policy documents."
  type        = string
}

variable "name" {
  description = "What the key's name begins with."
  type        = string
}

variable "account" {
  description = "The account's number."
  type        = string
}

variable "partition" {
  description = "AWS, or one of its separate partitions."
  type        = string
}

variable "secrets" {
  description = "By key: name and description. Their values are put in by a person, and never pass through Terraform."
  type        = map(object({ name = string, description = string, holds = optional(string, "dsn"), option = optional(string) }))
}

variable "rotation" {
  description = "By key: the Lambda function that rotates the secret, and every how many days."
  type        = map(object({ lambda_arn = string, days = number }))
}

variable "disposable" {
  description = "Whether a destroyed secret is gone at once."
  type        = bool
}
