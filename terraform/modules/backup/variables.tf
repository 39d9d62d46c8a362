variable "name" {
  description = "What names begin with."
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

variable "buckets" {
  description = "ARNs of the buckets that are backed up."
  type        = list(string)
}

variable "key_arn" {
  description = "The key of these buckets, and of the vault."
  type        = string
}

variable "days" {
  description = "Days for which a backup is kept."
  type        = number
}

variable "copy_to" {
  description = "ARN of a vault, in another region or account, that each backup is copied to."
  type        = string
}
