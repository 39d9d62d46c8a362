# The whole platform of one environment. What is deployed stands in the project (tables, jobs, triggers, policies) and in
# the release that `make dist` built; this says only how AWS holds it.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  catalog  = "${path.module}/../catalog"
  rights   = "${var.project}/terraform/rights"
  pipeline = yamldecode(file("${var.project}/catalog/pipeline.yaml"))
  zones    = yamldecode(file("${var.project}/catalog/contracts/zones.yaml"))
  manifest = jsondecode(file("${var.release}/manifest.json"))
  account  = data.aws_caller_identity.current.account_id

  # A job names its runtime, and states what differs from the defaults.
  jobs = {
    for name, job in local.pipeline.jobs : name =>
    merge(local.pipeline.job_defaults, job, { runtime = local.pipeline.runtimes[job.runtime] })
  }
  name = "${local.pipeline.name}-${var.environment}"

  # A function states what differs from the defaults. What has an option is there where the environment asks for it.
  functions = {
    for name, function in try(local.pipeline.functions, {}) : name => merge(local.pipeline.function_defaults, function)
    if contains(local.options, try(function.option, "always"))
  }
  secrets = { for key, secret in local.pipeline.secrets : key => secret if contains(local.options, try(secret.option, "always")) }
  options = concat(
    ["always"],
    var.slack ? ["slack"] : [],
    var.http_api == null ? [] : ["http_api"],
    try(var.http_api.issuer, null) == null ? [] : ["http_api_for_people"],
  )
  starter = one([for name, function in local.functions : name if function.called_by == "schedules"])

  # What `$${bucket:ingestion}` and the like stand for.
  real_names = merge(
    { for key, bucket in module.storage.buckets : "bucket:${key}" => bucket.name },
    { for key, secret in local.pipeline.secrets : "secret:${key}" => secret.name },
    { for key, registry in local.pipeline.registries : "registry:${key}" => registry.name },
    { for key in keys(local.pipeline.registries) : "contracts:${key}" => module.registry.versions },
    { for key, workflow in local.pipeline.workflows : "workflow:${key}" => key },
    { for key, value in local.pipeline.transform : "transform:${key}" => tostring(value) },
    { "athena:work_group" = local.pipeline.athena.work_group },
    { "source:schema" = local.pipeline.source.schema },
  )

  # By the role that analysts take, what their work group is and where they may write, if anywhere. The pattern takes a
  # place apart: the bucket's key, and the prefix below it.
  place = "^s3://\\$\\{bucket:(?P<bucket>\\w+)\\}/(?P<prefix>.*)$"
  analysts = {
    for role, group in { analyst = try(local.pipeline.athena.redacted, null), personal-data-analyst = local.pipeline.athena } : role => {
      work_group                 = group.work_group
      description                = group.description
      results                    = regex(local.place, group.results)
      sandbox = one([
        for stated in try([group.sandbox], []) : merge({ database = stated.database, description = stated.description }, regex(local.place, stated.location))
      ])
    } if group != null
  }

  # A text is cut where a placeholder begins; what follows up to the next brace is a name. What reads these files beside
  # Terraform takes the two signs together for a beginning without an end.
  placeholder = join("", ["$", "{"])
  arguments = {
    for name, job in local.jobs : name => {
      for key, text in job.arguments : key => join("", [
        for index, part in split(local.placeholder, text) : replace(part, "/^[^}]*}/", index == 0 ? "" : local.real_names[split("}", part)[0]])
      ])
    }
  }
  environment = {
    for name, function in local.functions : name => {
      for key, text in try(function.environment, {}) : key => join("", [
        for index, part in split(local.placeholder, text) : replace(part, "/^[^}]*}/", index == 0 ? "" : local.real_names[split("}", part)[0]])
      ])
    }
  }
}

module "storage" {
  source = "./modules/storage"

  rights          = local.rights
  name            = local.name
  account         = local.account
  buckets         = local.pipeline.buckets
  partition       = data.aws_partition.current.partition
  noncurrent_days = var.noncurrent_days
  results_days    = var.athena_results_days
  disposable      = var.data_is_disposable
  viewers_site    = module.docs_site.distribution_arn
}

module "guard" {
  source = "./modules/guard"

  keeps = !var.data_is_disposable
}

module "catalogue" {
  source = "./modules/catalogue"

  contracts = "${var.project}/catalog/contracts"
  views     = "${local.catalog}/views"
  types     = yamldecode(file("${local.catalog}/lake_types.yaml"))
  buckets   = module.storage.buckets
  reporting = {
    currency = local.pipeline.reporting_currency
    feeds    = { for feed in values(try(local.pipeline.feeds, {})) : feed.table => feed if feed.kind == "http" }
  }
}

module "registry" {
  source = "./modules/registry"

  registry  = local.pipeline.registries.raw
  published = "${var.project}/catalog/published"
}

module "secrets" {
  source = "./modules/secrets"

  rights     = local.rights
  name       = local.name
  account    = local.account
  partition  = data.aws_partition.current.partition
  secrets    = local.secrets
  rotation   = var.secret_rotation
  disposable = var.data_is_disposable
}

module "access" {
  source = "./modules/access"

