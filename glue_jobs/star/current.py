"""Tables that keep the latest row of each key, deleted ones included."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from glue_jobs.star.history import IS_NEW, KEPT, classify
from glue_jobs.star.shape import BATCH, Shape


def keep_latest(classified: DataFrame, shape: Shape) -> DataFrame:
    """Keep of each key the last of its new versions.

    Args:
        classified: From :func:`glue_jobs.star.history.classify`.
        shape: The table.

    Returns:
        The same rows with ``KEPT``.
    """
    last = F.max(F.when(F.col(IS_NEW), F.col(BATCH))).over(Window.partitionBy(shape.key))
    return classified.withColumn(KEPT, F.col(IS_NEW) & (F.col(BATCH) == last))


def replace(base: DataFrame | None, changed: DataFrame, shape: Shape) -> DataFrame:
    """The table with its changed rows in the place of those that it held; columns ``shape.columns``."""
    arriving = changed.select(*shape.columns)
    if base is None:
        return arriving
    staying = base.join(changed.select(shape.key), shape.key, "left_anti")
    return staying.select(*shape.columns).unionByName(arriving)


def merge_current(base: DataFrame | None, incoming: DataFrame, shape: Shape) -> DataFrame:
    """The whole table after incoming rows, see :func:`glue_jobs.star.history.classify`."""
    return replace(base, keep_latest(classify(base, incoming, shape), shape).where(KEPT), shape)
