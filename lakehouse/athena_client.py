"""How Athena's answers are printed: a table for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator

from glue_jobs.runtime.athena import Cell, QueryFailed, QueryResult, run_query

__all__ = ["FORMATS", "QueryFailed", "QueryResult", "run_query"]

_UNFOLDED = 100_000
_NARROWEST = 80
_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "decimal", "double", "float")


def as_table(result: QueryResult) -> str:
    """An aligned table with types, and below it rows, bytes scanned and seconds."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, kind in result.columns:
        heading = Text(name, style="bold") + Text(f"\n{kind}", style="dim")
        table.add_column(heading, justify="right" if _is_number(kind) else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*(Text("NULL", style="dim") if cell is None else Text(cell) for cell in row))
    out = io.StringIO()
    # In a file or a pipe nothing need be folded; a person's screen is as wide as it is.
    screen = Console()
    wide = screen.width if screen.is_terminal else Console(width=_UNFOLDED).measure(table).maximum + 1
    console = Console(file=out, width=max(wide, _NARROWEST), force_terminal=screen.is_terminal)
    if result.columns:
        console.print(table)
    count = len(result.rows)
    rows = f"{count:,} row{'' if count == 1 else 's'}" if result.columns else "done"
    console.print(
        f"{rows}, {_size(result.bytes_scanned)} scanned, {result.seconds:.2f} s", style="dim", highlight=False
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _size(number: int) -> str:
    amount = float(number)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # decimal units
            return f"{number:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def as_csv(result: QueryResult) -> str:
    """CSV with a header; NULL is an empty field, an empty text is ``""``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in result.columns])
    for row in result.rows:
        if row == ("",) or any(cell == "" for cell in row):
            out.write(",".join(_csv_cell(cell) for cell in row) + "\n")
        else:
            writer.writerow(["" if cell is None else cell for cell in row])
    return out.getvalue().removesuffix("\n")


def _csv_cell(cell: Cell) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'


def as_json(result: QueryResult) -> str:
    """A JSON array of objects by column name; numbers are exact, dates and times are strings."""
    return "[" + ",\n ".join(_json_object(result.columns, row) for row in result.rows) + "]"


def _json_object(columns: list[tuple[str, str]], row: tuple[Cell, ...]) -> str:
    return "{" + ", ".join(_json_members(columns, row)) + "}"


def _json_members(columns: list[tuple[str, str]], row: tuple[Cell, ...]) -> Iterator[str]:
    for (name, kind), cell in zip(columns, row, strict=True):
        yield f"{json.dumps(name, ensure_ascii=False)}: {_json_value(kind, cell)}"


def _json_value(kind: str, cell: Cell) -> str:
    if cell is None or (_is_number(kind) and cell.lstrip("-") in ("NaN", "Infinity")):
        return "null"  # JSON has no number for NaN and infinity
    if _is_number(kind) or kind == "boolean":
        return cell  # the text itself is the JSON: a decimal keeps every digit
    return json.dumps(cell, ensure_ascii=False)


def _is_number(kind: str) -> bool:
    return kind.partition("(")[0] in _NUMBERS


FORMATS: dict[str, Callable[[QueryResult], str]] = {"table": as_table, "csv": as_csv, "json": as_json}
"""How ``lakehouse sql`` prints a result."""