  rights      = local.rights
  name        = local.name
  account     = local.account
  region      = var.region
  partition   = data.aws_partition.current.partition
  jobs        = local.jobs
  functions   = local.functions
  buckets     = { for key, bucket in module.storage.buckets : key => bucket.name }
  data_key    = module.storage.key_arn
  releases    = "releases/"
  secrets     = module.secrets.secrets
  secrets_key = module.secrets.key_arn
  connection  = module.jobs.connection
  network     = merge(var.network, { security_group_id = module.jobs.security_group_id, functions_security_group_id = module.functions.security_group_id })
  analysts    = { for role, of in local.analysts : role => { work_group = of.work_group, has_sandbox = of.sandbox != null } }
}

module "jobs" {
  source = "./modules/jobs"

  name       = local.name
  jobs       = local.jobs
  arguments  = local.arguments
  late_share = local.manifest.alarms.late_share
  manifest   = local.manifest
  release    = var.release
  bucket     = module.storage.buckets["artefacts"]
  key_arn    = module.storage.key_arn
  role_arns  = module.access.role_arns
  network    = var.network

  # A job reads what its release registered.
  depends_on = [module.registry]
}

module "functions" {
  source = "./modules/functions"

  name               = local.name
  functions          = local.functions
  environment        = local.environment
  role_arns          = module.access.function_role_arns
  bucket             = module.storage.buckets["artefacts"]
  objects            = module.jobs.functions
  checksums          = local.manifest.functions
  logs_key           = module.alerts.key_arn
  alerts             = module.alerts.topic_arns["operations"]
  log_retention_days = var.log_retention_days
  network            = var.network
}

module "http_apis" {
  source = "./modules/http_apis"

  rights             = local.rights
  name               = local.name
  account            = local.account
  region             = var.region
  partition          = data.aws_partition.current.partition
  functions          = { for name, function in local.functions : name => function if function.called_by == "http" }
  function_names     = module.functions.names
  invoke_arns        = module.functions.invoke_arns
  issuer             = try(var.http_api.issuer, null)
  audiences          = try(var.http_api.audiences, [])
  namespace          = local.manifest.alarms.namespace
  logs_key           = module.alerts.key_arn
  log_retention_days = var.log_retention_days
}

module "workflows" {
  source = "./modules/workflows"

  name      = local.name
  workflows = local.pipeline.workflows
  triggers  = local.pipeline.triggers
  schedules = local.pipeline.schedules
  enabled   = module.secrets.filled
  paused    = var.paused_schedules
  jobs      = module.jobs.names
  starter = {
    arn       = module.functions.arns[local.starter]
    role_arn  = module.access.schedules_role_arn
    queue_arn = module.functions.queues[local.starter]
  }

  # What starts runs comes last: roles' policies and alarms are there before anything runs.
  depends_on = [module.access, module.alerts]
}

module "athena" {
  source = "./modules/athena"

  key_arn          = module.storage.key_arn
  scan_limit_bytes = var.athena_scan_limit_bytes
  queries          = "${var.project}/bi/queries"
  reporting        = module.catalogue.reporting
  groups = {
    for role, of in local.analysts : role => {
      work_group  = of.work_group
      description = of.description
      results     = "s3://${module.storage.buckets[of.results.bucket].name}/${of.results.prefix}"
      database    = local.zones[role == "analyst" ? "redacted_star" : "star"].database
      sandbox = of.sandbox == null ? null : {
        database    = of.sandbox.database
        description = of.sandbox.description
        location    = "s3://${module.storage.buckets[of.sandbox.bucket].name}/${of.sandbox.prefix}"
      }
    }
  }
  disposable = var.data_is_disposable

  depends_on = [module.catalogue]
}

module "alerts" {
  source = "./modules/alerts"

  name               = local.name
  account            = local.account
  region             = var.region
  partition          = data.aws_partition.current.partition
  namespace          = local.manifest.alarms.namespace
  alarms             = { for name, alarm in local.manifest.alarms.alarms : name => alarm if contains(local.options, coalesce(alarm.option, "always")) }
  run_metrics        = local.manifest.alarms.run_metrics
  emails             = var.alert_emails
  jobs               = local.jobs
  functions          = keys(local.functions)
  apis               = module.http_apis.ids
  runbook_url        = var.runbook_url
  freshness_minutes  = var.freshness_minutes
  log_retention_days = var.log_retention_days
  rejected_percent   = var.rejected_percent
  monthly_budget     = var.monthly_budget
}

module "docs_site" {
  source = "./modules/docs_site"

  name    = local.name
  bucket  = module.storage.buckets["documentation"]
  logs    = module.storage.logs_bucket
  viewers = var.documentation_viewers
  domain  = var.documentation_domain
}

module "backup" {
  source = "./modules/backup"
  count  = var.backup == null ? 0 : 1

  name      = local.name
  account   = local.account
  partition = data.aws_partition.current.partition
  buckets   = [for key in distinct([for zone in values(local.zones) : zone.bucket]) : module.storage.buckets[key].arn]
  key_arn   = module.storage.key_arn
  days      = var.backup.days
  copy_to   = var.backup.copy_to
}

module "dashboard" {
  source = "./modules/dashboard"
  count  = var.quicksight == null ? 0 : 1

  name       = local.name
  quicksight = var.quicksight
  work_group = local.pipeline.athena.work_group
  templates  = module.jobs.templates
  bucket     = module.storage.buckets["artefacts"]
}
