"""Too much that would be rejected: a batch awaits approval, since the rules may be what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expectations.rules import Suite
from glue_jobs.lake import approvals, layout
from glue_jobs.lake.validation_state import ValidationResult
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.errors import UserError
from glue_jobs.stages.stage import Stage
from glue_jobs.validation.row_validator import too_many

JOB = "validate_raw"
"""The job that metrics name, whichever job runs the stage."""


class BatchAwaitsApproval(UserError):  # noqa: N818 - named for what was done
    """So much of a batch would be rejected that a person has to look at it first; nothing was committed.

    Attributes:
        key: The object that approves it.
    """

    def __init__(self, problem: str, remedy: str, key: str) -> None:
        super().__init__(problem, remedy)
        self.key = key


@dataclass(frozen=True)
class Limits:
    """What may be rejected before a person has looked.

    Attributes:
        share: Of a table's rows in one batch.
        minimum: A batch of which fewer rows than this are rejected never awaits approval.
    """

    share: float = 0.2
    minimum: int = 10


DEFAULT_LIMITS = Limits()


def check_limits(
    stage: Stage,
    suites: Mapping[str, Suite],
    results: Mapping[str, Mapping[int, ValidationResult]],
    limits: Limits,
) -> None:
    """Stop where too much would be rejected, unless a person has approved exactly that.

    Raises:
        BatchAwaitsApproval: More would be rejected than the limits allow.
    """
    bucket = stage.lake.ingestion
    rejected: dict[str, dict[str, Any]] = {}
    words = []
    for table, by_batch in results.items():
        rejecting = {rule.name for rule in suites[table].rules if rule.severity == "reject"}
        for batch, result in by_batch.items():
            if too_many(result, limits.share, limits.minimum):
                rules = {name: rows for name, rows in result.broken.items() if name in rejecting}
                worst = max(rules, key=lambda name: rules[name])
                rejected[f"{table}/{batch}"] = {
                    "read": result.read,
                    "rejected": result.rejected,
                    "rules": rules,
                }
                words.append(
                    f"{result.rejected} of {result.read} rows of {table} in batch {batch} (most by {worst})"
                )
    if not rejected or approvals.is_approved(stage.lake.s3, bucket, rejected):
        return
    key = approvals.await_approval(stage.lake.s3, bucket, rejected, layout.iso(layout.utc_now()))
    log.error("validate.awaits_approval", rejected=rejected, approval_key=key)
    metrics.emit({"job": JOB}, {"verdicts_held": len(rejected)})
    raise BatchAwaitsApproval(
        f"The rules would reject {'; '.join(words)}, more than {limits.share:.0%}.",
        "Nothing was committed, and later batches wait. If a rule is wrong, correct it and run again. If "
        "the rows are wrong, approve that they go to the dead letters: lakehouse release --rejected, or put "
        f"the object {key}.",
        key,
    )
