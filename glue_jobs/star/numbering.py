"""Dense record numbers in the order of batch and key, without one task that sees every row.

Rows are counted by block of keys; the running total over the blocks is small and is taken on the driver; a
row's number is its block's offset and its place within the block.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from glue_jobs.star.local import local_frame
from glue_jobs.star.shape import BATCH, Shape

KEY_BLOCK = 4096
"""Keys in a block: few enough to number in one task, so many that even large loads have few blocks."""

BLOCK = "_block"
"""Name of the column that :func:`block_of` gives."""

_OFFSET = "_offset"
_OFFSETS = f"{BATCH} bigint, {BLOCK} bigint, {_OFFSET} bigint"


def block_of(key: str) -> SparkColumn:
    """The block that a key lies in; blocks are in the order of their keys."""
    return F.expr(f"`{key}` div {KEY_BLOCK}").alias(BLOCK)


def offsets(rows_in: Mapping[tuple[int, int], int], highest: int) -> dict[tuple[int, int], int]:
    """The number before the first of each block.

    Args:
        rows_in: Rows by batch and block.
        highest: The highest number given so far.
    """
    found = {}
    for place in sorted(rows_in):
        found[place] = highest
        highest += rows_in[place]
    return found


def numbered(new: DataFrame, shape: Shape, starts: Mapping[tuple[int, int], int]) -> DataFrame:
    """Number new versions, first by batch, then by key.

    Args:
        new: New versions, at most one for each key and batch.
        shape: The table; without a record number the rows are returned as they are.
        starts: From :func:`offsets`.

    Returns:
        The rows with ``shape.record_id``.
    """
    if shape.record_id is None:
        return new
    rows = [{BATCH: batch, BLOCK: block, _OFFSET: offset} for (batch, block), offset in starts.items()]
    start_of = F.broadcast(local_frame(new.sparkSession, rows, _OFFSETS))
    in_block = Window.partitionBy(BATCH, BLOCK).orderBy(shape.key)
    place = F.row_number().over(in_block)
    return (
        new.withColumn(BLOCK, block_of(shape.key))
        .withColumn(shape.record_id, place)
        .join(start_of, [BATCH, BLOCK])
        .withColumn(shape.record_id, (F.col(shape.record_id) + F.col(_OFFSET)).cast("int"))
        .drop(BLOCK, _OFFSET)
    )
