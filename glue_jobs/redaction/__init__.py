"""Copies of tables without their personal columns, for whoever may not see these.

May import ``glue_jobs.stages`` and what is below. Begin with :func:`glue_jobs.redaction.copies.redact`.
"""
