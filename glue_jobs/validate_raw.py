"""Glue job: judge every captured row, account for it, and pass the accepted ones on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import boto3

from catalog.catalogue import load_catalogue
from glue_jobs.runtime import arguments, errors
from glue_jobs.star.read import session
from glue_jobs.star.stage import Arguments, Stage
from glue_jobs.star.validation import validate

JOB = "validate_raw"


def main(argv: Sequence[str]) -> int:
    """Drain every captured batch that has no verdict.

    Args:
        argv: ``--ingestion_bucket`` and ``--processed_bucket``; others are ignored.
    """
    buckets = arguments.parse(Arguments, argv).buckets
    stage = Stage("validate", "capture", boto3.client("s3"), boto3.client("glue"), load_catalogue(), buckets)
    return validate(stage, partial(session, JOB))


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
