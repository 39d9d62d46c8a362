"""Glue Spark job: the facts of the star, every version of every order and payment that was accepted."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.runtime import arguments, entry_point
from glue_jobs.stages.open_stage import StageArguments
from glue_jobs.stages.spark_stage import spark_stage
from glue_jobs.star.drain import contracts_of, drain

JOB = "build_facts"


def main(argv: Sequence[str]) -> int:
    """Drain every validated batch that the facts have not covered.

    Args:
        argv: See :class:`StageArguments`; others are ignored.
    """
    given = arguments.parse(StageArguments, argv)
    with spark_stage("facts", given, JOB) as stage:
        return drain(stage, contracts_of("facts", stage.catalogue))


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:])
