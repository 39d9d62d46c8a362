"""Inferred members: rows of dimensions for keys that are referred to and of which nothing has arrived.

A key gets one with the first batch whose accepted rows refer to it, unless a row of it has come by then. It
is a version of the dimension like any other, of that batch, so the first row that does arrive takes its
place. A deletion of a key of which nothing has arrived says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from catalog.model import Contract
from catalog.types import placeholder, spark_type
from glue_jobs.star.numbering import block_of
from glue_jobs.star.project import cut, incoming
from glue_jobs.star.shape import BATCH, CAPTURED_AT, DELETED, INFERRED, MARK, VERSION_ID, shape_of

DIMENSION = "dimension"
"""Column that names the dimension that a key is of."""

KEY = "key"
"""Column of a key of any dimension."""

COMES_LAST = 2**63 - 1
"""Version id of an inferred member: beside it its batch holds at most a deletion, which says nothing."""

_SINCE = "_since"
_LOW, _HIGH = "_low", "_high"


def references(contract: Contract, raw: DataFrame, dimensions: Collection[str]) -> DataFrame:
    """The keys of dimensions that rows refer to.

    Args:
        contract: The table that refers, without joins.
        raw: Rows of its source table.
        dimensions: Those of the tables it refers to that are dimensions.

    Returns:
        ``dimension``, ``key``, ``batch_sequence``, ``captured_at``; deletions refer to nothing.
    """
    pairs = [
        F.struct(F.lit(reference.table).alias(DIMENSION), F.col(reference.column).cast("bigint").alias(KEY))
        for reference in contract.references
        if reference.table in dimensions
    ]
    rows = incoming(contract, raw).where(~F.col(DELETED))
    found = rows.select(F.inline(F.array(*pairs)), BATCH, CAPTURED_AT)
    return found.where(F.col(KEY).isNotNull())


def first(referred: Sequence[DataFrame]) -> DataFrame:
    """Of each key the first batch that refers to it; see :func:`references`."""
    return (
        reduce(DataFrame.unionByName, referred)
        .groupBy(DIMENSION, KEY)
        .agg(F.min(BATCH).alias(BATCH), F.min_by(CAPTURED_AT, BATCH).alias(CAPTURED_AT))
    )


def spans(referred: DataFrame) -> dict[str, list[tuple[int, int]]]:
    """By dimension, intervals that hold every key; one Spark job.

    Args:
        referred: From :func:`first`.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    ends = referred.groupBy(DIMENSION, block_of(KEY)).agg(F.min(KEY).alias(_LOW), F.max(KEY).alias(_HIGH))
    for row in ends.collect():
        found.setdefault(row[DIMENSION], []).append((row[_LOW], row[_HIGH]))
    return found


def held(contract: Contract, rows: DataFrame) -> DataFrame:
    """The keys that a dimension holds, for :func:`missing`."""
    key = shape_of(contract).key
    return rows.select(
        F.lit(contract.table).alias(DIMENSION),
        F.col(key).cast("bigint").alias(KEY),
        F.col(BATCH).alias(_SINCE),
    )


def arriving(contract: Contract, raw: DataFrame) -> DataFrame:
    """The keys of which rows of a dimension's main source arrive, for :func:`missing`."""
    source = contract.column(shape_of(contract).key).source
    if source is None:  # pragma: no cover - the contract model demands one
        raise ValueError(f"{contract.table}: its key has no source")
    # As everywhere, the row with the highest version is what a batch says of a key.
    is_deletion = F.col("operation") == "delete"
    said = raw.groupBy(F.col(source).cast("bigint").alias(KEY), F.col("batch").alias(_SINCE)).agg(
        F.max(F.struct(VERSION_ID, is_deletion.alias(DELETED))).getField(DELETED).alias(DELETED)
    )
    return said.where(~F.col(DELETED)).select(F.lit(contract.table).alias(DIMENSION), KEY, _SINCE)


def missing(referred: DataFrame, known: Sequence[DataFrame]) -> DataFrame:
    """The keys of which nothing has come by the batch that first refers to them.

    Args:
        referred: From :func:`first`.
        known: From :func:`held` and :func:`arriving`, of every dimension in ``referred``.

    Returns:
        Rows of ``referred``.
    """
    if not known:
        return referred
    there = reduce(DataFrame.unionByName, known)
    since = there.groupBy(DIMENSION, KEY).agg(F.min(_SINCE).alias(_SINCE))
    seen = [referred[name] == since[name] for name in (DIMENSION, KEY)]
    return referred.join(since, [*seen, since[_SINCE] <= referred[BATCH]], "left_anti")


def members(contract: Contract, keys: DataFrame) -> DataFrame:
    """Inferred members as candidate versions of a dimension, see :func:`glue_jobs.star.project.incoming`.

    What nobody knows is empty, or the placeholder of the column's type where it may not be. The partition is
    that of the capture; the row that takes the member's place lies where it says.

    Args:
        contract: The dimension.
        keys: Rows of :func:`missing`, of any dimension.
    """
    shape = shape_of(contract)
    unknown = [
        F.lit(None if column.nullable else placeholder(column.type))
        .cast(spark_type(column.type))
        .alias(column.name)
        for column in contract.columns
        if column.name != shape.key
    ]
    place = contract.partition
    return keys.where(F.col(DIMENSION) == contract.table).select(
        F.col(KEY).cast(spark_type(contract.column(shape.key).type)).alias(shape.key),
        *unknown,
        *([cut(place, F.col(CAPTURED_AT)).alias(place.name)] if place else []),
        F.lit(True).alias(INFERRED),
        BATCH,
        CAPTURED_AT,
        F.lit(False).alias(DELETED),
        F.lit(COMES_LAST).cast("bigint").alias(VERSION_ID),
        F.lit(True).alias(f"{MARK}{INFERRED}"),
    )
