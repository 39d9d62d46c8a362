variable "name" {
  description = "What names begin with."
  type        = string
}

variable "bucket" {
  description = "The private bucket that holds the site: name, and domain."
  type        = object({ name = string, domain = string })
}

variable "logs" {
  description = "Where visits are logged."
  type        = object({ domain = string })
}

variable "viewers" {
  description = "IPv4 ranges whose visitors may see the site."
  type        = list(string)
}

variable "domain" {
  description = "The site's own name and its certificate; without it CloudFront's."
  type        = object({ name = string, certificate_arn = string })
}
