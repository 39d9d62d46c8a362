"""Results as Athena gives them: values as text, pages through the API, a CSV object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.ipc as ipc

from local_aws.athena.kinds import Type
from local_aws.athena.texts import as_text

Columns = tuple[tuple[str, Type], ...]
"""Names and types of a result's columns."""

_STRING = Type("string")
_NAMES = {"real": "float", "interval day to second": "interval day to second"}
_PRECISIONS = {
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "real": 17,
    "double": 17,
    "varchar": 2_147_483_647,
    "varbinary": 1_073_741_824,
    "timestamp": 3,
    "timestamp with time zone": 3,
    "time": 3,
    "json": 2_147_483_647,
}


def column_info(name: str, kind: Type) -> dict[str, Any]:
    """One member of ``ResultSetMetadata.ColumnInfo``."""
    precision, scale = _PRECISIONS.get(kind.base, 0), 0
    if kind.base == "decimal":
        precision, scale = kind.numbers
    elif kind.base in ("varchar", "char") and kind.length is not None:
        precision = kind.length
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": _NAMES.get(kind.base, kind.base),
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind.base in ("varchar", "char"),
    }


@dataclass(frozen=True)
class Result:
    """A finished result on disk.

    Attributes:
        columns: Names and types of the columns.
        text: An Arrow IPC file with every value as text, from which pages are cut.
        rows: How many rows there are.
        header: Whether the first page begins with the columns' names, as a query's result does.
    """

    columns: Columns
    text: Path
    rows: int
    header: bool

    def page(self, start: int, size: int) -> dict[str, Any]:
        """``ResultSet`` of one page; the header, where there is one, is row 0."""
        lines: list[list[str | None]] = []
        if self.header and start == 0 and size > 0:
            lines.append([name for name, _ in self.columns])
            size -= 1
        first = max(start - 1, 0) if self.header else start
        lines.extend(self._read(first, size))
        return {
            "Rows": [
                {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in line]} for line in lines
            ],
            "ResultSetMetadata": {"ColumnInfo": [column_info(*column) for column in self.columns]},
        }

    def _read(self, start: int, size: int) -> list[list[str | None]]:
        if size <= 0 or not self.columns:
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


def save(batches: Iterator[pa.RecordBatch], columns: Columns, stem: Path) -> int:
    """Write a query's result as pages (``.arrow``) and as the object that Athena leaves in S3 (``.csv``).

    Args:
        batches: The rows.
        columns: Names and types of the columns.
        stem: Where the files go, without ending.

    Returns:
        How many rows there are.
    """
    texts = pa.schema([(name, pa.string()) for name, _ in columns])
    rows = 0
    # Every value in quotes and NULL without: so does Athena tell an empty text from no value.
    options = pa_csv.WriteOptions(include_header=True, quoting_style="all_valid")
    with (
        stem.with_name(f"{stem.name}.arrow").open("wb") as page_file,
        stem.with_name(f"{stem.name}.csv").open("wb") as plain_file,
        ipc.new_file(page_file, texts) as arrow,
    ):
        csv = pa_csv.CSVWriter(plain_file, texts, write_options=options)
        for batch in batches:
            cells = [as_text(column, kind) for column, (_, kind) in zip(batch.columns, columns, strict=True)]
            lines = pa.RecordBatch.from_arrays(cells, schema=texts)
            rows += lines.num_rows
            arrow.write_batch(lines)
            csv.write_batch(lines)
        csv.close()
    return rows


@dataclass(frozen=True)
class Listing:
    """What a statement that only reads the catalogue answers: lines of text.

    Attributes:
        names: The columns' names.
        lines: The rows; the cells of one stand in one text, with tabs between, as Hive prints them.
        type: The columns' type.
    """

    names: tuple[str, ...]
    lines: tuple[str, ...]
    type: Type

    @property
    def columns(self) -> Columns:
        """Names and types of the columns."""
        return tuple((name, self.type) for name in self.names)


def listing(names: Iterable[str], rows: Iterable[tuple[str, ...]], kind: Type = _STRING) -> Listing:
    """A result of texts."""
    return Listing(tuple(names), tuple("\t".join(row) for row in rows), kind)


def padded(*cells: str) -> tuple[str, ...]:
    """The cells of a row as wide as Hive makes them."""
    return tuple(f"{cell:<20}" for cell in cells)


def save_listing(found: Listing, stem: Path) -> int:
    """Write a result of texts as pages, and as the text with tabs that Athena leaves in S3 (``.txt``)."""
    lines = pa.RecordBatch.from_pydict({"line": pa.array(found.lines, pa.string())})
    with (
        stem.with_name(f"{stem.name}.arrow").open("wb") as page_file,
        ipc.new_file(page_file, lines.schema) as arrow,
    ):
        arrow.write_batch(lines)
    stem.with_name(f"{stem.name}.txt").write_bytes("\n".join(found.lines).encode())
    return len(found.lines)


def metadata(columns: Columns) -> bytes:
    """The body of the ``.metadata`` object: the columns, as the API describes them."""
    return json.dumps({"ColumnInfo": [column_info(*column) for column in columns]}).encode()
