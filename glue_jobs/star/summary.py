"""Small summaries of large inputs: each is one aggregation, fetched, that the job decides from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from glue_jobs.lake.commits import KeyValue
from glue_jobs.star import merge
from glue_jobs.star.merge_spec import BATCH, FLAG, INFERRED, MergeSpec

FetchedRow = Mapping[str, Any]


@dataclass(frozen=True)
class Survey:
    """What arrives for a table, before anything is merged.

    Attributes:
        rows: Rows.
        arriving: Partition values that they name; deletions name none.
        keys: Intervals that hold all their keys.
        flagged: By flag, the rows that have it.
    """

    rows: int
    arriving: frozenset[str]
    keys: tuple[tuple[KeyValue, KeyValue], ...]
    flagged: Mapping[str, int]

    @property
    def from_source(self) -> int:
        """Rows that the source has: all but the inferred ones."""
        return self.rows - self.flagged.get(INFERRED, 0)


def survey_of(spec: MergeSpec, found: Iterable[FetchedRow]) -> Survey:
    """The survey that the rows of :func:`glue_jobs.star.merge.survey` state."""
    rows = list(found)
    return Survey(
        rows=sum(row[merge.ROWS] for row in rows),
        arriving=frozenset(
            row[merge.PARTITION_VALUE] for row in rows if row[merge.PARTITION_VALUE] is not None
        ),
        keys=tuple((row[merge.LOW], row[merge.HIGH]) for row in rows if row[merge.LOW] is not None),
        flagged={flag: sum(row[f"{FLAG}{flag}"] for row in rows) for flag in spec.flags},
    )


@dataclass(frozen=True)
class Tally:
    """What became of the incoming rows of a table.

    Attributes:
        kept: New versions that the table takes.
        passed: New versions that a later one of the same run replaced before the table saw them; none where
            the table keeps its history.
        deletions: Kept versions that are deletions.
        unchanged: Rows that say what was known already.
        repeated: Rows that stood beside another one of the same key and batch.
        unknown_deletions: Deletions of keys that nothing was known of.
        replaced: Kept versions whose key the table held before.
        inferred: Kept versions that are inferred members.
        repaired: Kept versions that take the place of an inferred member.
        empty_cells: By required column, kept versions that leave it empty.
        kept_in: Kept versions by partition value.
        blocks: Kept versions by batch and block of keys, for the record ids.
    """

    kept: int = 0
    passed: int = 0
    deletions: int = 0
    unchanged: int = 0
    repeated: int = 0
    unknown_deletions: int = 0
    replaced: int = 0
    inferred: int = 0
    repaired: int = 0
    empty_cells: Mapping[str, int] = field(default_factory=dict)
    kept_in: Mapping[str, int] = field(default_factory=dict)
    blocks: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Every row that was compared."""
        return self.kept + self.passed + self.unchanged + self.repeated + self.unknown_deletions


def tally_of(spec: MergeSpec, found: Iterable[FetchedRow]) -> Tally:
    """The tally that the rows of :func:`glue_jobs.star.merge.tally` state."""
    rows = list(found)

    def total(name: str) -> int:
        return sum(row[name] for row in rows)

    kept_in: dict[str, int] = defaultdict(int)
    blocks: dict[tuple[int, int], int] = defaultdict(int)
    for row in rows:
        if row[merge.KEPT]:
            kept_in[row[merge.PARTITION_VALUE]] += row[merge.KEPT]
            blocks[row[BATCH], row[merge.BLOCK]] += row[merge.KEPT]
    return Tally(
        kept=total(merge.KEPT),
        passed=total(merge.PASSED),
        deletions=total(merge.DELETIONS),
        unchanged=total(merge.UNCHANGED),
        repeated=total(merge.REPEATED),
        unknown_deletions=total(merge.UNKNOWN),
        replaced=total(merge.REPLACED),
        inferred=total(merge.INFERRED_ROWS),
        repaired=total(merge.REPAIRED),
        empty_cells={name: total(f"{merge.EMPTY}{name}") for name in spec.required},
        kept_in=dict(kept_in),
        blocks=dict(blocks),
    )


def offsets(blocks: Mapping[tuple[int, int], int], highest: int) -> dict[tuple[int, int], int]:
    """The number before the first of each block.

    Args:
        blocks: Rows by batch and block of keys.
        highest: The highest number given so far.
    """
    found = {}
    for place in sorted(blocks):
        found[place] = highest
        highest += blocks[place]
    return found
