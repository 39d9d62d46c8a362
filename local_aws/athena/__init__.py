"""Athena with real execution: sqlglot reads the SQL, Glue names the data, DuckDB runs it."""
