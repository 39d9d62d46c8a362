"""Results as Athena gives them: values as text, pages through the API, a CSV object."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc as ipc

from local_stack.athena.types import column_info


@dataclass(frozen=True)
class Result:
    """A finished result on disk.

    Attributes:
        schema: Names and types of the columns.
        text: An Arrow IPC file with every value as text, from which pages are cut.
        rows: How many rows there are.
        header: Whether the first page begins with the columns' names, as a query's result does.
    """

    schema: pa.Schema
    text: Path
    rows: int
    header: bool

    def page(self, start: int, size: int) -> dict[str, Any]:
        """``ResultSet`` of one page; the header, where there is one, is row 0."""
        lines: list[list[str | None]] = []
        if self.header and start == 0 and size > 0:
            lines.append(list(self.schema.names))
            size -= 1
        first = max(start - 1, 0) if self.header else start
        lines.extend(self._read(first, size))
        return {
            "Rows": [
                {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in line]} for line in lines
            ],
            "ResultSetMetadata": {
                "ColumnInfo": [column_info(field.name, field.type) for field in self.schema]
            },
        }

    def _read(self, start: int, size: int) -> list[list[str | None]]:
        if size <= 0 or not self.schema.names:
            return []
        with pa.memory_map(str(self.text)) as source, ipc.open_file(source) as reader:
            table = pa.Table.from_batches(
                [reader.get_batch(index) for index in range(reader.num_record_batches)], reader.schema
            )
            columns = [column.to_pylist() for column in table.slice(start, size).columns]
        return [list(line) for line in zip(*columns, strict=True)]

    @property
    def lines(self) -> int:
        """Rows of all pages together."""
        return self.rows + (1 if self.header else 0)


def save(reader: pa.RecordBatchReader, folder: Path, name: str, *, header: bool) -> tuple[Result, Path]:
    """Write a result as pages and as the object that Athena leaves in S3.

    Args:
        reader: The rows.
        folder: Where the files go.
        name: Their name without ending.
        header: True for a query: CSV with a header. False for SHOW and the like: plain text, tabs between.

    Returns:
        The result, and the CSV or text file.
    """
    schema = reader.schema
    texts = pa.schema([(field.name, pa.string()) for field in schema])
    pages, plain = folder / f"{name}.arrow", folder / f"{name}.{'csv' if header else 'txt'}"
    rows = 0
    # Every value in quotes and NULL without: so does Athena tell an empty text from no value.
    options = pa_csv.WriteOptions(include_header=header, quoting_style="all_valid")
    with (
        pages.open("wb") as page_file,
        plain.open("wb") as plain_file,
        ipc.new_file(page_file, texts) as arrow,
    ):
        csv = pa_csv.CSVWriter(plain_file, texts, write_options=options) if header else None
        for batch in reader:
            lines = pa.RecordBatch.from_arrays([as_text(column) for column in batch.columns], schema=texts)
            rows += lines.num_rows
            arrow.write_batch(lines)
            if csv:
                csv.write_batch(lines)
            else:
                plain_file.write(_tabbed(lines).encode())
        if csv:
            csv.close()
    return Result(schema, pages, rows, header), plain


def _tabbed(lines: pa.RecordBatch) -> str:
    rows = zip(*(column.to_pylist() for column in lines.columns), strict=True)
    return "".join("\t".join(cell or "" for cell in row) + "\n" for row in rows)


def metadata(schema: pa.Schema) -> bytes:
    """The body of the ``.metadata`` object: the columns, as the API describes them."""
    columns = [column_info(field.name, field.type) for field in schema]
    return json.dumps({"ColumnInfo": columns}).encode()


def rows_reader(names: list[str], rows: Iterable[tuple[str | None, ...]]) -> pa.RecordBatchReader:
    """A result of texts, as the statements that only read the catalogue have it."""
    rows = list(rows)
    schema = pa.schema([(name, pa.string()) for name in names])
    columns = [pa.array([row[index] for row in rows], pa.string()) for index in range(len(names))]
    return pa.RecordBatchReader.from_batches(schema, [pa.RecordBatch.from_arrays(columns, schema=schema)])


def as_text(column: pa.Array) -> pa.Array:
    """A column's values as Athena writes them."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        text = column.cast(pa.timestamp("ms"), safe=False).cast(pa.string())
        return _each(text, lambda value: f"{value} UTC") if kind.tz else text
    plain = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date(kind)
    if plain or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    return _each(column, _scalar_text)


def _each(column: pa.Array, change: Any) -> pa.Array:
    return pa.array([None if value is None else change(value) for value in column.to_pylist()], pa.string())


def _scalar_text(value: Any) -> str:
    """One value, also inside of arrays, maps and rows."""
    if value is None:
        return "null"
    return next((write(value) for kind, write in _WRITERS if isinstance(value, kind)), str(value))


def _moment_text(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _list_text(value: list[Any]) -> str:
    if value and isinstance(value[0], tuple):  # a map arrives as its entries
        return _entries_text(value)
    return "[" + ", ".join(_scalar_text(item) for item in value) + "]"


def _entries_text(entries: Iterable[tuple[Any, Any]]) -> str:
    return "{" + ", ".join(f"{_scalar_text(name)}={_scalar_text(item)}" for name, item in entries) + "}"


def double_text(value: float) -> str:
    """A double as Java prints it: plain from a thousandth to ten million, else with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:  # Double.toString's bounds
        text = format(Decimal(repr(value)), "f")
        return text if "." in text else f"{text}.0"
    digits, _, exponent = f"{Decimal(repr(value)):E}".partition("E")
    whole, _, rest = digits.partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}E{int(exponent)}"


# A datetime is a date and a bool an int: the narrower kind stands first.
_WRITERS: list[tuple[type, Callable[[Any], str]]] = [
    (bool, lambda value: "true" if value else "false"),
    (float, double_text),
    (Decimal, lambda value: format(value, "f")),
    (datetime, _moment_text),
    (date, date.isoformat),
    (time, lambda value: value.isoformat("milliseconds")),
    (bytes, lambda value: value.hex(" ")),
    (dict, lambda value: _entries_text(value.items())),
    (list, _list_text),
]
