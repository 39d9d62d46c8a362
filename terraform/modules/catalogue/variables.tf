variable "contracts" {
  description = "Folder of the contracts: zones.yaml and <zone>/<table>.yaml."
  type        = string
}

variable "views" {
  description = "Folder of the SQL of the views over the facts, and of their further columns."
  type        = string
}

variable "reporting" {
  description = "The currency that amounts are reported in, and by the table that each feed brings, who provides it and where the currencies stand."
  type = object({
    currency = string
    feeds    = map(object({ provider = string, currencies = string }))
  })
}

variable "types" {
  description = "How the lake spells each logical type: glue, and trino inside views."
  type        = map(object({ glue = string, trino = string }))
}

variable "buckets" {
  description = "By key, the name of each bucket."
  type        = map(object({ name = string }))
}
