"""Who may do what: AWS's policies as they are written, judged as AWS judges them. Pure functions."""
