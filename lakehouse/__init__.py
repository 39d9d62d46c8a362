"""AWS on a laptop: the endpoint, PostgreSQL, Spark, the runner of Glue jobs, the command line."""
