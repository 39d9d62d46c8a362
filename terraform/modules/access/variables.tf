variable "name" {
  description = "What role names begin with."
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

variable "jobs" {
  description = "The jobs: runtime, access and arguments."
  type        = any
}

variable "zones" {
  description = "By zone, its database."
  type        = any
}

variable "buckets" {
  description = "By key, the ARN of each bucket."
  type        = map(object({ arn = string }))
}

variable "data_key" {
  description = "The key of the buckets."
  type        = string
}

variable "releases" {
  description = "What a job downloads before it begins."
  type        = string
}

variable "secrets" {
  description = "By key, the ARN of each secret."
  type        = map(string)
}

variable "secrets_key" {
  description = "The key of the secrets."
  type        = string
}

variable "registries" {
  description = "By key, the name of each schema registry."
  type        = map(string)
}

variable "log_groups" {
  description = "By kind of runtime, the ARNs of the log groups."
  type        = map(list(string))
}

variable "connection" {
  description = "The name of the jobs' connection to the network."
  type        = string
}

variable "network" {
  description = "Where the jobs' network interfaces are made."
  type        = object({ vpc_id = string, subnet_id = string, security_group_id = string })
}

variable "athena" {
  description = "The work group that jobs query in, and the ARN of the bucket of its results."
  type        = object({ work_group = string, results = string })
}

variable "sandbox" {
  description = "Where analysts may write: the database, the key of the bucket and the prefix of the data; null where nowhere."
  type        = object({ database = string, bucket = string, prefix = string })
}
