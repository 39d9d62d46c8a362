"""What today's rules would find in rows that were captured before, without changing anything.

A rule that is new, or was corrected, says of past rows nothing by itself: they were validated by the rules of
their time. A person asks here before she replays dead letters, or to see what a rule will cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from expectations.rules import Suite
from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit
from glue_jobs.lake.validation_state import ValidationResult, ValidationState
from glue_jobs.runtime import log
from glue_jobs.stages.stage import Stage
from glue_jobs.validation.compiled import compile_tables
from glue_jobs.validation.validate import ValidationRun, WaitingRows


@dataclass(frozen=True)
class DryRun:
    """What was found.

    Attributes:
        batches: The captures whose rows were looked at, in order.
        now: By raw table, what today's rules find in their rows.
        then: By raw table, what was found when they were validated; nothing of a table whose rows wait.
        refused: By raw table whose rules cannot be compiled, the reason.
    """

    batches: tuple[int, ...]
    now: Mapping[str, ValidationResult]
    then: Mapping[str, ValidationResult]
    refused: Mapping[str, str]


def dry_run(stage: Stage, suites: Mapping[str, Suite], since: date) -> DryRun:
    """Apply today's rules to what was captured from a day on.

    Args:
        stage: The stage ``validate``; nothing of it is written.
        suites: The rules by raw table.
        since: The first day of captures (UTC).
    """
    captures = _captures(stage, since)
    tables = sorted(
        {name for commit in captures for name, table in commit.tables.items() if table.partitions}
    )
    compiled = compile_tables(stage.catalogue, suites, tables)
    partitions = {
        table: tuple(
            partition
            for commit in captures
            if table in commit.tables
            for partition in commit.tables[table].partitions
            if partition.rows
        )
        for table in tables
    }
    wanted = {table: some for table, some in partitions.items() if some and table in compiled.validators}
    rows = WaitingRows({commit.sequence: commit for commit in captures}, wanted, partitions, {})
    now: dict[str, ValidationResult] = {}
    if wanted:
        engine = stage.engine()
        try:
            validators = {table: compiled.validators[table] for table in wanted}
            run = ValidationRun(stage, engine, rows, validators, 0, layout.new_attempt())
            now = {table: _sum(by_batch) for table, by_batch in run.count().items()}
        finally:
            engine.forget()
    batches = tuple(commit.sequence for commit in captures)
    return DryRun(batches, now, _then(stage, batches), compiled.refused)


def log_findings(found: DryRun) -> None:
    """Log what was found: a line for each table, numbers alone.

    Args:
        found: The dry run.
    """
    for table, now in sorted(found.now.items()):
        then = found.then.get(table, ValidationResult())
        sides = {"now": now, "then": then}
        numbers = {
            f"{name}_{side}": getattr(result, name)
            for name in ("rejected", "warned", "broken")
            for side, result in sides.items()
        }
        log.info("validate.dry_run", table=table, rows=now.read, **numbers)
    for table, reason in sorted(found.refused.items()):
        log.warning("validate.dry_run_refused", table=table, reason=reason)
    log.info("validate.dry_run_done", batches=len(found.batches), first=min(found.batches, default=None))


def _captures(stage: Stage, since: date) -> list[Commit]:
    """The captures from a day on, in order; the walk back from the newest ends before it."""
    log = stage.lake.log(stage.reads)
    found: list[Commit] = []
    sequence = log.latest_sequence()
    while sequence:
        commit = log.get(sequence)
        if commit is None or (commit.captured_at or commit.committed_at)[:10] < since.isoformat():
            break
        found.append(commit)
        sequence -= 1
    return found[::-1]


def _then(stage: Stage, batches: tuple[int, ...]) -> dict[str, ValidationResult]:
    if not batches:
        return {}
    found: dict[str, ValidationResult] = {}
    for commit in stage.log.covering(batches[0] - 1):
        for table, by_batch in ValidationState.of(commit).results.items():
            chosen = {batch: result for batch, result in by_batch.items() if batch in batches}
            found[table] = found.get(table, ValidationResult()) + _sum(chosen)
    return found


def _sum(by_batch: Mapping[int, ValidationResult]) -> ValidationResult:
    return sum(by_batch.values(), ValidationResult())
