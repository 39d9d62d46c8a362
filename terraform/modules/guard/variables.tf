variable "keeps" {
  description = "Whether the environment's data is worth keeping."
  type        = bool
}
