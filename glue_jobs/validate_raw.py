"""Glue Spark job: apply the rules to every captured row, account for it, and pass the accepted ones on.

A person may ask it what today's rules find in past captures instead; then it publishes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from glue_jobs.runtime import arguments, entry_point
from glue_jobs.stages.spark_stage import spark_stage
from glue_jobs.validation.validate_run import ValidateArguments, run

JOB = "validate_raw"


def main(argv: Sequence[str]) -> int:
    """Run the job.

    Args:
        argv: See :class:`~glue_jobs.validation.validate_run.ValidateArguments`; others are ignored.
    """
    given = arguments.parse(ValidateArguments, argv)
    with spark_stage("validate", given, JOB) as stage:
        return run(stage, given)


if __name__ == "__main__":
    entry_point.run(JOB, main, sys.argv[1:])
