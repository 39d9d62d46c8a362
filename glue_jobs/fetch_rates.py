"""Glue Python shell job: fetches published exchange rates into the raw zone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import utc_now
from glue_jobs.runtime import arguments, entry_point
from glue_jobs.sources.rates_run import JOB, RatesArguments, run


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: See :class:`~glue_jobs.sources.rates_run.RatesArguments`; others are ignored.
    """
    given = arguments.parse(RatesArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    return run(given, lake, load_catalogue(), load_pipeline(), utc_now())


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
