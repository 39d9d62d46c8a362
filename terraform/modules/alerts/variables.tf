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

variable "namespace" {
  description = "Where the jobs' metrics lie."
  type        = string
}

variable "alarms" {
  description = "By name, the alarms as catalog/alarms.py spells them out."
  type        = any
}

variable "run_metrics" {
  description = "What becomes a metric of the states in which runs end, as catalog/alarms.yaml states it."
  type        = map(object({ metric = string, states = list(string), value = number }))
}

variable "emails" {
  description = "Who is told of everything; owners of tables are told of theirs."
  type        = list(string)
}

variable "jobs" {
  description = "The jobs as catalog/pipeline.yaml states them."
  type        = any
}

variable "runbook_url" {
  description = "Where the runbook can be read."
  type        = string
}

variable "freshness_minutes" {
  description = "Age of the oldest change that waits, above which an alert is sent."
  type        = number
}

variable "rejected_percent" {
  description = "Share of a batch's rows that may be rejected before an alert is sent."
  type        = number
}

variable "monthly_budget" {
  description = "US dollars of a month, of which 80 % and 120 % spent, and more than all of it foreseen, are told."
  type        = number
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
}

variable "functions" {
  description = "The functions that there are."
  type        = list(string)
}

variable "apis" {
  description = "By function and callers, the identifier of each HTTP API."
  type        = map(string)
  default     = {}
}
