"""A stage of the pipeline: what it reads, what waits for it, what it commits; how a job opens one.

May import ``glue_jobs.engine`` and what is below. Begin with :meth:`glue_jobs.stages.stage.Stage.waiting`,
:meth:`glue_jobs.stages.stage.Stage.commit` and :func:`glue_jobs.stages.open_stage.open_stage`.
"""
