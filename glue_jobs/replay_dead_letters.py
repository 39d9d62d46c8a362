"""Glue job: judge open dead letters again by today's rules, and send on what passes as a new batch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import boto3

from catalog.catalogue import load_catalogue
from expectations.rules import load_suites
from glue_jobs.runtime import arguments, errors
from glue_jobs.star.read import session
from glue_jobs.star.replay import replay
from glue_jobs.star.stage import Arguments, Stage

JOB = "replay_dead_letters"


def main(argv: Sequence[str]) -> int:
    """Replay once.

    Args:
        argv: ``--ingestion_bucket`` and ``--processed_bucket``; others are ignored.
    """
    buckets = arguments.parse(Arguments, argv).buckets
    stage = Stage("validate", "capture", boto3.client("s3"), boto3.client("glue"), load_catalogue(), buckets)
    return replay(stage, partial(session, JOB), load_suites())


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
