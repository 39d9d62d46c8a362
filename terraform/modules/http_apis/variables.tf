variable "name" {
  description = "What names begin with."
  type        = string
}

variable "account" {
  description = "The account's number."
  type        = string
}

variable "region" {
  description = "The region."
  type        = string
}

variable "partition" {
  description = "AWS, or one of its separate partitions."
  type        = string
}

variable "rights" {
  description = "The folder of the policy documents."
  type        = string
}

variable "functions" {
  description = "The functions that answer over HTTP: what they are for, and how much each of their APIs lets through."
  type        = map(object({ description = string, throttle = object({ per_second = number, burst = number }) }))
}

variable "function_names" {
  description = "By function, its name in Lambda."
  type        = map(string)
}

variable "invoke_arns" {
  description = "By function, the ARN by which API Gateway calls it."
  type        = map(string)
}

variable "issuer" {
  description = "Who signs the tokens of people; without it there is no API for them."
  type        = string
}

variable "audiences" {
  description = "For whom tokens must be, one of these."
  type        = list(string)
}

variable "namespace" {
  description = "The namespace of the project's metrics."
  type        = string
}

variable "logs_key" {
  description = "The key of the logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
}
