# Required: what differs between environments and has no sensible value of its own.

variable "environment" {
  description = "Names the environment; each has an AWS account of its own, since databases, jobs and workflows are named alike in all."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment is 2 to 12 lower-case letters and digits, such as dev or prod."
  }
}

variable "region" {
  description = "AWS region of everything but CloudFront."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is an AWS region's code, such as eu-west-2."
  }
}

variable "owner" {
  description = "Who answers for the environment; stands in every resource's tags."
  type        = string

  validation {
    condition     = length(trimspace(var.owner)) > 0
    error_message = "owner names a team or a person."
  }
}

variable "alert_emails" {
  description = "Addresses that receive every alert; each must confirm the subscription once."
  type        = list(string)

  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails holds at least one e-mail address, and nothing else."
  }
}

variable "network" {
  description = <<-TEXT
    Where jobs run: a VPC, one subnet in it with its availability zone, the address ranges of the databases and their
    port. The VPC needs endpoints for S3 (gateway), Glue, Secrets Manager, Athena and CloudWatch Logs, or a way out.
  TEXT
  type = object({
    vpc_id            = string
    subnet_id         = string
    availability_zone = string
    database_cidrs    = list(string)
    database_port     = optional(number, 5432)
  })

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.network.vpc_id)) && can(regex("^subnet-[0-9a-f]{8,17}$", var.network.subnet_id))
    error_message = "network.vpc_id is like vpc-0123456789abcdef0, network.subnet_id like subnet-0123456789abcdef0."
  }

  validation {
    condition     = startswith(var.network.availability_zone, var.region)
    error_message = "network.availability_zone lies in the region, such as eu-west-2a in eu-west-2."
  }

  validation {
    condition     = length(var.network.database_cidrs) > 0 && alltrue([for range in var.network.database_cidrs : can(cidrhost(range, 0)) && !endswith(range, "/0")])
    error_message = "network.database_cidrs holds at least one address range, such as 10.0.4.0/24, and not the whole internet."
  }

  validation {
    condition     = var.network.database_port > 0 && var.network.database_port < 65536
    error_message = "network.database_port is a TCP port."
  }
}

variable "documentation_viewers" {
  description = "IPv4 ranges whose visitors may see the documentation site, such as an office's or a VPN's; nobody else does."
  type        = list(string)

  validation {
    condition     = length(var.documentation_viewers) > 0 && alltrue([for range in var.documentation_viewers : can(cidrhost(range, 0)) && can(cidrnetmask(range)) && !endswith(range, "/0")])
    error_message = "documentation_viewers holds at least one IPv4 range, such as 203.0.113.0/24, and not the whole internet."
  }
}

# Optional.

variable "project" {
  description = "Folder of the project that is deployed: its contracts, pipeline, questions and policy documents."
  type        = string
  default     = ".."

  validation {
    condition     = fileexists("${var.project}/catalog/pipeline.yaml")
    error_message = "project is a folder that holds catalog/pipeline.yaml, as the one that LAKEHOUSE_PROJECT names."
  }
}

variable "release" {
  description = "Folder of what is deployed, as make dist builds it."
  type        = string
  default     = "../dist"
}

variable "data_is_disposable" {
  description = "Whether a destroy may remove buckets that hold data, and secrets at once. Never in production."
  type        = bool
  default     = false

  validation {
    condition     = !(var.data_is_disposable && startswith(var.environment, "prod"))
    error_message = "data_is_disposable stays false in production."
  }
}

variable "noncurrent_days" {
  description = "Days for which an object that was removed or replaced can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 7 && var.noncurrent_days <= 3650
    error_message = "noncurrent_days is 7 to 3650."
  }
}

variable "backup" {
  description = "A backup of the lake's buckets by AWS Backup, every night: for how many days it is kept, and the ARN of a vault, in another region or account, that it is copied to. None unless it is stated."
  type = object({
    days    = optional(number, 35)
    copy_to = optional(string)
  })
  default = null

  validation {
    condition     = var.backup == null || (try(var.backup.days, 0) >= 7 && try(var.backup.days, 0) <= 3650)
    error_message = "backup.days is 7 to 3650."
  }

  validation {
    condition     = try(var.backup.copy_to, null) == null || can(regex("^arn:aws[a-z-]*:backup:[a-z0-9-]+:[0-9]{12}:backup-vault:", var.backup.copy_to))
    error_message = "backup.copy_to is the ARN of a backup vault."
  }
}

variable "athena_results_days" {
  description = "Days for which Athena's results are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.athena_results_days >= 1 && var.athena_results_days <= 365
    error_message = "athena_results_days is 1 to 365."
  }
}

