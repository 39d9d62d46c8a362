"""Glue Python shell job: validate unresolved dead letters again by today's rules, and send on what passes.

What passes is a new batch. Where more are unresolved than the limits allow, Spark does it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime import arguments, entry_point
from glue_jobs.transformation import replay
from glue_jobs.transformation.choice import ChoiceArguments

JOB = "replay_dead_letters"


def main(argv: Sequence[str]) -> int:
    """Replay once.

    Args:
        argv: See :class:`~glue_jobs.transformation.choice.ChoiceArguments`; others are ignored.
    """
    given = arguments.parse(ChoiceArguments, argv)
    lake = LakeClients.connect(given.ingestion_bucket, given.processed_bucket)
    return replay.run(given, lake, JOB)


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:], apart=True)
