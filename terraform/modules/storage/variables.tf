variable "rights" {
  description = "The folder of the policy documents."
  type        = string
}

variable "name" {
  description = "What bucket names begin with."
  type        = string
}

variable "account" {
  description = "The account's number, which makes bucket names unique."
  type        = string
}

variable "buckets" {
  description = "By key: description, and after how many days objects go."
  type = map(object({
    description = string
    expire_days = optional(number)
  }))
}

variable "partition" {
  description = "AWS, or one of its separate partitions."
  type        = string
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
