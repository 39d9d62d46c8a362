"""Values as Athena writes them in a result."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from local_aws.athena import literals
from local_aws.athena.kinds import INTEGERS, ZONED, Type
from local_aws.athena.numbers import double_text, real_text
from local_aws.athena.semantics.values import day_second_text, year_month_text

Writer = Callable[[Any], str]


def as_text(column: pa.Array, kind: Type) -> pa.Array:
    """A column's values as texts; NULL stays NULL."""
    if kind.base == "timestamp":
        return column.cast(pa.timestamp("ms"), safe=False).cast(pa.string())
    if kind.base in INTEGERS or kind.base in (
        "boolean",
        "date",
        "varchar",
        "char",
        "json",
        "uuid",
        "unknown",
    ):
        return column.cast(pa.string())
    write = writer(kind)
    return pa.array([None if value is None else write(value) for value in column.to_pylist()], pa.string())


def writer(kind: Type) -> Writer:
    """What writes a value of a type, also inside of arrays, maps and rows."""
    if kind.inner:
        parts = [_or_null(writer(item)) for item in kind.inner]
        return _NESTED[kind.base](parts, kind)
    return _WRITERS.get(kind.base, str)


def _or_null(write: Writer) -> Writer:
    return lambda value: "null" if value is None else write(value)


def _array(parts: list[Writer], _: Type) -> Writer:
    return lambda value: "[" + ", ".join(parts[0](item) for item in value) + "]"


def _map(parts: list[Writer], _: Type) -> Writer:
    def write(value: Any) -> str:
        pairs = value.items() if isinstance(value, dict) else value
        return "{" + ", ".join(f"{parts[0](key)}={parts[1](item)}" for key, item in pairs) + "}"

    return write


def _row(parts: list[Writer], kind: Type) -> Writer:
    names = [name or f"field{place}" for place, name in enumerate(kind.names or [None] * len(parts))]

    def write(value: dict[str, Any]) -> str:
        listed = zip(names, parts, value.values(), strict=True)
        return "{" + ", ".join(f"{name}={part(item)}" for name, part, item in listed) + "}"

    return write


def _moment(value: dt.datetime) -> str:
    return f"{value.year:04d}-{value:%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"


def _zoned(value: dict[str, Any]) -> str:
    return f"{_moment(literals.to_wall(value['t'], value['z']))} {value['z']}"


_NESTED: dict[str, Callable[[list[Writer], Type], Writer]] = {"array": _array, "map": _map, "row": _row}
_WRITERS: dict[str, Writer] = {
    "boolean": lambda value: "true" if value else "false",
    "double": double_text,
    "real": real_text,
    "decimal": lambda value: format(value, "f"),
    "date": dt.date.isoformat,
    "time": lambda value: value.isoformat("milliseconds"),
    "timestamp": _moment,
    ZONED: _zoned,
    "varbinary": lambda value: value.hex(" "),
    "interval day to second": day_second_text,
    "interval year to month": year_month_text,
}
