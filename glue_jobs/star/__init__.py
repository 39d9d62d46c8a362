"""From accepted raw rows to the star: SQL text from contracts, and its running on an engine.

``projection``, ``merge``, ``members`` and ``calendar`` say in SQL what a table is; ``build`` puts these
queries in order for one table, and ``drain`` for a stage. May import ``catalog``, ``glue_jobs.engine``,
``glue_jobs.lake`` and ``glue_jobs.runtime``. Begin with :func:`glue_jobs.star.merge.classify`,
:func:`glue_jobs.star.build.build_table` and :func:`glue_jobs.star.drain.drain`; ``lakehouse explain TABLE``
prints what they make of a table.
"""
