"""Whether a table brought as many rows on a day as on such days before: silence shows here alone.

A day is compared with the same day of each of the four weeks before, so that weekends are compared with
weekends. It is unusual where it brought less than a quarter of the least of these days, or more than four
times the most. Days of few rows are never unusual, and a table is not judged before it has four weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

WEEKS = 4
FACTOR = 4
LEAST_ROWS = 20
"""Fewer rows are no volume: of a day that brought too many, and of days that are usual."""

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class UnusualDay:
    """A table whose rows of a day are not what they are on such days.

    Attributes:
        table: The raw table.
        rows: What it brought.
        usual: What it brought on the same day of each week before, the latest first.
    """

    table: str
    rows: int
    usual: tuple[int, ...]


def unusual_days(
    counts: Mapping[tuple[str, date], int], tables: Iterable[str], day: date
) -> list[UnusualDay]:
    """The tables whose rows of a day are unusual.

    Args:
        counts: By table and day, how many rows were captured; a day that is not there brought none.
        tables: The tables that are judged.
        day: The day.
    """
    found = []
    for table in tables:
        rows = counts.get((table, day), 0)
        usual = tuple(counts.get((table, day - number * _WEEK), 0) for number in range(1, WEEKS + 1))
        # Before its first rows a table had no usual day; by then there are as many weeks as are looked at.
        first = min((at for name, at in counts if name == table), default=day)
        if first > day - WEEKS * _WEEK:
            continue
        silent = min(usual) >= LEAST_ROWS and rows * FACTOR < min(usual)
        flooded = rows >= LEAST_ROWS and rows > max(usual) * FACTOR
        if silent or flooded:
            found.append(UnusualDay(table, rows, usual))
    return found


def statement(database: str, day: date) -> str:
    """The SQL for Athena that counts the rows that were captured on each of the days that are looked at.

    Args:
        database: The ops zone's.
        day: The last of them.
    """
    first = day - WEEKS * _WEEK
    return (
        "SELECT table_name, cast(committed_date AS varchar), sum(rows_written)\n"
        f"FROM {database}.batch_records\n"
        f"WHERE stage = 'capture' AND committed_date BETWEEN DATE '{first}' AND DATE '{day}'\n"
        "GROUP BY 1, 2"
    )


def read_counts(
    ask: Callable[[str], Sequence[Sequence[Any]]], database: str, day: date
) -> dict[tuple[str, date], int]:
    """By table and day, how many rows were captured.

    Args:
        ask: Runs SQL through Athena.
        database: The ops zone's.
        day: The last day.

    Raises:
        UserError: Athena does not answer.
    """
    return {
        (str(table), date.fromisoformat(str(at))): int(rows)
        for table, at, rows in ask(statement(database, day))
    }
