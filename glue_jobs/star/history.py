"""Which incoming rows are new versions: the content comparison that keeps doubles out of the history.

Versions of a key are ordered by batch and nothing else. A row is a new version if its content differs, empty
cells compared as values, from the version before it; a deletion is a version with the last known content.
Of a key that is only inferred nothing is known that could be deleted.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from glue_jobs.star.shape import BATCH, DELETED, INFERRED, VERSION_ID, Shape

IS_NEW = "_is_new"
"""Whether a classified row is a new version."""

IS_EMPTY = "_is_empty"
"""Whether a classified row deletes a key that nothing is known of."""

KEPT = "_kept"
"""Whether a classified row goes into the table; set by those who know whether it keeps its history."""

REPEATS = "_repeats"
"""How many rows of the same key and batch a classified row stands for, besides itself."""

WAS_KNOWN = "_was_known"
"""Whether the table held a version of the key before."""

ORIGIN = "_origin"
"""The partition in which the table held it."""

WAS_INFERRED = "_was_inferred"
"""Whether what a dimension held of the key was inferred."""

_HELD = "_held"
_SEEN_UNTIL = "_seen_until"
_NEXT_BATCH = "_next_batch"
_CONTENT = "_content"


def classify(base: DataFrame | None, incoming: DataFrame, shape: Shape) -> DataFrame:
    """Judge every incoming row against the version before it.

    Args:
        base: Versions that the table holds, at least every version of every incoming key; may be nothing.
            Columns ``shape.columns``, others are ignored.
        incoming: Columns ``shape.columns`` and ``version_id``; of a deletion only key and lineage count.
        shape: The table.

    Returns:
        One row for each key and batch that the table had not seen: ``shape.columns``, of a deletion the last
        known content, and the marks ``IS_NEW``, ``IS_EMPTY``, ``REPEATS``, ``WAS_KNOWN``, for a
        partitioned table ``ORIGIN``, for a dimension ``WAS_INFERRED``. Of several rows of a key and batch the
        one with the highest ``version_id`` counts, then the greatest content.
    """
    by_key = Window.partitionBy(shape.key)
    in_order = by_key.orderBy(BATCH, VERSION_ID, DELETED, *shape.content)
    in_batch = Window.partitionBy(shape.key, BATCH)
    held = F.col(_HELD)
    rows = _together(base, incoming, shape)
    if base is None:
        rows = rows.withColumn(WAS_KNOWN, F.lit(False))
        if shape.partition:
            rows = rows.withColumn(ORIGIN, F.lit(None).cast("string"))
        if shape.has_members:
            rows = rows.withColumn(WAS_INFERRED, F.lit(False))
    else:
        rows = rows.withColumn(_SEEN_UNTIL, F.max(F.when(held, F.col(BATCH))).over(by_key))
        rows = rows.withColumn(WAS_KNOWN, F.col(_SEEN_UNTIL).isNotNull())
        if shape.partition:
            last_cut = F.max_by(F.when(held, F.col(shape.partition)), F.when(held, F.col(BATCH)))
            rows = rows.withColumn(ORIGIN, last_cut.over(by_key))
        if shape.has_members:
            inferred = F.max(held & F.col(INFERRED)).over(by_key)
            rows = rows.withColumn(WAS_INFERRED, F.coalesce(inferred, F.lit(False)))
        # What a key has already seen changes nothing, however often it comes again.
        rows = rows.where(held | ~F.col(WAS_KNOWN) | (F.col(BATCH) > F.col(_SEEN_UNTIL)))
    rows = rows.withColumn(_NEXT_BATCH, F.lead(BATCH).over(in_order))
    rows = rows.withColumn(REPEATS, F.count(F.lit(1)).over(in_batch) - 1)
    rows = rows.where(F.col(_NEXT_BATCH).isNull() | (F.col(_NEXT_BATCH) != F.col(BATCH)))

    stated = F.when(held | ~F.col(DELETED), F.struct(*shape.content))
    rows = rows.withColumn(_CONTENT, F.last(stated, ignorenulls=True).over(in_order))
    state = F.struct(F.col(_CONTENT), F.col(DELETED))
    is_empty = F.col(_CONTENT).isNull()
    if shape.has_members:
        is_empty = is_empty | (F.col(DELETED) & F.col(_CONTENT).getField(INFERRED).eqNullSafe(F.lit(True)))
    is_new = ~is_empty & ~state.eqNullSafe(F.lag(state).over(in_order))
    rows = rows.withColumn(IS_NEW, is_new).withColumn(IS_EMPTY, is_empty).where(~held)
    marks = [IS_NEW, IS_EMPTY, REPEATS, WAS_KNOWN]
    marks += [*([ORIGIN] if shape.partition else []), *([WAS_INFERRED] if shape.has_members else [])]
    filled = {name: F.col(_CONTENT).getField(name).alias(name) for name in shape.content}
    return rows.select(*[filled.get(name, F.col(name)) for name in shape.columns], *marks)


def merge_history(base: DataFrame | None, incoming: DataFrame, shape: Shape) -> DataFrame:
    """The new versions alone, see :func:`classify`; columns ``shape.columns``."""
    return new_versions(classify(base, incoming, shape), shape)


def keep_every(classified: DataFrame) -> DataFrame:
    """Keep every new version: the table holds the whole history."""
    return classified.withColumn(KEPT, F.col(IS_NEW))


def new_versions(classified: DataFrame, shape: Shape) -> DataFrame:
    """The rows that are new versions; columns ``shape.columns``."""
    return classified.where(IS_NEW).select(*shape.columns)


def _together(base: DataFrame | None, incoming: DataFrame, shape: Shape) -> DataFrame:
    arriving = incoming.select(*shape.columns, VERSION_ID, F.lit(False).alias(_HELD))
    if base is None:
        return arriving
    known = base.join(incoming.select(shape.key), shape.key, "left_semi")
    held = known.select(
        *shape.columns, F.lit(None).cast("bigint").alias(VERSION_ID), F.lit(True).alias(_HELD)
    )
    return held.unionByName(arriving)
