"""The lake's own mechanism: objects with checksums, commits and their state, what the catalog shows of them.

May import ``glue_jobs.runtime``. Begin with :meth:`glue_jobs.lake.commits.CommitLog.publish`,
:func:`glue_jobs.lake.publish.publish` and :func:`glue_jobs.lake.conditional.put_new`, which is the whole
model of writers beside each other.
"""
