# Which version of its contract each table has in this release, as a job's argument says it.
output "versions" {
  description = "The versions that jobs of this release read; there once they are registered."
  value       = join(",", [for table in sort(keys(local.definitions)) : "${table}=${jsondecode(local.definitions[table])["x-version"]}"])
}
