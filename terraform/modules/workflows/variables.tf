variable "name" {
  description = "What the group of the schedules is named."
  type        = string
}

variable "workflows" {
  description = "By name: description and how many runs there may be at a time."
  type        = map(object({ description = string, max_concurrent_runs = number }))
}

variable "triggers" {
  description = "The triggers as catalog/pipeline.yaml states them."
  type        = any
}

variable "schedules" {
  description = "The schedules as catalog/pipeline.yaml states them."
  type        = any
}

variable "enabled" {
  description = "Whether schedules start anything."
  type        = bool
}

variable "paused" {
  description = "Schedules that start nothing, whatever the others do."
  type        = set(string)
}

variable "starter" {
  description = "What schedules call: the function's ARN, the role by which they do, and the queue of what they could not call it with."
  type        = object({ arn = string, role_arn = string, queue_arn = string })
}

variable "jobs" {
  description = "By job, its name in Glue."
  type        = map(string)
}
