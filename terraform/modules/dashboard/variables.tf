variable "name" {
  description = "Begins the stack's name."
  type        = string
}

variable "quicksight" {
  description = "Who owns the dashboard, what it reads, and how."
  type = object({
    owner_arn   = string
    reads       = string
    import_mode = string
    warehouse = optional(object({
      host               = string
      port               = optional(number, 5432)
      database           = string
      secret_arn         = string
      vpc_connection_arn = optional(string, "")
    }))
  })
}

variable "work_group" {
  description = "The analysts' work group."
  type        = string
}

variable "templates" {
  description = "By path in the release, the key of each template in the artefacts bucket."
  type        = map(string)
}

variable "bucket" {
  description = "The artefacts bucket."
  type        = object({ domain = string })
}
