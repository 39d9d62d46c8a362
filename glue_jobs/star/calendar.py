"""The calendar: whole years around every date in use."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from catalog.model import Contract
from glue_jobs.runtime.errors import UserError
from glue_jobs.star.local import local_frame
from glue_jobs.star.shape import BATCH, CAPTURED_AT, DELETED

YEAR = "year"
"""Column of :func:`years_in_use`."""

_DAY = "_day"

_PARTS = {
    "date_id": F.col,
    "year": F.year,
    "month": F.month,
    "day": F.dayofmonth,
    "day_of_week": lambda day: F.weekday(day) + 1,
    "day_name": lambda day: F.date_format(day, "EEEE"),
    "month_name": lambda day: F.date_format(day, "MMMM"),
    "quarter": F.quarter,
}
"""What a column of the calendar says of its day; names are English, weeks begin with Monday."""


def years_in_use(rows: DataFrame, dates: list[str]) -> DataFrame:
    """The years of some date columns and the first batch that used each.

    Args:
        rows: Incoming rows with star lineage.
        dates: Date columns.

    Returns:
        ``year``, ``batch_sequence``, ``captured_at``; a row for each year.
    """
    used = [rows.select(F.year(name).alias(YEAR), BATCH, CAPTURED_AT) for name in dates]
    return earliest(reduce(DataFrame.unionByName, used))


def earliest(years: DataFrame) -> DataFrame:
    """Of each year the first batch; see :func:`years_in_use`."""
    return (
        years.where(F.col(YEAR).isNotNull())
        .groupBy(YEAR)
        .agg(F.min(BATCH).alias(BATCH), F.min_by(CAPTURED_AT, BATCH).alias(CAPTURED_AT))
    )


def length(year: int) -> int:
    """Days in a year."""
    return 366 if isleap(year) else 365


def stated(spark: SparkSession, years: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Years that the driver states, see :func:`years_in_use`."""
    return local_frame(spark, years, f"{YEAR} int, {BATCH} bigint, {CAPTURED_AT} timestamp_ntz")


def days(contract: Contract, years: DataFrame) -> DataFrame:
    """Every day of some years as rows of the calendar.

    Args:
        contract: The calendar's table.
        years: From :func:`years_in_use`.

    Raises:
        UserError: The contract has a column that the calendar does not know.
    """
    unknown = [column.name for column in contract.columns if column.name not in _PARTS]
    if unknown:
        raise UserError(
            f"The contract star.{contract.table} has the columns {', '.join(unknown)}.",
            f"The calendar knows {', '.join(_PARTS)}.",
        )
    first, last = F.make_date(YEAR, F.lit(1), F.lit(1)), F.make_date(YEAR, F.lit(12), F.lit(31))
    listed = years.select(F.explode(F.sequence(first, last)).alias(_DAY), BATCH, CAPTURED_AT)
    parts = [_PARTS[column.name](_DAY).alias(column.name) for column in contract.columns]
    return listed.select(*parts, BATCH, CAPTURED_AT, F.lit(False).alias(DELETED))
