"""One type, many spellings: Hive's in the catalogue, Arrow's in files, Trino's and Athena's in results."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local_stack.athena.errors import QueryError

_D: TypeAlias = exp.DType

_ARROW: dict[_D, pa.DataType] = {
    _D.BOOLEAN: pa.bool_(),
    _D.TINYINT: pa.int8(),
    _D.SMALLINT: pa.int16(),
    _D.INT: pa.int32(),
    _D.BIGINT: pa.int64(),
    _D.FLOAT: pa.float32(),
    _D.DOUBLE: pa.float64(),
    _D.TEXT: pa.string(),
    _D.VARCHAR: pa.string(),
    _D.CHAR: pa.string(),
    _D.BINARY: pa.binary(),
    _D.DATE: pa.date32(),
    _D.TIMESTAMP: pa.timestamp("us"),
}

# (test, Trino's name, Hive's name, Athena's name in ColumnInfo, precision in ColumnInfo)
_SPELLINGS: list[tuple[Any, str, str, str, int]] = [
    (pa.types.is_boolean, "boolean", "boolean", "boolean", 0),
    (pa.types.is_int8, "tinyint", "tinyint", "tinyint", 3),
    (pa.types.is_int16, "smallint", "smallint", "smallint", 5),
    (pa.types.is_int32, "integer", "int", "integer", 10),
    (pa.types.is_int64, "bigint", "bigint", "bigint", 19),
    (pa.types.is_float32, "real", "float", "float", 17),
    (pa.types.is_float64, "double", "double", "double", 17),
    (pa.types.is_date, "date", "date", "date", 0),
    (pa.types.is_binary, "varbinary", "binary", "varbinary", 1_073_741_824),
    (pa.types.is_time, "time(3)", "string", "time", 3),
    (pa.types.is_null, "unknown", "string", "unknown", 0),
    (pa.types.is_string, "varchar", "string", "varchar", 2_147_483_647),
    (pa.types.is_large_string, "varchar", "string", "varchar", 2_147_483_647),
]


def from_hive(declared: str) -> pa.DataType:
    """The Arrow type of a column that the catalogue declares.

    Args:
        declared: A Hive type, for example ``decimal(10,2)`` or ``array<struct<a:int>>``.

    Raises:
        QueryError: Athena reads no such type from tables (``time``, ``uuid``), or it is no type at all.
    """
    try:
        parsed = exp.DataType.build(declared, dialect="hive")
    except (SqlglotError, ValueError):
        parsed = None
    if parsed is None:
        raise QueryError("HIVE_INVALID_METADATA", f"Unknown type in the catalogue: {declared}")
    return _from_sqlglot(parsed, declared)


def _from_sqlglot(parsed: exp.DataType, declared: str) -> pa.DataType:
    inner = parsed.expressions
    if parsed.this == _D.DECIMAL:
        digits = [int(param.name) for param in inner]
        return pa.decimal128(*(digits or [10, 0])) if len(digits) != 1 else pa.decimal128(digits[0], 0)
    if parsed.this == _D.ARRAY:
        return pa.list_(_from_sqlglot(inner[0], declared))
    if parsed.this == _D.MAP:
        return pa.map_(_from_sqlglot(inner[0], declared), _from_sqlglot(inner[1], declared))
    if parsed.this == _D.STRUCT:
        return pa.struct([(field.name, _from_sqlglot(field.args["kind"], declared)) for field in inner])
    if parsed.this not in _ARROW:
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {declared}")
    return _ARROW[parsed.this]


def trino_name(kind: pa.DataType) -> str:
    """Trino's spelling of a type, as ``information_schema``, ``DESCRIBE`` of views and errors show it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp(3) with time zone" if kind.tz else "timestamp(3)"
    if pa.types.is_list(kind):
        return f"array({trino_name(kind.value_type)})"
    if pa.types.is_map(kind):
        return f"map({trino_name(kind.key_type)}, {trino_name(kind.item_type)})"
    if pa.types.is_struct(kind):
        return "row(" + ", ".join(f"{field.name} {trino_name(field.type)}" for field in kind) + ")"
    return next(trino for test, trino, *_ in _SPELLINGS if test(kind))


def hive_name(kind: pa.DataType) -> str:
    """Hive's spelling of a type, as the catalogue stores it.

    Raises:
        QueryError: Hive has no such type: a time of day, a moment with a zone.
    """
    if pa.types.is_time(kind) or (pa.types.is_timestamp(kind) and kind.tz):
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {trino_name(kind)}")
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_list(kind):
        return f"array<{hive_name(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{hive_name(kind.key_type)},{hive_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return "struct<" + ",".join(f"{field.name}:{hive_name(field.type)}" for field in kind) + ">"
    return next(hive for test, _, hive, *_ in _SPELLINGS if test(kind))


def column_info(name: str, kind: pa.DataType) -> dict[str, Any]:
    """One member of ``ResultSetMetadata.ColumnInfo``."""
    athena, precision, scale = _athena_name(kind)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": athena,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": athena in ("varchar", "char"),
    }


def _athena_name(kind: pa.DataType) -> tuple[str, int, int]:
    if pa.types.is_decimal(kind):
        return "decimal", kind.precision, kind.scale
    if pa.types.is_timestamp(kind):
        return ("timestamp with time zone" if kind.tz else "timestamp"), 3, 0
    for test, name in ((pa.types.is_list, "array"), (pa.types.is_map, "map"), (pa.types.is_struct, "row")):
        if test(kind):
            return name, 0, 0
    return next((athena, precision, 0) for test, _, _, athena, precision in _SPELLINGS if test(kind))


def readable_as(physical: pa.DataType, declared: pa.DataType) -> bool:
    """Whether Athena reads a parquet column of one type as a table column of another.

    Integers may widen, a float may become a double; a decimal's digits must be the very same.
    """
    if pa.types.is_dictionary(physical):
        physical = physical.value_type
    if physical == declared:
        return True
    if pa.types.is_signed_integer(physical) and pa.types.is_signed_integer(declared):
        return bool(physical.bit_width <= declared.bit_width)
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    same = (text, (pa.types.is_timestamp,), (pa.types.is_floating,), (pa.types.is_nested,))
    if pa.types.is_floating(physical) and pa.types.is_floating(declared):
        return bool(physical.bit_width <= declared.bit_width)
    return any(any(t(physical) for t in group) and any(t(declared) for t in group) for group in same)
