"""What every job needs and no job is about: arguments, log lines, metrics, secrets, connections, errors.

May import nothing of the other rooms. Begin with :func:`glue_jobs.runtime.arguments.parse`,
:func:`glue_jobs.runtime.entry_point.run` and :func:`glue_jobs.runtime.connections.connect`.
"""