variable "athena_scan_limit_bytes" {
  description = "Bytes that one query may read before Athena stops it."
  type        = number
  default     = 107374182400

  validation {
    condition     = var.athena_scan_limit_bytes >= 10000000
    error_message = "athena_scan_limit_bytes is at least 10000000, which is Athena's own floor."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept; one of CloudWatch's steps, a year at least."
  type        = number
  default     = 365

  validation {
    condition     = contains([365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of CloudWatch's steps from 365 to 3653."
  }
}

variable "freshness_minutes" {
  description = "Age of the oldest change that has not reached the warehouse, above which an alert is sent. The promise is 30."
  type        = number
  default     = 25

  validation {
    condition     = var.freshness_minutes >= 10 && var.freshness_minutes <= 60 && var.freshness_minutes % 5 == 0
    error_message = "freshness_minutes is a multiple of 5 from 10 to 60: captures come every ten minutes."
  }
}

variable "rejected_percent" {
  description = "Percentage of a batch's rows that may be rejected before an alert is sent; validation itself holds a batch at its own limit."
  type        = number
  default     = 5

  validation {
    condition     = var.rejected_percent > 0 && var.rejected_percent <= 100
    error_message = "rejected_percent is above 0 and at most 100."
  }
}

variable "monthly_budget" {
  description = "US dollars that the account is to cost in a month; alert_emails are told of 80 % and 120 % of it, and when more than all of it is foreseen."
  type        = number
  default     = 100

  validation {
    condition     = var.monthly_budget >= 1 && var.monthly_budget <= 1000000
    error_message = "monthly_budget is 1 to 1000000 US dollars."
  }
}

variable "runbook_url" {
  description = "Where docs/runbook.md can be read; alerts link to it."
  type        = string
  default     = "https://github.com/terrifictotes/totesys-lakehouse/blob/main/docs/runbook.md"

  validation {
    condition     = startswith(var.runbook_url, "https://")
    error_message = "runbook_url begins with https://."
  }
}

variable "secret_rotation" {
  description = "By secret (source, warehouse): the Lambda function that rotates it, and every how many days. A secret that is left out is rotated by a person."
  type = map(object({
    lambda_arn = string
    days       = optional(number, 30)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.secret_rotation) : contains(["source", "warehouse"], name)])
    error_message = "secret_rotation names source and warehouse only."
  }

  validation {
    condition     = alltrue([for rotation in values(var.secret_rotation) : can(regex("^arn:aws[a-z-]*:lambda:", rotation.lambda_arn)) && rotation.days >= 1 && rotation.days <= 90])
    error_message = "secret_rotation needs a Lambda function's ARN, and 1 to 90 days."
  }
}

variable "slack" {
  description = "Whether alerts are posted to a Slack channel, too, whose webhook a person puts into the secret of the pipeline."
  type        = bool
  default     = false
}

variable "http_api" {
  description = <<-TEXT
    What functions answer over HTTP, such as the payments; nothing unless it is stated. {} is for programs, which sign their
    requests. With an issuer of tokens (OpenID Connect) and the audiences that they may be for, it is for people, too.
  TEXT
  type = object({
    issuer    = optional(string)
    audiences = optional(list(string), [])
  })
  default = null

  validation {
    condition     = try(var.http_api.issuer, null) == null || can(regex("^https://[^/?#]+[^?#]*$", var.http_api.issuer))
    error_message = "http_api.issuer begins with https://, as the tokens' claim iss has it."
  }

  validation {
    condition     = (try(var.http_api.issuer, null) == null) == (length(try(var.http_api.audiences, [])) == 0)
    error_message = "http_api names an issuer and the audiences of its tokens together, or neither."
  }
}

variable "paused_schedules" {
  description = "Schedules of catalog/pipeline.yaml that start nothing, such as every_night."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.paused_schedules, keys(yamldecode(file("${var.project}/catalog/pipeline.yaml")).schedules))) == 0
    error_message = "paused_schedules names schedules of catalog/pipeline.yaml only."
  }
}

variable "documentation_domain" {
  description = "The documentation site's own name and its certificate (ACM, us-east-1); without it CloudFront's name is used."
  type = object({
    name            = string
    certificate_arn = string
  })
  default = null

  validation {
    condition     = var.documentation_domain == null || can(regex("^arn:aws:acm:us-east-1:", var.documentation_domain.certificate_arn))
    error_message = "documentation_domain.certificate_arn is a certificate of ACM in us-east-1, where CloudFront looks."
  }
}

variable "quicksight" {
  description = <<-TEXT
    The dashboard in Amazon QuickSight, for an account that subscribes to it: the ARN of the user or group that owns it,
    what it reads (lake, by Athena, or warehouse) and how (DIRECT_QUERY or SPICE). Over the warehouse also host, database,
    a secret with username and password of a role that only reads, and QuickSight's connection to the VPC.
  TEXT
  type = object({
    owner_arn   = string
    reads       = optional(string, "lake")
    import_mode = optional(string, "DIRECT_QUERY")
    warehouse = optional(object({
      host               = string
      port               = optional(number, 5432)
      database           = string
      secret_arn         = string
      vpc_connection_arn = optional(string, "")
    }))
  })
  default = null

  validation {
    condition     = var.quicksight == null || can(regex("^arn:[-a-z0-9]*:quicksight:[-a-z0-9]+:[0-9]{12}:(user|group)/.+", var.quicksight.owner_arn))
    error_message = "quicksight.owner_arn is the ARN of a QuickSight user or group."
  }

  validation {
    condition     = var.quicksight == null || contains(["lake", "warehouse"], try(var.quicksight.reads, ""))
    error_message = "quicksight.reads is lake or warehouse."
  }

  validation {
    condition     = var.quicksight == null || contains(["DIRECT_QUERY", "SPICE"], try(var.quicksight.import_mode, ""))
    error_message = "quicksight.import_mode is DIRECT_QUERY or SPICE."
  }

  validation {
    condition     = try(var.quicksight.reads, "lake") != "warehouse" || try(var.quicksight.warehouse, null) != null
    error_message = "quicksight.warehouse says where the warehouse is that the dashboard reads."
  }
}

variable "tags" {
  description = "Tags for every resource, beside project, environment, owner and managed_by."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.tags), ["project", "environment", "owner", "managed_by"])) == 0
    error_message = "tags leaves project, environment, owner and managed_by alone."
  }
}
