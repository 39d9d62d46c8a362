"""The source database: one snapshot, what is new in it, rows typed by contract.

May import ``glue_jobs.stages`` and what is below. Begin with :func:`glue_jobs.sources.capture_run.run`,
:func:`glue_jobs.sources.capture.capture` and :class:`glue_jobs.sources.postgres_source.Source`.
"""
