"""Reading a table's files: only the partitions, columns and row groups that a query asks for.

DuckDB hands the columns that it needs and the filters that it could push down to the dataset's ``scanner``.
That is the moment when everything about a scan is known, so partitions are dropped, files are listed and
checked, and bytes are counted there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from local_aws.athena.catalog_reader import NULL_PARTITION, Partition, Table
from local_aws.athena.filetypes import arrow_name, in_milliseconds, needs_conversion, readable_as
from local_aws.athena.query_errors import QueryError
from local_aws.athena.textfiles import read_text_table
from local_aws.athena.typenames import hive_type

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ListFiles = Callable[[str], list[tuple[str, Path]]]
"""From a location to its data files, as ``(s3 URI, path)``."""

PathOf = Callable[[str, str], Path]
"""From bucket and key to the file that holds the object."""

_FORMAT = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"))
_FILES = LocalFileSystem()
_LISTINGS = 8
"""Partitions up to which each is listed by itself; above, one listing of the table serves all."""


class Storage:
    """Lists objects through S3 and names the local files that hold them."""

    def __init__(self, s3: S3Client, path_of: PathOf) -> None:
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


PATH = "$path"
"""The hidden column that says which object a row comes from."""


def open_table(table: Table, partitions: list[Partition], files: ListFiles, log: ScanLog) -> Any:
    """A table's rows, for DuckDB: a dataset that opens its files when a scan begins.

    Raises:
        QueryError: The table has a format that this stack does not read.
    """
    if "parquet" in table.serde.lower():
        return TableDataset(table, partitions, files, log)
    return read_text_table(table, partitions, files, log)


def open_partitions(table: Table, partitions: list[Partition]) -> pa.Table:
    """The rows of ``"table$partitions"``: the values of the partition columns."""
    return with_keys(table, partitions).drop_columns(["#"])


def with_keys(table: Table, partitions: list[Partition]) -> pa.Table:
    """The values of the partition columns, and the place of each partition as ``#``."""
    keys = [table.schema().field(column.name) for column in table.partition_keys]
    rows = [
        {key.name: partition_value(key, value).as_py() for key, value in zip(keys, part.values, strict=True)}
        | {"#": place}
        for place, part in enumerate(partitions)
    ]
    return pa.Table.from_pylist(rows, pa.schema([*keys, ("#", pa.int64())]))


