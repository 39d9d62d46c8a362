"""The calendar as SQL text: whole years around every date in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from catalog.expression import CALENDAR_DAY, calendar_expression
from catalog.model import Contract
from glue_jobs.star.merge_spec import BATCH, CAPTURED_AT, DELETED
from glue_jobs.star.projection import for_each

YEAR, DAY = "used_year", CALENDAR_DAY
"""Columns of :func:`years_in_use` and :func:`days_of`."""


def years_in_use(incoming: Iterable[tuple[str, Sequence[str]]]) -> str:
    """The years of some date columns and the first batch that used each.

    Args:
        incoming: Relations of candidate versions, each with its date columns; deletions use nothing.
    """
    used = "\nUNION ALL\n".join(
        f"    {for_each(relation, [{YEAR: f'year_of({name})'} for name in names], (BATCH, CAPTURED_AT))}"
        for relation, names in incoming
    )
    return (
        f"SELECT {YEAR}, min({BATCH}) AS {BATCH}, min_by({CAPTURED_AT}, {BATCH}) AS {CAPTURED_AT}\n"
        f"FROM (\n{used}\n) AS used\nWHERE {YEAR} IS NOT NULL\nGROUP BY {YEAR}"
    )


def days_of(years: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every day of some years, each with the batch that first used its year."""
    for year in years:
        day = date(year[YEAR], 1, 1)
        for offset in range((date(year[YEAR], 12, 31) - day).days + 1):
            yield {DAY: day + timedelta(offset), BATCH: year[BATCH], CAPTURED_AT: year[CAPTURED_AT]}


def days(contract: Contract, listed: str) -> str:
    """Days as rows of the calendar, each column as its contract says.

    Args:
        contract: The calendar's table.
        listed: Relation of :func:`days_of`.
    """
    parts = ",\n       ".join(
        f"{calendar_expression(column).sql} AS {column.name}" for column in contract.columns
    )
    return f"SELECT {parts},\n       {BATCH}, {CAPTURED_AT}, FALSE AS {DELETED}\nFROM {listed}"
