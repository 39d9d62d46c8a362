"""How answers are printed: a table for people, CSV and JSON for programs, files of other kinds."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glue_jobs.runtime.athena import Cell, QueryResult
from glue_jobs.runtime.errors import UserError
from lakehouse.terminal import counted, grouped

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Sequence[tuple[str, str]]
"""Name and Athena type of each column."""

Rows = Iterable[tuple[Cell, ...]]

FEW_ROWS = 1_000
"""Rows of a table that a person reads, unless more are asked for."""

_WIDE = 100_000
_WHOLE_NUMBERS = ("tinyint", "smallint", "integer", "bigint")
_NUMBERS = (*_WHOLE_NUMBERS, "decimal", "double", "float", "real")
_NAMES_SOMETHING = re.compile(
    r"(^|_)(id|key|number|sequence|batch|version|code|year|month|day|quarter|week)$", re.IGNORECASE
)
"""Whole numbers of these columns name something: nobody groups their digits."""


def table_text(result: QueryResult, width: int | None = None) -> str:
    """The rows as an aligned table with types, one below the other where a line would be too long.

    No cell is ever folded or cut. Below are the numbers of rows, bytes scanned and seconds.

    Args:
        result: The answer.
        width: Columns of the terminal that it is for, on which numbers are grouped as people read them;
            nothing for a file or a pipe.
    """
    cells = [[_shown(name, kind, cell, width) for (name, kind), cell in zip(result.columns, row, strict=True)]
             for row in result.rows]  # fmt: skip
    text = ""
    if result.columns:
        text = _across(result.columns, result.rows, cells, is_terminal=width is not None)
        if width is not None and max(map(_width, text.splitlines())) > width:
            text = _down(result.columns, cells)
    rows = counted(len(result.rows), "row") if result.columns else "done"
    return f"{text}{rows}, {_size(result.bytes_scanned)} scanned, {result.seconds:.2f} s"


def _across(columns: Columns, rows: Rows, cells: Sequence[Sequence[str]], *, is_terminal: bool) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, kind in columns:
        heading = Text(name, style="bold") + Text(f"\n{kind}", style="dim")
        table.add_column(heading, justify="right" if is_number(kind) else "left", no_wrap=True)
    for row, texts in zip(rows, cells, strict=True):
        styled = zip(row, texts, strict=True)
        table.add_row(*(Text(text, style="dim" if cell is None else "") for cell, text in styled))
    out = io.StringIO()
    Console(file=out, width=_WIDE, force_terminal=is_terminal).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _down(columns: Columns, cells: Sequence[Sequence[str]]) -> str:
    names = [name for name, _ in columns]
    width = max(map(len, names))
    lines = []
    for number, row in enumerate(cells, 1):
        lines.append(f"-- row {number:,} ".ljust(width + 12, "-"))
        lines += [f"{name:<{width}}  {text}" for name, text in zip(names, row, strict=True)]
    return "".join(f"{line}\n" for line in lines)


def _shown(name: str, kind: str, cell: Cell, width: int | None) -> str:
    if cell is None:
        return "NULL"
    base = kind.partition("(")[0]
    if width is None or (base not in _WHOLE_NUMBERS and base != "decimal"):
        return cell
    return cell if base in _WHOLE_NUMBERS and _NAMES_SOMETHING.search(name) else grouped(cell)


def _width(line: str) -> int:
    from rich.text import Text

    return Text.from_ansi(line).cell_len


def _size(number: int) -> str:
    amount = float(number)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # decimal units
            return f"{number:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def csv_lines(columns: Columns, rows: Rows) -> Iterator[str]:
    """CSV with a header; NULL is an empty field, an empty text is ``""``."""
    yield _csv_line([name for name, _ in columns])
    for row in rows:
        if any(cell == "" for cell in row):
            yield ",".join(_csv_cell(cell) for cell in row)
        else:
            yield _csv_line(["" if cell is None else cell for cell in row])


def _csv_line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def _csv_cell(cell: Cell) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'


def json_lines(columns: Columns, rows: Rows) -> Iterator[str]:
    """A JSON array of objects by column name; numbers are exact, dates and times are strings."""
    objects = (_json_object(columns, row) for row in rows)
    last, begin = next(objects, None), "["
    if last is None:
        yield "[]"
        return
    for following in objects:
        yield f"{begin}{last},"
        last, begin = following, " "
    yield f"{begin}{last}]"


def _json_object(columns: Columns, row: tuple[Cell, ...]) -> str:
    return "{" + ", ".join(_json_members(columns, row)) + "}"


def _json_members(columns: Columns, row: tuple[Cell, ...]) -> Iterator[str]:
    for (name, kind), cell in zip(columns, row, strict=True):
        yield f"{json.dumps(name, ensure_ascii=False)}: {_json_value(kind, cell)}"


def _json_value(kind: str, cell: Cell) -> str:
    if cell is None or (is_number(kind) and cell.lstrip("-") in ("NaN", "Infinity")):
        return "null"  # JSON has no number for NaN and infinity
    if is_number(kind) or kind == "boolean":
        return cell  # the text itself is the JSON: a decimal keeps every digit
    return json.dumps(cell, ensure_ascii=False)


def is_number(kind: str) -> bool:
    """Whether an Athena type is one of numbers."""
    return kind.partition("(")[0] in _NUMBERS


# ---------------------------------------------------------------------- files

_BATCH_ROWS = 10_000
_EXCEL_ROWS = 1_048_576
_EXCEL_DIGITS = 15
"""Excel keeps no more of a number: longer ones are written as texts, so that nothing is lost."""


def write_file(path: Path, columns: Columns, rows: Rows) -> int:
    """Write an answer to a file of the kind that its name says: .csv, .json, .parquet or .xlsx.

    The file appears whole, or not at all.

    Args:
        path: The file; one that is there is replaced.
        columns: The answer's columns.
        rows: The answer's rows.

    Returns:
        How many rows were written.

    Raises:
        UserError: The kind is not known, or Excel cannot hold so many rows.
    """
    check_kind(path)
    written = itertools.count()

    def counting() -> Iterator[tuple[Cell, ...]]:
        for row in rows:
            next(written)
            yield row

    fresh = path.with_name(f".{path.name}.part")
    try:
        _WRITERS[path.suffix](fresh, columns, counting())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return next(written)


def check_kind(path: Path) -> None:
    """Refuse a file of a kind that nobody can write, or in no directory, before a query runs for it.

    Raises:
        UserError: As `write_file` does.
    """
    if path.suffix not in _WRITERS:
        raise UserError(f"{path} has no known kind.", f"Name a file that ends in {', '.join(_WRITERS)}.")
    if not path.parent.is_dir():
        raise UserError(f"There is no directory {path.parent}.", "Make it, or name another file.")


def _write_csv(path: Path, columns: Columns, rows: Rows) -> None:
    _write_lines(path, csv_lines(columns, rows))


def _write_json(path: Path, columns: Columns, rows: Rows) -> None:
    _write_lines(path, json_lines(columns, rows))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in lines)


def _write_parquet(path: Path, columns: Columns, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, arrow_type(kind)) for name, kind in columns])
    remaining = iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(remaining, _BATCH_ROWS)):
            texts = zip(*batch, strict=True)
            arrays = [
                pa.array(cells, pa.string()).cast(field.type)
                for cells, field in zip(texts, schema, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))


def arrow_type(kind: str) -> pa.DataType:
    """The type of a parquet column of an Athena type; what has no other stays Athena's own text."""
    import pyarrow as pa

    base, _, digits = kind.partition("(")
    if base == "decimal":
        precision, scale = digits.rstrip(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    simple = {
        "tinyint": pa.int8(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
        "double": pa.float64(), "float": pa.float32(), "real": pa.float32(), "boolean": pa.bool_(),
        "date": pa.date32(), "timestamp": pa.timestamp("ms"),
    }  # fmt: skip
    return simple.get(kind, pa.string())


def _write_excel(path: Path, columns: Columns, rows: Rows) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        for place, (name, _) in enumerate(columns):
            sheet.write_string(0, place, name, bold)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows, 1):
            if number >= _EXCEL_ROWS:
                most = f"Excel holds no more than {_EXCEL_ROWS - 1:,} rows."
                raise UserError(most, "Write .csv or .parquet instead.")
            for place, ((_, kind), cell) in enumerate(zip(columns, row, strict=True)):
                # A text that begins with = + - @ stays a text: nothing is ever taken for a formula.
                if cell is not None and is_number(kind) and _fits_excel(cell):
                    sheet.write_number(number, place, float(cell))
                elif cell is not None:
                    sheet.write_string(number, place, cell)


def _fits_excel(cell: str) -> bool:
    digits = cell.partition("E")[0].lstrip("-").replace(".", "").lstrip("0")
    return (digits.isdigit() and len(digits) <= _EXCEL_DIGITS) or cell.strip("-0.") == ""


_WRITERS: Mapping[str, Callable[[Path, Columns, Rows], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
    ".xlsx": _write_excel,
}
