"""Rows with texts of megabytes: they wait on disk, so that a few of them are in memory at a time.

DuckDB sorts and keeps whatever the disk holds, but hands rows on by the thousand: of texts of megabytes a few
dozen are more than a Python shell job has.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pyarrow as pa
import pyarrow.parquet as pq

PIECE_BYTES = 16 << 20
"""About how many bytes of rows are handed on at a time."""

READ_BYTES = 1 << 20
"""About how many bytes are read from disk for one row."""

RowsAt = Callable[[Iterable[tuple[int, int]]], Iterator[pa.RecordBatch]]
"""Gives rows by their places."""

PLACE = ("batch_number", "batch_row")
"""Columns that say where a row lies."""


def row_bytes(path: Path, columns: Iterable[str]) -> int:
    """About how many bytes of some columns a row of a parquet file has, where it has most."""
    metadata = pq.read_metadata(path)
    wanted = {index for index, name in enumerate(metadata.schema.names) if name in set(columns)}
    widest = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = sum(group.column(index).total_uncompressed_size for index in wanted)
        widest = max(widest, size // max(group.num_rows, 1))
    return widest


@contextmanager
def on_disk(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Sequence[str], directory: Path
) -> Iterator[tuple[pa.Table, RowsAt]]:
    """Rows in a file for as long as they are needed.

    Args:
        batches: The rows, few in each batch.
        schema: Their schema.
        order: The columns that they are to be sorted by.
        directory: Where they lie meanwhile.

    Yields:
        These columns of all rows with their places, and what gives rows by place, one in each batch.
    """
    with tempfile.NamedTemporaryFile(dir=directory, suffix=".arrow") as file:
        places = [(name, pa.int64()) for name in PLACE]
        keys = [pa.schema([*(schema.field(name) for name in order), *places]).empty_table()]
        with pa.OSFile(file.name, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for number, batch in enumerate(_pieces(batches)):
                writer.write_batch(batch)
                rows = pa.array(range(batch.num_rows), pa.int64())
                # Copies: whoever keeps one column of a batch from DuckDB keeps all of it.
                copies = [batch.column(schema.get_field_index(name)).take(rows) for name in order]
                numbers = pa.array([number] * batch.num_rows, pa.int64())
                keys.append(pa.table([*copies, numbers, rows], keys[0].schema))
        yield pa.concat_tables(keys), functools.partial(_rows_at, file.name)


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows = max(1, READ_BYTES * batch.num_rows // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _rows_at(path: str, places: Iterable[tuple[int, int]]) -> Iterator[pa.RecordBatch]:
    """Rows by batch and place in it."""
    with pa.OSFile(path) as file, pa.ipc.open_file(file) as reader:
        last, batch = -1, None
        for number, row in places:
            if batch is None or number != last:
                last, batch = number, reader.get_batch(number)
            yield batch.slice(row, 1)


def write_rows(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    """Rows as a file for DuckDB, each batch a row group of its own."""
    # Nobody asks for statistics, and making them copies each text several times.
    plain = {"compression": "snappy", "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(path, schema, **plain) as writer:
        for batch in batches:
            writer.write_batch(batch)
