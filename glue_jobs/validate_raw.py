"""Glue Spark job: apply the rules to every captured row, account for it, and pass the accepted ones on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from expectations.rules import load_suites
from glue_jobs.runtime import arguments, errors
from glue_jobs.stages.open_stage import StageArguments
from glue_jobs.stages.spark_stage import spark_stage
from glue_jobs.validation.validate import Limits, validate

JOB = "validate_raw"


@dataclass(frozen=True)
class ValidateArguments(StageArguments):
    """Arguments of this job.

    Attributes:
        rejected_share: A batch of which more than this share of a table's rows is rejected awaits approval.
        rejected_minimum: Fewer rejected rows than this never do that.
    """

    rejected_share: float = Limits.share
    rejected_minimum: int = Limits.minimum


def main(argv: Sequence[str]) -> int:
    """Validate every captured batch that has no result.

    Args:
        argv: See :class:`ValidateArguments`; others are ignored.
    """
    given = arguments.parse(ValidateArguments, argv)
    with spark_stage("validate", given, JOB) as stage:
        limits = Limits(given.rejected_share, given.rejected_minimum)
        return validate(stage, load_suites(stage.catalogue), limits)


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
