"""Parquet objects as every engine writes them: cut at stated sizes, put once, measured when written."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glue_jobs.engine.protocol import OBJECT_BYTES, OBJECT_ROWS, Destination
from glue_jobs.lake import objects
from glue_jobs.lake.commits import DataObject
from glue_jobs.lake.key_limits import KeyLimits
from glue_jobs.runtime.aws import S3Client

GROUP_ROWS = 122_880
"""Rows of a row group: as many as DuckDB takes in one piece."""

GROUP_BYTES = 16 << 20
"""Weight of a row group: readers hold one whole, so that texts of megabytes come a few at a time."""

SAMPLE_ROWS = 1_024
"""Rows that tell whether texts repeat."""

STATED_BYTES = 4 << 10
"""Bytes of a text up to which Arrow states it in a file's statistics."""

_FIXED_BYTES = 8
"""What a value weighs that is not text."""


def sql_type(arrow: pa.DataType) -> str:
    """The SQL type of a column, as both engines spell it in a cast.

    Raises:
        TypeError: Lake files hold no such type.
    """
    if pa.types.is_decimal128(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "TIMESTAMP"
    names = {
        pa.int32(): "INT",
        pa.int64(): "BIGINT",
        pa.bool_(): "BOOLEAN",
        pa.string(): "STRING",
        pa.date32(): "DATE",
        pa.float64(): "DOUBLE",
        pa.float32(): "FLOAT",
    }
    if arrow not in names:
        raise TypeError(f"lake files hold no {arrow}")
    return names[arrow]


def check_columns(columns: dict[str, str], destination: Destination) -> None:
    """Compare a query's columns with a destination's.

    Args:
        columns: SQL types by name, spelled as :func:`sql_type` spells them.
        destination: The destination.

    Raises:
        TypeError: A column is missing, or of another type than the contract's.
    """
    for field in destination.schema:
        wanted, found = sql_type(field.type), columns.get(field.name, "nothing")
        if found != wanted:
            raise TypeError(f"{destination.prefix}: column {field.name} is to be {wanted} and is {found}")
    partition_by = () if destination.partition_by is None else (destination.partition_by,)
    missing = {*destination.order, *destination.key, *partition_by} - set(columns)
    if missing:
        raise TypeError(f"{destination.prefix}: the query has no column {', '.join(sorted(missing))}")


class ObjectWriter:
    """Writes the sorted rows of one task into objects, each finished one put at once.

    Where an object or a row group ends follows from the rows alone, and not from the batches that they come
    in: a task that is repeated writes the same bytes under the same keys.

    Args:
        s3: A boto3 ``s3`` client.
        destination: Where and how.
        task: The number of the task; part of every key.
        directory: Where an object lies until it is put.
    """

    def __init__(
        self, s3: S3Client, destination: Destination, task: int, directory: Optional[Path] = None
    ) -> None:
        self._s3 = s3
        self._destination = destination
        self._task = task
        self._directory = directory
        self._written: dict[str, list[DataObject]] = {}
        self._value: Optional[str] = None
        self._object: Optional[_OpenObject] = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows: the destination's columns and, as text, its partition column."""
        if not self._destination.partition_by:
            self._append("", batch)
            return
        for value, rows in _by_value(batch, self._destination.partition_by):
            if value != self._value:
                self._put()
            self._append(value, rows)

    def close(self) -> dict[str, tuple[DataObject, ...]]:
        """Put what is still open.

        Returns:
            The objects, by partition value.
        """
        self._put()
        return {value: tuple(written) for value, written in sorted(self._written.items())}

    def abandon(self) -> None:
        """Drop what is still open."""
        if self._object is not None:
            self._object.drop()
            self._object = None

    def _append(self, value: str, batch: pa.RecordBatch) -> None:
        rows = conform(batch, self._destination.schema)
        weights = _weights(rows)
        while rows.num_rows:
            if self._object is None:
                self._value = value
                self._object = _OpenObject(self._destination, self._directory)
            taken = self._object.append(rows, weights)
            rows, weights = rows.slice(taken), weights[taken:]
            if self._object.full:
                self._put()

    def _put(self) -> None:
        if self._object is None or self._value is None:
            return
        finished, self._object = self._object, None
        written = self._written.setdefault(self._value, [])
        number = f"-{len(written)}" if written else ""
        key = f"{self._destination.location(self._value)}part-{self._task:05d}{number}.parquet"
        written.append(finished.put(self._s3, self._destination.bucket, key))


class _OpenObject:
    """One object under way: a parquet file on disk and the row group that is being filled."""

    def __init__(self, destination: Destination, directory: Optional[Path]) -> None:
        self._destination = destination
        self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - open for as long as the object
            dir=directory, suffix=".parquet"
        )
        self._writer: Optional[pq.ParquetWriter] = None
        self._group: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0
        self._rows = self._bytes = 0
        self._limits = KeyLimits(destination.key)

    @property
    def full(self) -> bool:
        """Whether the next row belongs to another object."""
        return self._rows >= OBJECT_ROWS or self._bytes >= OBJECT_BYTES

    def append(self, rows: pa.RecordBatch, weights: np.ndarray[Any, Any]) -> int:
        """Take rows until the row group or the object is full; says how many were taken."""
        room = min(GROUP_ROWS - self._group_rows, OBJECT_ROWS - self._rows)
        weight = min(GROUP_BYTES - self._group_bytes, OBJECT_BYTES - self._bytes)
        sums = np.cumsum(weights[:room])
        # The row that fills the group still belongs to it.
        taken = min(int(np.searchsorted(sums, weight)) + 1, len(sums))
        self._group.append(rows.slice(0, taken))
        self._group_rows += taken
        self._rows += taken
        self._group_bytes += int(sums[taken - 1])
        self._bytes += int(sums[taken - 1])
        if self._group_rows >= GROUP_ROWS or self._group_bytes >= GROUP_BYTES or self.full:
            self._flush()
        return taken

    def put(self, s3: S3Client, bucket: str, key: str) -> DataObject:
        """Finish the file and put it."""
        try:
            self._flush()
            self._close()
            data = objects.upload(s3, bucket, key, Path(self._file.name), self._rows)
            low, high = self._limits.range
            return dataclasses.replace(data, key_min=low, key_max=high)
        finally:
            self.drop()

    def drop(self) -> None:
        """Give the file up."""
        self._group = []
        self._close()
        self._file.close()

    def _close(self) -> None:
        if self._writer is not None and self._writer.is_open:
            self._writer.close()

    def _flush(self) -> None:
        if not self._group:
            return
        # One chunk: the pages of a file follow the chunks that it is written from.
        table = pa.Table.from_batches(self._group, schema=self._destination.schema).combine_chunks()
        self._group, self._group_rows, self._group_bytes = [], 0, 0
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file.name, table.schema, **_options(table))
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._limits.add(table)


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of a schema out of a batch, in its order and exactly of its types.

    Raises:
        ValueError: A column that may not be empty is, or a time has more digits than the schema's.
    """
    columns = []
    for field in schema:
        column = batch.column(batch.schema.get_field_index(field.name))
        if column.type != field.type:
            column = column.cast(field.type)
        if column.null_count and not field.nullable:
            raise ValueError(
                f"column {field.name} may not be empty, and {column.null_count} rows leave it out"
            )
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _options(table: pa.Table) -> dict[str, Any]:
    """How an object is encoded, from the first rows of it alone."""
    names = table.schema.names
    repeating = [name for name in names if _repeats(table.column(name))]
    measured = [name for name in names if not _is_long(table.column(name))]
    return {"compression": "zstd", "use_dictionary": repeating or False, "write_statistics": measured}


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether values come again so often that a dictionary of them saves something."""
    # Whole numbers, keys above all, hardly repeat; times, as text and as numbers, often do not either.
    if pa.types.is_integer(column.type):
        return False
    sample = column.slice(0, SAMPLE_ROWS)
    return 2 * int(pc.count_distinct(sample).as_py()) <= len(sample)


def _is_long(column: pa.ChunkedArray) -> bool:
    """Whether texts are so long that a file holds no smallest and largest: to find them would copy them."""
    return pa.types.is_string(column.type) and (pc.max(pc.binary_length(column)).as_py() or 0) > STATED_BYTES


def _by_value(batch: pa.RecordBatch, partition_by: str) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The runs of equal partition values in a sorted batch."""
    values = batch.column(batch.schema.get_field_index(partition_by))
    if values.null_count:
        raise ValueError(f"{values.null_count} rows have no {partition_by}: they belong to no partition")
    if not len(values):
        return
    runs = pc.run_end_encode(values)
    start = 0
    for value, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist()):
        yield value, batch.slice(start, end - start)
        start = end


def _weights(batch: pa.RecordBatch) -> np.ndarray[Any, Any]:
    """About how many bytes each row takes in memory, from its values alone."""
    weights = np.full(batch.num_rows, _FIXED_BYTES * batch.num_columns, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type):
            weights += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return weights
