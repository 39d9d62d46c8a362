"""Glue Spark job: what *replay_dead_letters* does, for more dead letters than one process takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from expectations.rules import load_suites
from glue_jobs.runtime import arguments, entry_point
from glue_jobs.stages.open_stage import StageArguments
from glue_jobs.stages.spark_stage import spark_stage
from glue_jobs.validation.replay import replay

JOB = "replay_dead_letters_large"


def main(argv: Sequence[str]) -> int:
    """Replay once.

    Args:
        argv: See :class:`StageArguments`; others are ignored.
    """
    given = arguments.parse(StageArguments, argv)
    with spark_stage("validate", given, JOB) as stage:
        return replay(stage, load_suites(stage.catalogue))


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:])
