"""A stage of the pipeline: what it reads, what waits for it, what it commits; how a job opens one."""
