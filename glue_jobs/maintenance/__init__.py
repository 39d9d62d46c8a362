"""Housekeeping: which objects nobody can need any more, and their removal. Nothing else deletes.

May import ``glue_jobs.validation`` and what is below. Begin with
:func:`glue_jobs.maintenance.housekeeping.run`, :func:`glue_jobs.maintenance.retention.reason_to_remove` and
:func:`glue_jobs.maintenance.reach.read`.
"""
