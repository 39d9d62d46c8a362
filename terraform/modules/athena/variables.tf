variable "work_group" {
  description = "Name and description of the analysts' work group."
  type        = object({ work_group = string, description = string })
}

variable "results" {
  description = "Where results are written, an s3:// prefix."
  type        = string
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

variable "database" {
  description = "The database that named queries begin in."
  type        = string
}

variable "sandbox" {
  description = "The database in which analysts may write, and where its data lies, an s3:// prefix; null where there is none."
  type        = object({ database = string, description = string, location = string })
}

variable "disposable" {
  description = "Whether the work group may be destroyed with its history."
  type        = bool
}
