"""One run of *validate_raw*: what waits is validated, or past captures are looked at by today's rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from expectations.rules import load_suites
from glue_jobs.runtime.arguments import ArgumentError
from glue_jobs.stages.open_stage import StageArguments
from glue_jobs.stages.stage import Stage
from glue_jobs.validation.dry_run import dry_run, log_findings
from glue_jobs.validation.validate import Limits, validate


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


def run(stage: Stage, given: ValidateArguments) -> int:
    """Validate every captured batch that has no result, or say what today's rules find in past ones.

    Args:
        stage: The stage ``validate``.
        given: The job's arguments.
    """
    suites = load_suites(stage.catalogue)
    if given.dry_run_since:
        log_findings(dry_run(stage, suites, given.since))
        return 0
    return validate(stage, suites, Limits(given.rejected_share, given.rejected_minimum))
