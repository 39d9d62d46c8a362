"""Validation on a stack outside its jobs: a stage that is opened to read, and the report of a dry run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from catalog.pipeline import contract_versions, load_pipeline
from expectations.rules import Suite
from glue_jobs.engine.embedded import EmbeddedEngine
from glue_jobs.lake.validation_state import ValidationResult
from glue_jobs.runtime import log
from glue_jobs.stages.open_stage import StageArguments, made_once, open_stage, registered_catalog
from glue_jobs.stages.stage import Stage
from glue_jobs.validation.dry_run import DryRun
from lakehouse.stack_state import Running


@contextmanager
def opened_stage(running: Running) -> Iterator[Stage]:
    """The stage ``validate`` of a stack, with an engine of as much room as its job has.

    Args:
        running: The stack.
    """
    pipeline, lake = load_pipeline(), running.lake()
    numbers = pipeline.transform
    registry = pipeline.registries["raw"].name
    given = StageArguments(lake.ingestion, lake.processed, registry, contract_versions())
    room = (numbers.memory_megabytes << 20, numbers.threads, numbers.disk_megabytes << 20)
    with (
        log.silenced(),
        tempfile.TemporaryDirectory(prefix="dry-run-") as folder,
        made_once(lambda: EmbeddedEngine(lake.s3, Path(folder), *room)) as engine,
    ):
        yield open_stage("validate", lake, registered_catalog(lake.glue, given), engine)


def report_text(found: DryRun, suites: Mapping[str, Suite]) -> str:
    """A dry run for a person: by table what is found now and was found then, and which rules reject.

    Args:
        found: The dry run.
        suites: The rules that were applied.
    """
    if not found.batches:
        return "nothing was captured since then"
    lines = [f"{'table':<20}{'rows':>12}{'rejected now':>14}{'then':>10}{'warned now':>12}{'then':>10}"]
    for table, now in sorted(found.now.items()):
        then = found.then.get(table, ValidationResult())
        lines.append(
            f"{table:<20}{now.read:>12,}{now.rejected:>14,}{then.rejected:>10,}{now.warned:>12,}{then.warned:>10,}"
        )
        rules = {rule.name: rule for rule in suites[table].rules}
        for name in sorted({*now.broken, *then.broken}):
            before, after = then.broken.get(name, 0), now.broken.get(name, 0)
            if before != after:
                words = (
                    f"{rules[name].severity}: {rules[name].reason}"
                    if name in rules
                    else "a rule that is gone"
                )
                lines.append(f"  {name}: {after:,} rows, {before:,} then ({words})")
    lines += [f"{table}: not validated: {reason}" for table, reason in sorted(found.refused.items())]
    first, last = found.batches[0], found.batches[-1]
    return "\n".join([*lines, f"batches {first} to {last}; nothing was changed"])
