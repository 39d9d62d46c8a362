"""Glue Python shell job: fetches JSON files of others' buckets into the raw zone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import arguments, entry_point
from glue_jobs.sources.external import connect
from glue_jobs.sources.files_run import JOB, FilesArguments, run


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: See :class:`~glue_jobs.sources.files_run.FilesArguments`; others are ignored.
    """
    given = arguments.parse(FilesArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    return run(given, lake, load_catalogue(), load_pipeline(), connect)


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
