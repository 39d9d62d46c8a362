"""Which raw rows are accepted: the one place where rows are judged before the star sees them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

REJECTED = "_rejected"
"""Whether a judged row goes to the dead letters."""

BATCH = "batch"
"""Raw partition column: the capture."""

READ, REFUSED = "read", "rejected"
"""Columns of :func:`tallied`."""


def judged(rows: DataFrame) -> DataFrame:
    """Mark every row as accepted or rejected.

    No rule rejects a row: every row that its table's schema could read is accepted.

    Args:
        rows: Rows of one raw table, with ``batch``.

    Returns:
        The same rows with ``REJECTED``.
    """
    return rows.withColumn(REJECTED, F.lit(False))


def tallied(rows: DataFrame) -> DataFrame:
    """By batch, how many rows there are and how many of them are rejected."""
    return rows.groupBy(BATCH).agg(F.count(F.lit(1)).alias(READ), F.count_if(REJECTED).alias(REFUSED))
