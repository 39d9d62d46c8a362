"""Glue Spark job: apply the rules to every captured row, account for it, and pass the accepted ones on.

A person may ask it what today's rules find in past captures instead; then it publishes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from expectations.rules import load_suites
from glue_jobs.runtime import arguments, errors
from glue_jobs.runtime.arguments import ArgumentError
from glue_jobs.stages.open_stage import StageArguments
from glue_jobs.stages.spark_stage import spark_stage
from glue_jobs.stages.stage import Stage
from glue_jobs.validation.dry_run import dry_run, log_findings
from glue_jobs.validation.validate import Limits, validate

JOB = "validate_raw"


@dataclass(frozen=True)
class ValidateArguments(StageArguments):
    """Arguments of this job.

    Attributes:
        rejected_share: A batch of which more than this share of a table's rows is rejected awaits approval.
        rejected_minimum: Fewer rejected rows than this never do that.
        dry_run_since: A day (UTC): the log says what today's rules find in what was captured from then on,
            beside what was found then, and nothing is changed.
    """

    rejected_share: float = Limits.share
    rejected_minimum: int = Limits.minimum
    dry_run_since: str = ""

    @property
    def since(self) -> date:
        """The first day of a dry run.

        Raises:
            ArgumentError: It is no day.
        """
        try:
            return date.fromisoformat(self.dry_run_since)
        except ValueError as error:
            raise ArgumentError(
                f"The argument --dry_run_since is {self.dry_run_since!r}, which is not a day.",
                "Write it like 2026-11-01.",
            ) from error


def main(argv: Sequence[str]) -> int:
    """Validate every captured batch that has no result, or say what today's rules find in past ones.

    Args:
        argv: See :class:`ValidateArguments`; others are ignored.
    """
    given = arguments.parse(ValidateArguments, argv)
    with spark_stage("validate", given, JOB) as stage:
        return run(stage, given)


def run(stage: Stage, given: ValidateArguments) -> int:
    """The same on a stage that is open.

    Args:
        stage: The stage ``validate``.
        given: The job's arguments.
    """
    suites = load_suites(stage.catalogue)
    if given.dry_run_since:
        log_findings(dry_run(stage, suites, given.since))
        return 0
    return validate(stage, suites, Limits(given.rejected_share, given.rejected_minimum))


if __name__ == "__main__":
    errors.run(JOB, main, sys.argv[1:])
