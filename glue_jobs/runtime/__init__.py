"""What every job needs and no job is about: arguments, log lines, secrets, errors."""
