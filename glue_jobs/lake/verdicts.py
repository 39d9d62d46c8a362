"""What the commits of ``validate`` say: which batches were judged, where the results lie, what is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from glue_jobs.lake.commits import Commit
from glue_jobs.lake.layout import OPEN_DEAD_LETTERS

STAGE = "validate"
"""The stage of verdicts in the commit log."""

VERDICTS = "verdicts"
"""Where a commit keeps, by table and batch, what was found."""

_RESULTS = "ops/validation_results/"


@dataclass(frozen=True)
class Judged:
    """One table in one batch that has a verdict.

    Attributes:
        table: The raw table.
        batch: The capture.
        day: Day of the capture (UTC, ISO 8601).
    """

    table: str
    batch: int
    day: str


def judged(commit: Commit) -> Iterator[Judged]:
    """Every table and batch that a commit judges, in the order of batches and tables."""
    stated = commit.state.get(VERDICTS, {})
    for batch, table in sorted((int(batch), table) for table, found in stated.items() for batch in found):
        days = [
            partition.values["captured_date"]
            for partition in commit.tables[table].partitions
            if int(partition.values["batch"]) == batch
        ]
        yield Judged(table, batch, days[0])


def result_key(table: str, batch: int) -> str:
    """Where the validation result of a table and batch lies, in the ingestion bucket."""
    return f"{_RESULTS}{table}/batch={batch}.json"


def open_rows(commit: Optional[Commit]) -> dict[str, int]:
    """By raw table, how many dead letters are open by the newest commit of ``validate``."""
    stated = commit.state.get(OPEN_DEAD_LETTERS, {}) if commit else {}
    return {table: sum(data["rows"] for data in found) for table, found in stated.items()}
