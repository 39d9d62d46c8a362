variable "contracts" {
  description = "Folder of the contracts: zones.yaml and <zone>/<table>.yaml."
  type        = string
}

variable "views" {
  description = "Folder of the SQL of the views over the facts, and of their further columns."
  type        = string
}

variable "types" {
  description = "How the lake spells each logical type: glue, and trino inside views."
  type        = map(object({ glue = string, trino = string }))
}

variable "buckets" {
  description = "By key, the name of each bucket."
  type        = map(object({ name = string }))
}
