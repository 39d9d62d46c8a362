variable "name" {
  description = "What bucket names begin with."
  type        = string
}

variable "account" {
  description = "The account's number, which makes bucket names unique."
  type        = string
}

variable "buckets" {
  description = "By key: description, the prefixes under which an object is only ever created, and after how many days objects go."
  type = map(object({
    description  = string
    written_once = optional(list(string), [])
    expire_days  = optional(number)
  }))
}

variable "partition" {
  description = "AWS, or one of its separate partitions."
  type        = string
}

variable "immutable" {
  description = "Buckets in which jobs remove nothing; housekeepers do."
  type        = list(string)
}

variable "job_roles" {
  description = "By job, the name of its role."
  type        = map(string)
}

variable "housekeepers" {
  description = "Roles that may mark abandoned objects as removed; every version stays until its lifecycle ends."
  type        = list(string)
}

variable "noncurrent_days" {
  description = "Days for which a removed or replaced object can be brought back."
  type        = number
}

variable "results_days" {
  description = "Days for which Athena's results are kept."
  type        = number
}

variable "disposable" {
  description = "Whether buckets may be destroyed with what they hold."
  type        = bool
}

variable "viewers_site" {
  description = "ARN of the CloudFront distribution that reads the documentation bucket."
  type        = string
}
