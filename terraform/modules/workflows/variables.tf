variable "workflows" {
  description = "By name: description and how many runs there may be at a time."
  type        = map(object({ description = string, max_concurrent_runs = number }))
}

variable "triggers" {
  description = "The triggers as catalog/pipeline.yaml states them."
  type        = any
}

variable "schedules" {
  description = "Whether schedules start anything."
  type        = bool
}

variable "jobs" {
  description = "By job, its name in Glue."
  type        = map(string)
}
