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

variable "data_key" {
  description = "The key of the buckets."
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

variable "connection" {
  description = "The name of the jobs' connection to the network."
  type        = string
}

variable "network" {
  description = "Where the network interfaces of jobs and functions are made."
  type        = object({ vpc_id = string, subnet_id = string, security_group_id = string, functions_security_group_id = optional(string) })
}

variable "rights" {
  description = "The folder of the policy documents."
  type        = string
}

variable "jobs" {
  description = "The jobs: what they are called and for, and which network they reach."
  type        = map(object({ description = string, network = string }))
}

variable "buckets" {
  description = "By key, the name of each bucket."
  type        = map(string)
}

variable "releases" {
  description = "The key prefix of what a job downloads before it begins."
  type        = string
}

variable "analysts" {
  description = "By the role that analysts take, the work group that they ask, and whether they have a sandbox."
  type        = map(object({ work_group = string, has_sandbox = bool }))
}

variable "functions" {
  description = "The functions: what they are called and for, and which network they reach."
  type        = map(object({ description = string, network = string }))
}
