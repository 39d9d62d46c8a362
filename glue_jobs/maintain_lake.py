"""Glue Python shell job: removes objects that nobody can need any more. The only one that may delete."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from catalog.catalogue import load_catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from glue_jobs.maintenance.housekeeping import JOB, MaintainArguments, run
from glue_jobs.runtime import arguments, entry_point


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: See :class:`~glue_jobs.maintenance.housekeeping.MaintainArguments`; others are ignored.
    """
    given = arguments.parse(MaintainArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    run(given, lake, load_catalogue(), utc_now())
    return 0


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
