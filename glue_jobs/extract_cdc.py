"""Glue Python shell job: capture what changed in the source, publish it as one batch, start the transform."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import boto3

from catalog.catalogue import load_catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import arguments, entry_point
from glue_jobs.sources.capture_run import JOB, ExtractArguments, run


def main(argv: Sequence[str]) -> int:
    """Run the job; 0 also when another run was first.

    Args:
        argv: See :class:`~glue_jobs.sources.capture_run.ExtractArguments`; others are ignored.
    """
    given = arguments.parse(ExtractArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    return run(given, lake, boto3.client("secretsmanager"), load_catalogue())


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
