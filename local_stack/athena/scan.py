"""Reading a table's files: only the partitions, columns and row groups that a query asks for.

DuckDB hands the columns that it needs and the filters that it could push down to the dataset's ``scanner``.
That is the moment when everything about a scan is known, so partitions are dropped, files are listed and
checked, and bytes are counted there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from local_stack.athena.catalogue import NULL_PARTITION, Partition, Table
from local_stack.athena.errors import QueryError
from local_stack.athena.types import readable_as, trino_name

PathOf = Callable[[str, str], Path]
"""From bucket and key to the file that holds the object."""

_FORMAT = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"))
_FILES = LocalFileSystem()
_LISTINGS = 8
"""Partitions up to which each is listed by itself; above, one listing of the table serves all."""


class Storage:
    """Lists objects through S3 and names the local files that hold them."""

    def __init__(self, s3: Any, path_of: PathOf) -> None:
        self._s3 = s3
        self._path_of = path_of

    def files(self, location: str) -> list[tuple[str, Path]]:
        """The data files under a location, as ``(s3 URI, path)``; hidden and empty ones are left out."""
        bucket, prefix = split_uri(location)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [item for page in pages for item in page.get("Contents", []) if item["Size"]]
        return [
            (f"s3://{bucket}/{item['Key']}", self._path_of(bucket, item["Key"]))
            for item in found
            if not item["Key"].rpartition("/")[2].startswith(("_", "."))
        ]


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and folder prefix (ending in ``/``, or empty) of an ``s3://`` location."""
    parts = urlsplit(uri)
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


class ScanLog:
    """What one query has read, shared by all its scans.

    Attributes:
        bytes: Compressed bytes of the column chunks read so far.
        rows: Rows in the row groups read so far.
        partitions: Locations of the partitions read.
        error: The first refusal, kept because DuckDB would wrap it.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.bytes = 0
        self.rows = 0
        self.partitions: set[str] = set()
        self.error: Exception | None = None
        self._limit = limit
        self._lock = threading.Lock()

    def add(self, location: str, size: int, rows: int) -> None:
        """Count one file's share.

        Raises:
            QueryError: The work group's limit on bytes scanned is passed.
        """
        with self._lock:
            self.partitions.add(location)
            self.bytes += size
            self.rows += rows
            if self._limit is not None and self.bytes > self._limit:
                raise QueryError("", "Bytes scanned limit was exceeded", cancelled=True)


class TableDataset(ds.FileSystemDataset):  # type: ignore[misc]
    """A catalogue table as an Arrow dataset whose partitions stand in for their files until a scan begins."""

    def __init__(self, table: Table, partitions: list[Partition], storage: Storage, log: ScanLog) -> None:
        schema = table.schema()
        keys = [schema.field(column.name) for column in table.partition_keys]
        fragments = [
            _FORMAT.make_fragment(part.location or "/", _FILES, _guarantee(keys, part.values))
            for part in partitions
        ]
        super().__init__(fragments, schema, _FORMAT, _FILES)
        self._table = table
        self._storage = storage
        self._log = log

    def scanner(self, columns: list[str] | None = None, filter: Any = None, **rest: Any) -> Any:  # noqa: A002
        """Open the files of the partitions that a filter leaves (called by DuckDB)."""
        try:
            wanted = set(columns if columns is not None else self.schema.names)
            fragments = list(self._open(wanted, filter))
        except Exception as error:
            self._log.error = self._log.error or error
            raise
        files = ds.FileSystemDataset(fragments, self.schema, _FORMAT, _FILES)
        return files.scanner(columns=columns, filter=filter, **rest)

    def _open(self, wanted: set[str], condition: Any) -> Iterator[Any]:
        kept = list(self.get_fragments(filter=condition))
        listed = self._listing([fragment.path for fragment in kept])
        for part in kept:
            for uri, path in listed(part.path):
                fragment = _FORMAT.make_fragment(str(path), _FILES, part.partition_expression)
                self._check(fragment, uri, wanted)
                if condition is not None:
                    fragment = fragment.subset(filter=condition, schema=self.schema)
                self._count(part.path, fragment, wanted)
                if fragment.row_groups:
                    yield fragment

    def _listing(self, locations: list[str]) -> Callable[[str], list[tuple[str, Path]]]:
        inside = self._table.location.rstrip("/") + "/"
        if len(locations) <= _LISTINGS or not all(location.startswith(inside) for location in locations):
            return self._storage.files
        everything = self._storage.files(inside)
        by_folder: dict[str, list[tuple[str, Path]]] = {}
        for uri, path in everything:
            by_folder.setdefault(uri.rpartition("/")[0], []).append((uri, path))

        def under(location: str) -> list[tuple[str, Path]]:
            folder = location.rstrip("/")
            return by_folder.get(folder) or [item for item in everything if item[0].startswith(folder + "/")]

        return under

    def _check(self, fragment: Any, uri: str, wanted: set[str]) -> None:
        try:
            physical = fragment.physical_schema
        except (OSError, pa.ArrowInvalid) as error:
            raise QueryError("HIVE_BAD_DATA", f"Not valid Parquet file: {uri} ({_short(error)})") from None
        keys = {column.name for column in self._table.partition_keys}
        for name in wanted - keys:
            index = physical.get_field_index(name)
            declared = self.schema.field(name).type
            if index >= 0 and not readable_as(physical.field(index).type, declared):
                raise QueryError(
                    "HIVE_BAD_DATA",
                    f"Field {name}'s type {trino_name(physical.field(index).type).upper()} in parquet file "
                    f"{uri} is incompatible with type {trino_name(declared)} defined in table schema",
                )

    def _count(self, location: str, fragment: Any, wanted: set[str]) -> None:
        size = rows = 0
        for group in fragment.row_groups:
            chunks = fragment.metadata.row_group(group.id)
            rows += chunks.num_rows
            for index in range(chunks.num_columns):
                chunk = chunks.column(index)
                if chunk.path_in_schema.partition(".")[0] in wanted:
                    size += chunk.total_compressed_size
        self._log.add(location, size, rows)


def _guarantee(keys: list[pa.Field], values: tuple[str, ...]) -> Any:
    """What holds for every row of a partition: its columns equal these constants."""
    if not keys:
        return pc.scalar(True)
    return reduce(and_, (_equals(key, value) for key, value in zip(keys, values, strict=True)))


def _equals(key: pa.Field, value: str) -> Any:
    constant = partition_value(key, value)
    return pc.field(key.name) == constant if constant.is_valid else pc.field(key.name).is_null()


def partition_value(key: pa.Field, value: str) -> pa.Scalar:
    """A partition's value in the type that its column declares.

    Raises:
        QueryError: The catalogue's text is no value of that type.
    """
    if value == NULL_PARTITION:
        return pa.scalar(None, key.type)
    try:
        return pa.scalar(value).cast(key.type)
    except pa.ArrowInvalid:
        raise QueryError(
            "HIVE_INVALID_PARTITION_VALUE",
            f"Invalid partition value '{value}' for {trino_name(key.type)} partition key: {key.name}",
        ) from None


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
