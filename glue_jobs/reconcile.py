"""Glue Python shell job: is the source what the lake and the warehouse hold, to the row?

Ends with 1 where anything differs or could not be compared, so that whoever schedules it is told; rows that
only wait, since the source changed them after the last capture, are no difference, and a paused table has an
alarm of its own. Counts go to the log and into metrics, keys into the ops zone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import boto3

from catalog.catalogue import load_catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.reconciliation.reconcile_run import ReconcileArguments, run
from glue_jobs.reconciliation.views import Athena
from glue_jobs.runtime import arguments, entry_point

JOB = "reconcile"


def main(argv: Sequence[str]) -> int:
    """Reconcile once.

    Args:
        argv: See :class:`~glue_jobs.reconciliation.reconcile_run.ReconcileArguments`; others are ignored.
    """
    given = arguments.parse(ReconcileArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    athena = Athena(boto3.client("athena"), given.work_group)
    return run(given, lake, boto3.client("secretsmanager"), athena, load_catalogue())


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
