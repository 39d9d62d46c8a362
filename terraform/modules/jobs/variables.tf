variable "name" {
  description = "What names begin with that AWS shares between deployments."
  type        = string
}

variable "jobs" {
  description = "The jobs as catalog/pipeline.yaml states them."
  type        = any
}

variable "arguments" {
  description = "By job, its arguments with real names in them."
  type        = map(map(string))
}

variable "late_share" {
  description = "Of a run's time limit, the part after which Glue tells that it still runs."
  type        = number
}

variable "manifest" {
  description = "What the release holds: its name, its objects with their checksums, and the wheels of each runtime."
  type = object({
    release  = string
    objects  = map(object({ sha256 = string, bytes = number }))
    installs = map(list(string))
  })
}

variable "release" {
  description = "The release's folder."
  type        = string
}

variable "bucket" {
  description = "Where the release is uploaded to."
  type        = object({ name = string })
}

variable "key_arn" {
  description = "The key of that bucket."
  type        = string
}

variable "role_arns" {
  description = "By job, the ARN of its role."
  type        = map(string)
}

variable "network" {
  description = "Where the jobs run."
  type = object({
    vpc_id            = string
    subnet_id         = string
    availability_zone = string
    database_cidrs    = list(string)
    database_port     = number
  })
}
