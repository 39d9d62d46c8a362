"""What a stage of the star has published of a table: part of its commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitLog, KeyRange, KeyValue, Partition, as_key
from glue_jobs.runtime.errors import UserError

TABLES = "tables"
"""Where a commit's state keeps, by table, what is stated of it."""


@dataclass(frozen=True)
class TableState:
    """What a stage has published of a table.

    Attributes:
        versions: Label of the live version by partition path.
        key_ranges: Range of the keys by partition path.
        highest_record_id: The highest record id given.
        years: Of the calendar, the years that it covers.
        listed_from: Of the list of rejected changes, by source table what its entries follow from.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    key_ranges: Mapping[str, KeyRange] = field(default_factory=dict)
    highest_record_id: int = 0
    years: frozenset[int] = frozenset()
    listed_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, commit: Optional[Commit], table: str) -> TableState:
        """What a stage's newest commit states of a table."""
        if commit is None or table not in commit.tables:
            return cls()
        state = commit.state.get(TABLES, {}).get(table, {})
        ranges = state.get("key_ranges", {})
        return cls(
            versions=commit.tables[table].versions,
            key_ranges={path: (as_key(low), as_key(high)) for path, (low, high) in ranges.items()},
            highest_record_id=state.get("highest_record_id", 0),
            years=frozenset(state.get("years", ())),
            listed_from={name: tuple(of) for name, of in state.get("listed_from", {}).items()},
        )

    @property
    def leading_key_ranges(self) -> Mapping[str, tuple[Optional[KeyValue], Optional[KeyValue]]]:
        """Range of the first key column by partition path: enough to pass over partitions."""
        return {
            path: (None if low is None else low[0], None if high is None else high[0])
            for path, (low, high) in self.key_ranges.items()
        }

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in the commit, below ``TABLES`` and the table's name."""
        return {
            "key_ranges": {
                path: [None if key is None else list(key) for key in limits]
                for path, limits in self.key_ranges.items()
            },
            "highest_record_id": self.highest_record_id,
            "years": sorted(self.years),
            **({"listed_from": self.listed_from} if self.listed_from else {}),
        }


def live_partitions(
    commits: CommitLog,
    table: str,
    versions: Mapping[str, str],
    paths: Iterable[str],
    known: dict[int, Commit],
) -> tuple[Partition, ...]:
    """Live partitions of a table as the commits that wrote them name them.

    Args:
        commits: The log of the stage that builds the table.
        table: The table.
        versions: Label of the live version by partition path.
        paths: The partition paths that are wanted.
        known: The commits that were read, by sequence; takes those that are read now.

    Raises:
        UserError: A commit that wrote one is missing.
    """
    found: list[Partition] = []
    for path in sorted(paths):
        sequence = int(versions[path].split("-", 1)[0])
        if sequence not in known:
            commit = commits.get(sequence)
            if commit is None:
                raise UserError(
                    f"The commit {commits.key(sequence)}, which wrote {table} {path}, is missing.",
                    "Restore it from the bucket's versions.",
                )
            known[sequence] = commit
        written = known[sequence].tables[table].partitions
        found.extend(p for p in written if layout.partition_path(p.values) == path)
    return tuple(found)
