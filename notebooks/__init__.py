"""Analyses for managers: notebooks over Athena, what they share, what runs them and makes pages of them.

May import ``bi``, ``catalog``, ``sites`` and ``glue_jobs.documentation``. Begin with
:func:`notebooks.lake.answer`, :func:`notebooks.execution.execute` and :func:`notebooks.publication.publish`.
"""
