"""The job *transform*: which engine takes what waits, and what becomes of a run that could not finish.

:mod:`glue_jobs.transformation.decide` decides before any row is read, from what commits state
(:mod:`glue_jobs.transformation.work`) and by numbers of ``catalog/pipeline.yaml``. What the embedded engine
does not take is handed over to Spark by a request in the commit log
(:mod:`glue_jobs.transformation.hand_over`). Each run notes its attempt first
(:mod:`glue_jobs.transformation.attempts`), so that one which was killed is not repeated.
"""
