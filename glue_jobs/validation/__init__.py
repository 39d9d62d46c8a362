"""Validation: rows that were captured, validated by rules in SQL on an engine.

:mod:`~glue_jobs.validation.row_validator`, :mod:`~glue_jobs.validation.references`,
:mod:`~glue_jobs.validation.lookups`, :mod:`~glue_jobs.validation.unresolved` and
:mod:`~glue_jobs.validation.replay_rows` make the text of queries and nothing else;
:mod:`~glue_jobs.validation.inputs` reads what rules speak of, :mod:`~glue_jobs.validation.validate` and
:mod:`~glue_jobs.validation.replay` run a stage. Everything here runs on Python 3.9 and imports neither
engine.
"""
