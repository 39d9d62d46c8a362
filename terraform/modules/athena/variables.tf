variable "groups" {
  description = "By the role that analysts take: their work group, where results are written, the database that their queries begin in, and that in which they may write."
  type = map(object({
    work_group  = string
    description = string
    results     = string
    database    = string
    sandbox     = optional(object({ database = string, description = string, location = string }))
  }))
}

variable "key_arn" {
  description = "The key that encrypts results."
  type        = string
}

variable "scan_limit_bytes" {
  description = "Bytes that one query may read."
  type        = number
}

variable "queries" {
  description = "Folder of the named queries, one <name>.sql each; the comment at its head describes it."
  type        = string
}

variable "reporting" {
  description = "What stands for the placeholders of named queries: the reporting currency, how names end that carry it, and whose rates are used."
  type        = map(string)
}

variable "disposable" {
  description = "Whether the work group may be destroyed with its history."
  type        = bool
}
