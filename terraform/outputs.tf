output "buckets" {
  description = "The real name of each bucket."
  value       = { for key, bucket in module.storage.buckets : key => bucket.name }
}

output "secrets" {
  description = "The secrets to fill, by a person: {\"dsn\": \"postgresql://…\"}."
  value       = { for key, secret in local.secrets : key => secret.name }
}

output "documentation_url" {
  description = "The documentation site."
  value       = module.docs_site.url
}

output "dashboard" {
  description = "The CloudWatch dashboard."
  value       = module.alerts.dashboard
}

output "alert_topics" {
  description = "Where alerts are published; each address confirms its subscription once."
  value       = module.alerts.topic_arns
}

output "http_apis" {
  description = "By function and callers, where it answers over HTTP."
  value       = module.http_apis.urls
}

output "callers_policies" {
  description = "By function that answers over HTTP, the policy of programs that ask it: to attach to their roles."
  value       = module.http_apis.callers_policies
}

output "schedules" {
  description = "Whether schedules start anything."
  value       = module.secrets.filled ? "on" : "off: put a value into each secret, then deploy again"
}

output "release" {
  description = "What is deployed."
  value       = local.manifest.release
}

output "network" {
  description = "The security groups of the jobs and of the functions: what the databases must let in."
  value       = { security_group_id = module.jobs.security_group_id, functions_security_group_id = module.functions.security_group_id }
}

output "analyst_roles" {
  description = "The roles that analysts take: one sees no personal columns, the other does."
  value       = module.access.analyst_role_arns
}

output "operators_policy" {
  description = "The policy of those who run, watch, approve and repair: to attach to the role that they take."
  value       = module.access.operators_policy
}

output "repairs_policy" {
  description = "The policy of what operators do besides, to attach to the same role: schedules, logs, new values of secrets."
  value       = module.access.repairs_policy
}
