"""What must hold before validation commits; messages name tables and counts, never row content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from glue_jobs.lake.commits import Partition, TableCommit
from glue_jobs.lake.validation_state import ValidationResult
from glue_jobs.runtime.errors import UserError


class CountMismatch(UserError):  # noqa: N818 - named for what was found
    """Rows that were read or written are not as many as they have to be; nothing was committed."""


def check_captured(
    table: str, partitions: Iterable[Partition], results: Mapping[int, ValidationResult]
) -> None:
    """Refuse captured batches whose objects do not hold the rows that their commits name."""
    named: dict[int, int] = {}
    for partition in partitions:
        batch = int(partition.values["batch"])
        named[batch] = named.get(batch, 0) + partition.rows
    for batch, rows in named.items():
        seen = results[batch].read if batch in results else 0
        if rows != seen:
            raise CountMismatch(
                f"raw {table}, batch {batch}: {seen} rows were read where the capture names {rows}.",
                "Nothing was committed. Compare the raw objects with the capture's commit and run again.",
            )


def check_split(table: str, commit: TableCommit) -> None:
    """Refuse a commit whose objects do not hold the rows that it accepts and rejects."""
    accepted, rejected = commit.counts["accepted"], commit.counts["rejected"]
    kept = sum(partition.rows for partition in commit.partitions)
    dead = sum(partition.rows for partition in commit.dead_letters)
    if (accepted, rejected) != (kept, dead):
        raise CountMismatch(
            f"raw {table}: {kept} accepted and {dead} rejected rows are written where {accepted} and "
            f"{rejected} were counted.",
            "Nothing was committed. Run the job again; if it stays so, an object changed while it was read.",
        )
