"""Parquet files of one table, written as rows stream in and handed on as each is full."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Optional, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.model import Contract

ROWS_PER_FILE = 200_000
"""A rejected row has its file written again without it, which is not to cost more than to judge them all."""

BYTES_PER_FILE = 128 << 20


class Deliver(Protocol):
    """Takes a finished file, which is its own from then on; called from several threads."""

    def __call__(self, contract: Contract, table: str, path: Path, rows: int, /) -> None:
        """Take a file.

        Args:
            contract: The table that takes the rows.
            table: The source table that they are of.
            path: The file.
            rows: How many they are.
        """


class PartNumbers:
    """Numbers for the files of one table, shared by writers in several threads."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def next_name(self) -> str:
        """The next file's name, ``part-00000.parquet`` first."""
        return f"part-{next(self._numbers):05d}.parquet"


class PartWriter:
    """Writes batches into files of bounded size; a batch is a row group. Without rows there is no file.

    Args:
        folder: Where files are made.
        numbers: Names for them.
        schema: The files' schema.
        deliver: Is given every finished file and the number of its rows.
        unique: Columns whose values do not repeat.
    """

    def __init__(
        self,
        folder: Path,
        numbers: PartNumbers,
        schema: pa.Schema,
        deliver: Callable[[Path, int], None],
        unique: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._numbers = numbers
        self._schema = schema
        self._deliver = deliver
        self._unique = unique
        self._path: Optional[Path] = None
        self._file: Optional[pa.NativeFile] = None
        self._writer: Optional[pq.ParquetWriter] = None
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        if not batch.num_rows:
            return
        if self._writer is None:
            self._open()
        assert self._writer is not None and self._file is not None  # noqa: PT018, S101 - for mypy
        self._writer.write_batch(batch)
        self._rows += batch.num_rows
        if self._rows >= ROWS_PER_FILE or self._file.tell() >= BYTES_PER_FILE:
            self.close()

    def close(self) -> None:
        """Finish the open file, if there is one, and hand it on."""
        if self._writer is None or self._path is None or self._file is None:
            return
        self._writer.close()
        self._file.close()
        path, rows = self._path, self._rows
        self._path = self._file = self._writer = None
        self._rows = 0
        self._deliver(path, rows)

    def _open(self) -> None:
        self._path = self._folder / self._numbers.next_name()
        self._file = pa.OSFile(str(self._path), "wb")
        # Numbers and times hardly repeat: a dictionary of them triples the cost of writing and saves nothing.
        repeating = [
            field.name
            for field in self._schema
            if (pa.types.is_string(field.type) and field.name not in self._unique)
            or pa.types.is_dictionary(field.type)
            or pa.types.is_decimal(field.type)
            or field.name == "captured_at"
        ]
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="snappy",
            use_dictionary=repeating,
            # Whoever reads the file sees text, however it was held here.
            store_schema=not any(pa.types.is_dictionary(field.type) for field in self._schema),
        )
