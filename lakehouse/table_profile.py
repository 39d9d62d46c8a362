"""What the values of a table look like: counts, nulls, ranges, and the values that come most often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from catalog.model import Column, Contract
from lakehouse.records import Ask

MOST_COMMON = 3
"""Values that are listed of a column."""

FEW_VALUES = 1_000
"""A column with more different values has none that comes often."""


@dataclass(frozen=True)
class ColumnProfile:
    """A column's values.

    Attributes:
        name: The column.
        type: Its type, as contracts name it.
        rows: Rows of the table.
        nulls: Rows without a value.
        distinct: Different values.
        least: The least value.
        greatest: The greatest one.
        common: The values that come most often, each with its number of rows.
    """

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int
    least: str | None
    greatest: str | None
    common: tuple[tuple[str | None, int], ...]

    def as_dict(self) -> dict[str, Any]:
        """The profile as plain data."""
        return asdict(self)


def profile(ask: Ask, contract: Contract) -> Iterator[ColumnProfile]:
    """The profile of each column of a table.

    Args:
        ask: Runs SQL on the lake.
        contract: The table, as the asking role finds it.
    """
    table = f"{contract.zone_info.database}.{contract.table}"
    for column in contract.columns:
        name = column.name
        ((rows, values, distinct, least, greatest),) = ask(
            f"SELECT count(*), count({name}), count(DISTINCT {name}), "  # noqa: S608 - names of contracts
            f"{_text('min', column)}, {_text('max', column)} FROM {table}"
        )
        few = 0 < int(distinct or 0) <= FEW_VALUES
        common = ask(_common(table, column)) if few else ()
        yield ColumnProfile(
            name,
            str(column.type),
            int(rows or 0),
            int(rows or 0) - int(values or 0),
            int(distinct or 0),
            least,
            greatest,
            tuple((value, int(count or 0)) for value, count in common),
        )


def profile_text(rows: int, columns: Sequence[ColumnProfile], line: int | None = None) -> str:
    """The profiles of a table's columns as lines for people.

    Args:
        rows: Of the table.
        columns: Its columns.
        line: Columns of the terminal; between two values a longer line goes on below. Nothing for a file or a
            pipe.
    """
    width = max((len(column.name) for column in columns), default=0)
    lines: list[str] = []

    def add(name: str, facts: Iterable[str]) -> None:
        text = f"{name:<{width}}  "
        for at, fact in enumerate(facts):
            apart = ", " if at else ""
            if line is not None and at and len(f"{text}{apart}{fact},") > line:
                lines.append(f"{text},")
                text, apart = " " * (width + 2), ""
            text += f"{apart}{fact}"
        lines.append(text)

    for column in columns:
        share = f"{100 * column.nulls / rows:.1f} % null" if column.nulls else "no null"
        ranges = f"{column.least} to {column.greatest}" if column.distinct else "no value"
        add(column.name, (str(column.type), f"{column.distinct:,} distinct", share, ranges))
        often = [f"{value} ({count:,})" for value, count in column.common]
        if often and column.distinct < rows:
            add("", [f"most often: {often[0]}", *often[1:]])
    return "\n".join(lines)


def _text(function: str, column: Column) -> str:
    return f"CAST({function}({column.name}) AS varchar)"


def _common(table: str, column: Column) -> str:
    return (
        f"SELECT CAST({column.name} AS varchar), count(*) FROM {table}"  # noqa: S608 - names of contracts
        f" WHERE {column.name} IS NOT NULL GROUP BY {column.name} ORDER BY 2 DESC, 1 LIMIT {MOST_COMMON}"
    )
