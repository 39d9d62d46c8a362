variable "registry" {
  description = "Name, description and mode of comparison."
  type        = object({ name = string, description = string, compatibility = string })
}

variable "published" {
  description = "Folder of the definitions, one JSON Schema for each captured table."
  type        = string
}
