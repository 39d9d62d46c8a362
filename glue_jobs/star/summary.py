"""Small summaries of large inputs: each is one aggregation, collected, that the driver decides from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from glue_jobs.star.history import IS_EMPTY, IS_NEW, KEPT, ORIGIN, REPEATS, WAS_INFERRED, WAS_KNOWN
from glue_jobs.star.numbering import BLOCK, block_of
from glue_jobs.star.shape import BATCH, DELETED, INFERRED, MARK, Shape

_SPEC = "_spec"
_LOW, _HIGH, _ROWS = "_low", "_high", "_rows"
_KEPT, _PASSED, _UNCHANGED, _EMPTY = "_count_kept", "_count_passed", "_count_unchanged", "_count_empty"
_DELETED, _REPLACED = "_count_deleted", "_count_replaced"
_INFERRED, _REPAIRED = "_count_inferred", "_count_repaired"


@dataclass(frozen=True)
class Survey:
    """What arrives for a table, before anything is merged.

    Attributes:
        rows: Rows.
        arriving: Partitions that they name; deletions name none.
        keys: Intervals that hold all their keys.
        marked: By mark, the rows that bear it.
    """

    rows: int
    arriving: frozenset[str]
    keys: tuple[tuple[int, int], ...]
    marked: Mapping[str, int]

    @property
    def from_source(self) -> int:
        """Rows that the source has: all but the inferred ones."""
        return self.rows - self.marked.get(INFERRED, 0)


def survey(rows: DataFrame, shape: Shape) -> Survey:
    """Summarise what arrives: one Spark job.

    Args:
        rows: The key, the partition column of a partitioned table, and boolean columns whose names begin with
            ``MARK``.
        shape: The table.
    """
    names = [name for name in rows.columns if name.startswith(MARK)]
    spec = F.col(shape.partition) if shape.partition else F.lit("")
    found = (
        rows.groupBy(spec.alias(_SPEC), block_of(shape.key))
        .agg(
            F.min(shape.key).alias(_LOW),
            F.max(shape.key).alias(_HIGH),
            F.count(F.lit(1)).alias(_ROWS),
            *[F.count_if(name).alias(name) for name in names],
        )
        .collect()
    )
    return Survey(
        rows=sum(row[_ROWS] for row in found),
        arriving=frozenset(row[_SPEC] for row in found if row[_SPEC] is not None),
        keys=tuple((row[_LOW], row[_HIGH]) for row in found if row[_LOW] is not None),
        marked={name.removeprefix(MARK): sum(row[name] for row in found) for name in names},
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
        empty: Deletions of keys that nothing was known of.
        replaced: Kept versions whose key the table held before.
        inferred: Kept versions that are inferred members.
        repaired: Kept versions that take the place of an inferred member.
        empty_cells: By required column, kept versions that leave it empty.
        kept_in: Kept versions by partition.
        origins: Partitions that held the keys of kept versions before.
        blocks: Kept versions by batch and block of keys, for the numbering.
    """

    kept: int = 0
    passed: int = 0
    deletions: int = 0
    unchanged: int = 0
    repeated: int = 0
    empty: int = 0
    replaced: int = 0
    inferred: int = 0
    repaired: int = 0
    empty_cells: Mapping[str, int] = field(default_factory=dict)
    kept_in: Mapping[str, int] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    blocks: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Every row that was judged."""
        return self.kept + self.passed + self.unchanged + self.repeated + self.empty


def tally(classified: DataFrame, shape: Shape) -> Tally:
    """Count what :func:`glue_jobs.star.history.classify` found: one Spark job.

    Args:
        classified: Its rows, with ``KEPT``.
        shape: The table.
    """
    new, kept = F.col(IS_NEW), F.col(KEPT)
    places = [F.col(shape.partition).alias(_SPEC), F.col(ORIGIN)] if shape.partition else []
    inferred, was_inferred = (
        (F.col(INFERRED), F.col(WAS_INFERRED)) if shape.has_members else (F.lit(False), F.lit(False))
    )
    found = (
        classified.groupBy(*places, BATCH, block_of(shape.key))
        .agg(
            F.count_if(kept).alias(_KEPT),
            F.count_if(new & ~kept).alias(_PASSED),
            F.count_if(kept & F.col(DELETED)).alias(_DELETED),
            F.count_if(~new & ~F.col(IS_EMPTY)).alias(_UNCHANGED),
            F.count_if(F.col(IS_EMPTY)).alias(_EMPTY),
            F.count_if(kept & F.col(WAS_KNOWN)).alias(_REPLACED),
            F.count_if(kept & inferred).alias(_INFERRED),
            F.count_if(kept & ~inferred & was_inferred).alias(_REPAIRED),
            F.sum(REPEATS).alias(REPEATS),
            *[F.count_if(kept & F.col(name).isNull()).alias(name) for name in shape.required],
        )
        .collect()
    )
    return _tally(found, shape)


def _tally(found: list[Row], shape: Shape) -> Tally:
    def total(name: str) -> int:
        return sum(row[name] for row in found)

    kept_in: dict[str, int] = defaultdict(int)
    blocks: dict[tuple[int, int], int] = defaultdict(int)
    origins = set()
    for row in found:
        if row[_KEPT]:
            kept_in[(row[_SPEC] or "") if shape.partition else ""] += row[_KEPT]
            blocks[row[BATCH], row[BLOCK]] += row[_KEPT]
            if shape.partition and row[ORIGIN] is not None:
                origins.add(row[ORIGIN])
    return Tally(
        kept=total(_KEPT),
        passed=total(_PASSED),
        deletions=total(_DELETED),
        unchanged=total(_UNCHANGED),
        repeated=total(REPEATS),
        empty=total(_EMPTY),
        replaced=total(_REPLACED),
        inferred=total(_INFERRED),
        repaired=total(_REPAIRED),
        empty_cells={name: total(name) for name in shape.required},
        kept_in=dict(kept_in),
        origins=frozenset(origins),
        blocks=dict(blocks),
    )
