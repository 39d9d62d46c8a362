"""Files that CREATE TABLE AS, INSERT INTO and UNLOAD leave."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local_aws.athena.catalog_reader import NULL_PARTITION, file_type
from local_aws.athena.jobs import Writing
from local_aws.athena.json_values import json_text
from local_aws.athena.kinds import Type
from local_aws.athena.query_errors import QueryError
from local_aws.athena.semantics.json_functions import json_of
from local_aws.athena.texts import as_text
from local_aws.athena.typenames import hive_name, hive_type

COMPRESSIONS = {
    "PARQUET": ("NONE", "GZIP", "SNAPPY", "ZSTD", "LZ4"),
    "TEXTFILE": ("NONE", "GZIP"),
    "JSON": ("NONE", "GZIP"),
}
"""The formats that are written here, and how each may be compressed."""
USUAL = {"PARQUET": "GZIP", "TEXTFILE": "GZIP", "JSON": "GZIP"}
"""How Athena compresses a format where a statement does not say."""

_MOST_PARTITIONS = 100


def check_format(form: str, compression: str) -> None:
    """Refuse a format or a compression that this stack does not write.

    Raises:
        QueryError: It is such.
    """
    if form not in COMPRESSIONS:
        known = ("ORC", "AVRO", "ION")
        reason = "is Athena's, but not written here" if form in known else "is no format of Athena"
        raise QueryError("NOT_SUPPORTED", f"format = '{form}' {reason}; PARQUET, TEXTFILE and JSON are")
    if compression not in COMPRESSIONS[form]:
        raise QueryError(
            "NOT_SUPPORTED",
            f"The compression {compression} of {form} is not "
            f"written here; {', '.join(COMPRESSIONS[form])} are",
        )


def check_types(columns: Iterable[tuple[str, Type]], form: str) -> None:
    """Refuse a type that the format's files do not hold.

    Raises:
        QueryError: A column has such.
    """
    for name, kind in columns:
        hive_type(hive_name(kind))  # what is written can be read: a view holds a varchar(0), a table none
        _check_fields(kind)
        if form == "TEXTFILE" and (kind.inner or kind.base == "varbinary"):
            raise QueryError(
                "NOT_SUPPORTED", f"A column of type {kind} ({name}) in a TEXTFILE is not written here"
            )


def _check_fields(kind: Type) -> None:
    if kind.base == "row" and not (kind.names and all(kind.names)):
        message = f"Anonymous row type is not supported in Hive. Please give each field a name: {kind}"
        raise QueryError("NOT_SUPPORTED", message)
    for item in kind.inner:
        _check_fields(item)


def write_files(
    batches: Iterator[pa.RecordBatch], columns: tuple[tuple[str, Type], ...], writing: Writing, folder: Path
) -> tuple[int, list[str]]:
    """Write rows as files, one for each partition.

    Returns:
        How many rows there were, and the files, relative to the folder.

    Raises:
        QueryError: There are more partitions than Athena writes at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = [_stored(batch, columns, writing.names) for batch in batches]
    schema = pa.schema(
        [(name, _file_type(kind)) for name, (_, kind) in zip(writing.names, columns, strict=True)]
    )
    whole = pa.Table.from_batches(tables, schema)
    if not writing.keys:
        parts = [("", whole)] if whole.num_rows or writing.form == "PARQUET" else []
    else:
        parts = _partitioned(whole, writing.keys)
    if len(parts) > _MOST_PARTITIONS:
        raise QueryError(
            "HIVE_TOO_MANY_OPEN_PARTITIONS",
            f"Exceeded limit of {_MOST_PARTITIONS} open writers for partitions/buckets",
        )
    kinds = {name: kind for name, (_, kind) in zip(writing.names, columns, strict=True)}
    written = []
    for path, rows in parts:
        name = f"{path}{writing.stem}{_suffix(writing)}"
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        data = rows.drop_columns(list(writing.keys)) if writing.keys else rows
        _WRITERS[writing.form](data, kinds, writing, target)
        written.append(name)
    return whole.num_rows, written


def _suffix(writing: Writing) -> str:
    if writing.form == "PARQUET":
        return ".parquet"
    return ".gz" if writing.compression == "GZIP" else ""


def _file_type(kind: Type) -> pa.DataType:
    if kind.base == "timestamp":
        return pa.timestamp("ms")
    if kind.base == "row" and not kind.names:
        named = Type("row", kind.args, tuple(f"field{place}" for place in range(len(kind.args))))
        return file_type(named)
    return file_type(kind)


