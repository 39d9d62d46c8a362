"""Dimensions of several source tables: what their row was as of every batch in which one of them changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from catalog.model import Contract, Join
from glue_jobs.star.project import marks, star_columns
from glue_jobs.star.shape import BATCH, CAPTURED_AT, DELETED, MARK, VERSION_ID

UNMATCHED = "unmatched"
"""Mark of a row that some joined table has no row for."""

_AS_OF = "_as_of"
_SEEN_AT = "_seen_at"
_MAIN = "_main"
_FOUND = "_found"
_SINCE = "_since"


@dataclass(frozen=True)
class Source:
    """What is known of one source table.

    Attributes:
        key: Its key.
        held: The latest version of each key before the waiting batches; nothing at first.
        new: The versions that the waiting batches bring, deletions with the last known content.
    """

    key: str
    held: DataFrame | None
    new: DataFrame

    @property
    def versions(self) -> DataFrame:
        """Every version that some waiting batch can have seen."""
        return self.new if self.held is None else self.held.select(*self.new.columns).unionByName(self.new)


def incoming(
    contract: Contract, main_table: str, joins: Sequence[Join], sources: Mapping[str, Source]
) -> DataFrame:
    """Candidate versions of a dimension, one for each key and batch in which one of its sources changed.

    A row of the main table whose joined row is missing is kept; what the joined row would have given takes
    the column's default.

    Args:
        contract: The dimension.
        main_table: Its main source.
        joins: Its other sources.
        sources: By table, the main table and every joined one.

    Returns:
        Key, content, star lineage of the batch that changed something, ``version_id`` and marks.
    """
    main = sources[main_table]
    points = _points(main, joins, sources)
    rows = _as_of(points.withColumnRenamed(main.key, _key_of(_MAIN)), main, _MAIN)
    for join in joins:
        rows = rows.withColumn(_key_of(join.table), F.col(_MAIN).getField(join.on))
        rows = _as_of(rows, sources[join.table], join.table)
    unmatched = reduce(or_, [F.col(join.table).isNull() for join in joins], F.lit(False))

    def source_of(source: str) -> SparkColumn:
        table, _, name = source.rpartition(".")
        return F.col(table or _MAIN).getField(name)

    return rows.where(F.col(_MAIN).isNotNull()).select(
        *star_columns(contract, source_of),
        F.col(_AS_OF).alias(BATCH),
        F.col(_SEEN_AT).alias(CAPTURED_AT),
        F.col(_MAIN).getField(DELETED).alias(DELETED),
        F.lit(0).cast("bigint").alias(VERSION_ID),
        unmatched.alias(f"{MARK}{UNMATCHED}"),
        *marks(contract, source_of),
    )


def _points(main: Source, joins: Sequence[Join], sources: Mapping[str, Source]) -> DataFrame:
    """Main key and batch wherever something changed; a capture is one snapshot, so its time is one too."""
    at = [F.col(BATCH).alias(_AS_OF), F.col(CAPTURED_AT).alias(_SEEN_AT)]
    found = [main.new.select(main.key, *at)]
    for join in joins:
        other = sources[join.table]
        changed = other.new.select(F.col(other.key).alias(_key_of(join.table)), *at)
        pointing = main.versions.select(main.key, F.col(join.on).alias(_key_of(join.table))).distinct()
        found.append(changed.join(pointing, _key_of(join.table)).select(main.key, _AS_OF, _SEEN_AT))
    return reduce(DataFrame.unionByName, found).dropDuplicates([main.key, _AS_OF])


def _as_of(rows: DataFrame, source: Source, name: str) -> DataFrame:
    """Add to each row the version, as a struct of that name, that its key had at the row's batch."""
    versions = source.versions.select(
        F.col(source.key).alias(_FOUND), F.col(BATCH).alias(_SINCE), F.struct(*source.new.columns).alias(name)
    )
    seen = (F.col(_FOUND) == F.col(_key_of(name))) & (F.col(_SINCE) <= F.col(_AS_OF))
    latest = F.max_by(name, _SINCE).alias(name)
    return rows.join(versions, seen, "left").groupBy(*rows.columns).agg(latest)


def _key_of(name: str) -> str:
    return f"_key_{name}"