class TableDataset(ds.FileSystemDataset):  # type: ignore[misc]
    """A catalogue table as an Arrow dataset whose partitions stand in for their files until a scan begins."""

    def __init__(self, table: Table, partitions: list[Partition], files: ListFiles, log: ScanLog) -> None:
        schema = table.schema().append(pa.field(PATH, pa.string()))
        keys = [schema.field(column.name) for column in table.partition_keys]
        fragments = [
            _FORMAT.make_fragment(part.location or "/", _FILES, _guarantee(keys, part.values))
            for part in partitions
        ]
        super().__init__(fragments, schema, _FORMAT, _FILES)
        self._table = table
        self._list = files
        self._log = log
        self._values = {part.location or "/": part.values for part in partitions}

    def scanner(self, columns: list[str] | None = None, filter: Any = None, **rest: Any) -> Any:  # noqa: A002
        """Open the files of the partitions that a filter leaves (called by DuckDB)."""
        try:
            wanted = set(columns if columns is not None else self.schema.names)
            plain: list[Any] = []
            odd: list[pa.Table] = []
            self._open(wanted, filter, plain, odd)
        except Exception as error:
            self._log.error = self._log.error or error
            raise
        found = ds.FileSystemDataset(plain, self.schema, _FORMAT, _FILES)
        if odd:
            found = ds.dataset([found, ds.InMemoryDataset(odd, schema=self.schema)])
        return found.scanner(columns=columns, filter=filter, **rest)

    def _open(self, wanted: set[str], condition: Any, plain: list[Any], odd: list[pa.Table]) -> None:
        kept = list(self.get_fragments(filter=condition))
        listed = self._listing([fragment.path for fragment in kept])
        for part in kept:
            for uri, path in listed(part.path):
                where = part.partition_expression & (pc.field(PATH) == uri)
                fragment = _FORMAT.make_fragment(str(path), _FILES, where)
                if self._check(fragment, uri, wanted):
                    needed = wanted | {
                        name
                        for name in self.schema.names
                        if re.search(rf"\b{re.escape(name)}\b", str(condition))
                    }
                    odd.append(self._converted(fragment, uri, needed, self._values[part.path]))
                    self._count(part.path, fragment, wanted)
                    continue
                if condition is not None:
                    fragment = fragment.subset(filter=condition, schema=self.schema)
                self._count(part.path, fragment, wanted)
                if fragment.row_groups:
                    plain.append(fragment)

    def _converted(self, fragment: Any, uri: str, wanted: set[str], values: tuple[str, ...]) -> pa.Table:
        """A file whose names or types are not the table's own, as the table has them."""
        names = {name.lower(): name for name in fragment.physical_schema.names}
        read = [names[name] for name in wanted if name in names]
        rows = fragment.scanner(columns=read).to_table()
        keys = dict(zip((key.name for key in self._table.partition_keys), values, strict=True))
        columns = []
        for field in self.schema:
            if field.name == PATH:
                column = pa.repeat(pa.scalar(uri), rows.num_rows)
            elif field.name in keys:
                column = pa.repeat(partition_value(field, keys[field.name]), rows.num_rows)
            elif field.name in names and field.name in wanted:
                column = _as_declared(rows.column(names[field.name]), field.type)
            else:
                column = pa.nulls(rows.num_rows, field.type)
            columns.append(column)
        return pa.Table.from_arrays(columns, schema=self.schema)

    def _listing(self, locations: list[str]) -> Callable[[str], list[tuple[str, Path]]]:
        inside = self._table.location.rstrip("/") + "/"
        if len(locations) <= _LISTINGS or not all(location.startswith(inside) for location in locations):
            return self._list
        everything = self._list(inside)
        by_folder: dict[str, list[tuple[str, Path]]] = {}
        for uri, path in everything:
            by_folder.setdefault(uri.rpartition("/")[0], []).append((uri, path))

        def under(location: str) -> list[tuple[str, Path]]:
            folder = location.rstrip("/")
            return by_folder.get(folder) or [item for item in everything if item[0].startswith(folder + "/")]

        return under

    def _check(self, fragment: Any, uri: str, wanted: set[str]) -> bool:
        """Whether a file must be converted; refused where it cannot be read as the table says."""
        try:
            physical = fragment.physical_schema
        except (OSError, pa.ArrowInvalid) as error:
            raise QueryError("HIVE_BAD_DATA", f"Not valid Parquet file: {uri} ({_short(error)})") from None
        low = [name.lower() for name in physical.names]
        keys = {column.name for column in self._table.partition_keys} | {PATH}
        convert = False
        for name in wanted - keys:
            if low.count(name) > 1:
                raise QueryError(
                    "HIVE_BAD_DATA", f"Several fields of parquet file {uri} are named {name}, but for case"
                )
            if name not in low:
                continue
            field = physical.field(low.index(name))
            declared = self.schema.field(name).type
            if not readable_as(field.type, declared):
                raise QueryError(
                    "HIVE_BAD_DATA",
                    f"Field {name}'s type {arrow_name(field.type)} in parquet file "
                    f"{uri} is incompatible with type "
                    f"{hive_type(self._declared(name))} defined in table schema",
                )
            convert = convert or field.name != name or needs_conversion(field.type, declared)
        return convert

    def _declared(self, name: str) -> str:
        return next(column.type for column in self._table.all_columns if column.name == name)

    def _count(self, location: str, fragment: Any, wanted: set[str]) -> None:
        size = rows = 0
        for group in fragment.row_groups:
            chunks = fragment.metadata.row_group(group.id)
            rows += chunks.num_rows
            for index in range(chunks.num_columns):
                chunk = chunks.column(index)
                if chunk.path_in_schema.partition(".")[0].lower() in wanted:
                    size += chunk.total_compressed_size
        self._log.add(location, size, rows)


def _as_declared(column: pa.ChunkedArray, declared: pa.DataType) -> pa.Array:
    """A column of a file in the table's type; fields of structs are matched by name without case."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if pa.types.is_timestamp(whole.type):
        return in_milliseconds(whole).cast(declared)
    if pa.types.is_nested(declared):
        return pa.array([_renamed(value, declared) for value in whole.to_pylist()], declared)
    if whole.type == declared:
        return whole
    return whole.cast(declared, safe=False)


def _renamed(value: Any, declared: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_struct(declared):
        low = {name.lower(): item for name, item in value.items()}
        return {field.name: _renamed(low.get(field.name), field.type) for field in declared}
    if pa.types.is_map(declared):
        return [(_renamed(k, declared.key_type), _renamed(v, declared.item_type)) for k, v in value]
    if pa.types.is_list(declared):
        return [_renamed(item, declared.value_type) for item in value]
    if pa.types.is_timestamp(declared):
        return in_milliseconds(pa.array([value])).cast(declared)[0].as_py()
    return value


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
            f"Invalid partition value '{value}' for {arrow_name(key.type).lower()} partition key: {key.name}",
        ) from None


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