def _stored(
    batch: pa.RecordBatch, columns: tuple[tuple[str, Type], ...], names: tuple[str, ...]
) -> pa.RecordBatch:
    arrays = []
    for column, (_, kind) in zip(batch.columns, columns, strict=True):
        wanted = _file_type(kind)
        if kind.inner:
            arrays.append(pa.array([_named(value, kind) for value in column.to_pylist()], wanted))
        else:
            arrays.append(column.cast(wanted, safe=False))
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _named(value: object, kind: Type) -> object:
    """A value whose rows have the names of their fields."""
    if value is None or not kind.inner:
        return value
    if isinstance(value, dict) and kind.base == "row":
        names = kind.names or tuple(f"field{place}" for place in range(len(kind.args)))
        return {
            name: _named(item, part)
            for name, item, part in zip(names, value.values(), kind.inner, strict=True)
        }
    if isinstance(value, list) and kind.base == "array":
        return [_named(item, kind.inner[0]) for item in value]
    if isinstance(value, list):
        return [(_named(key, kind.inner[0]), _named(item, kind.inner[1])) for key, item in value]
    return value


def _partitioned(whole: pa.Table, keys: tuple[str, ...]) -> list[tuple[str, pa.Table]]:
    distinct = whole.select(list(keys)).group_by(list(keys)).aggregate([])
    found = []
    for values in distinct.to_pylist():
        mask = None
        for key in keys:
            column = whole.column(key)
            same = (
                pc.is_null(column)
                if values[key] is None
                else pc.equal(column, pa.scalar(values[key], column.type))
            )
            same = pc.fill_null(same, False)  # pyarrow's signature
            mask = same if mask is None else pc.and_(mask, same)
        found.append((partition_path(keys, [values[key] for key in keys]), whole.filter(mask)))
    return found


def partition_path(keys: Iterable[str], values: Iterable[object]) -> str:
    """The folder of a partition, as Hive names it.

    Raises:
        QueryError: A value can name none: it is empty, or has other letters than printable ASCII.
    """
    listed = zip(keys, values, strict=True)
    return "".join(
        f"{key}={NULL_PARTITION if value is None else quote(_nameable(value), safe=' +-_.~!()@&$,;')}/"
        for key, value in listed
    )


def _nameable(value: object) -> str:
    text = _plain(value)
    if not text:
        raise QueryError("HIVE_INVALID_PARTITION_VALUE", "The value of a partition column is an empty text")
    if not all(" " <= letter <= "~" for letter in text):
        raise QueryError(
            "HIVE_INVALID_PARTITION_VALUE",
            "Hive partition keys can only contain printable ASCII characters (0x20 - 0x7E). "
            f"Invalid value: {text.encode().hex(' ').upper()}",
        )
    return text


def _plain(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _parquet(rows: pa.Table, _: dict[str, Type], writing: Writing, target: Path) -> None:
    pq.write_table(rows, target, compression=writing.compression.lower())


def _lines(lines: Iterable[str], writing: Writing, target: Path) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    target.write_bytes(gzip.compress(data, mtime=0) if writing.compression == "GZIP" else data)


def _text(rows: pa.Table, kinds: dict[str, Type], writing: Writing, target: Path) -> None:
    columns = [
        as_text(rows.column(name).combine_chunks(), kinds[name]).to_pylist() for name in rows.column_names
    ]
    cells = zip(*columns, strict=True)
    _lines(
        (writing.delimiter.join("\\N" if cell is None else cell for cell in row) for row in cells),
        writing,
        target,
    )


def _json(rows: pa.Table, kinds: dict[str, Type], writing: Writing, target: Path) -> None:
    def line(row: dict[str, object]) -> str:
        members = [(name, json_of(_by_place(value, kinds[name]), kinds[name])) for name, value in row.items()]
        return (
            "{"
            + ",".join(f"{json_text(name)}:{json_text(item)}" for name, item in members if item is not None)
            + "}"
        )

    _lines((line(row) for row in rows.to_pylist()), writing, target)


def _by_place(value: object, kind: Type) -> object:
    if isinstance(value, dict) and kind.base == "row":
        return {
            f"f{i}": _by_place(item, part)
            for i, (item, part) in enumerate(zip(value.values(), kind.inner, strict=True))
        }
    if isinstance(value, list) and kind.base == "array":
        return [_by_place(item, kind.inner[0]) for item in value]
    return value


_WRITERS = {"PARQUET": _parquet, "TEXTFILE": _text, "JSON": _json}
