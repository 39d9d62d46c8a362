"""The warehouse load: the star zone's changes into PostgreSQL, all tables of a batch or none.

May import ``glue_jobs.stages`` and what is below. Begin with :func:`glue_jobs.warehouse.load.load`,
:func:`glue_jobs.warehouse.pending.choose` and :func:`glue_jobs.warehouse.offsets.foreign`.
"""
