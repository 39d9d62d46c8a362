"""Engines: what runs the SQL of validation and star, over objects that commits name.

:mod:`glue_jobs.engine.protocol` says what an engine can do, :mod:`catalog.functions` which functions both
engines know. They are DuckDB within a Python shell job (:mod:`glue_jobs.engine.embedded`) and Spark
(:mod:`glue_jobs.engine.spark`). This package may import ``catalog`` and ``glue_jobs.lake``.
"""
