"""Trino's types: how they are written, what becomes what by itself, how DuckDB and Arrow hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, Union

import pyarrow as pa

Argument: TypeAlias = Union[int, "Type"]


@dataclass(frozen=True, slots=True)
class Type:
    """A type of Trino.

    Attributes:
        base: Its name without arguments, for example ``timestamp with time zone``.
        args: Lengths, precisions, or the types inside.
        names: The names of a row's fields, None for a field without one.
    """

    base: str
    args: tuple[Argument, ...] = ()
    names: tuple[str | None, ...] = ()

    @property
    def inner(self) -> tuple[Type, ...]:
        """The types inside."""
        return tuple(item for item in self.args if isinstance(item, Type))

    @property
    def numbers(self) -> tuple[int, ...]:
        """Length, or precision and scale."""
        return tuple(item for item in self.args if isinstance(item, int))

    @property
    def length(self) -> int | None:
        """The first number, None where there is none."""
        return next(iter(self.numbers), None)

    def __str__(self) -> str:
        if self.base == "row":
            fields = zip(self.names or [None] * len(self.args), self.args, strict=True)
            return "row(" + ", ".join(f"{name} {kind}" if name else str(kind) for name, kind in fields) + ")"
        if not self.args:
            return self.base
        if self.base.endswith(" with time zone"):
            return f"{self.base.removesuffix(' with time zone')}({self.args[0]}) with time zone"
        glue = "," if self.base == "decimal" else ", "
        return f"{self.base}({glue.join(str(item) for item in self.args)})"


UNKNOWN, BOOLEAN = Type("unknown"), Type("boolean")
TINYINT, SMALLINT, INTEGER, BIGINT = (Type(name) for name in ("tinyint", "smallint", "integer", "bigint"))
REAL, DOUBLE = Type("real"), Type("double")
VARCHAR, VARBINARY, JSON, DATE = (Type(name) for name in ("varchar", "varbinary", "json", "date"))
DAY_SECOND, YEAR_MONTH = Type("interval day to second"), Type("interval year to month")
ZONED = "timestamp with time zone"
INTEGERS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
"""Whole numbers, with the digits that each has as a decimal."""
NUMBERS = (*INTEGERS, "decimal", "real", "double")
MOMENTS = ("date", "timestamp", ZONED)
SKETCHES = ("HyperLogLog", "SetDigest")
"""What stands for a set of values: here the hashes of all of them, in Athena an estimate."""
_ORDER = (*INTEGERS, "decimal", "real", "double")
_LONGEST_CHAR = 65_536


def decimal(precision: int, scale: int) -> Type:
    """A decimal type."""
    return Type("decimal", (precision, scale))


def varchar(length: int | None = None) -> Type:
    """A text type, of any length where none is stated."""
    return Type("varchar", () if length is None else (length,))


def timestamp(precision: int = 3) -> Type:
    """A date with a time of day."""
    return Type("timestamp", (precision,))


def zoned(precision: int = 3) -> Type:
    """A moment with its zone."""
    return Type(ZONED, (precision,))


def array(element: Type) -> Type:
    """An array type."""
    return Type("array", (element,))


def map_of(key: Type, value: Type) -> Type:
    """A map type."""
    return Type("map", (key, value))


def row(*fields: Type, names: tuple[str | None, ...] = ()) -> Type:
    """A row type."""
    return Type("row", fields, names if any(names) else ())


def _as_decimal(kind: Type) -> Type:
    return decimal(INTEGERS[kind.base], 0) if kind.base in INTEGERS else kind


def common(left: Type, right: Type) -> Type | None:
    """The type that values of two types share without a cast, None where there is none."""
    if left == right:
        return left
    if left.base == "unknown":
        return right
    if right.base == "unknown":
        return left
    if left.base in NUMBERS and right.base in NUMBERS:
        return _common_number(left, right)
    if left.base == right.base:
        return _common_alike(left, right)
    pair = {left.base, right.base}
    if pair == {"varchar", "char"}:
        lengths = [_LONGEST_CHAR if side.length is None else side.length for side in (left, right)]
        return Type("char", (min(max(lengths), _LONGEST_CHAR),))
    if pair <= set(MOMENTS):
        base = ZONED if ZONED in pair else "timestamp"
        return Type(base, (max(item.length or 0 for item in (left, right)),))
    return None


def _common_number(left: Type, right: Type) -> Type:
    low, high = sorted((left, right), key=lambda kind: _ORDER.index(kind.base))
    if high.base != "decimal":
        return high
    one, two = _as_decimal(low).numbers, high.numbers
    scale = max(one[1], two[1])
    return decimal(min(38, max(one[0] - one[1], two[0] - two[1]) + scale), scale)


def _common_alike(left: Type, right: Type) -> Type | None:
    if left.inner or right.inner:
        if len(left.args) != len(right.args):
            return None
        parts = [common(one, two) for one, two in zip(left.inner, right.inner, strict=True)]
        if any(part is None for part in parts):
            return None
        names = left.names if left.names == right.names else ()
        return Type(left.base, tuple(part for part in parts if part is not None), names)
    if left.base in ("varchar", "char") and (left.length is None or right.length is None):
        return Type(left.base)
    if left.base in ("varchar", "char", "timestamp", "time", ZONED):
        return Type(left.base, (max(left.length or 0, right.length or 0),))
    return None


def coerces(given: Type, wanted: Type) -> bool:
    """Whether a value becomes another type by itself, without loss."""
    if given == wanted or given.base == "unknown":
        return True
    if given.base == "row" and wanted.base == "row":
        return len(given.args) == len(wanted.args) and all(
            coerces(one, two) for one, two in zip(given.inner, wanted.inner, strict=True)
        )
    if given.base == wanted.base and given.inner:
        return all(coerces(one, two) for one, two in zip(given.inner, wanted.inner, strict=True))
    return common(given, wanted) == wanted


def comparable(kind: Type) -> bool:
    """Whether values of a type can be equal."""
    return kind.base not in ("function", *SKETCHES) and all(comparable(item) for item in kind.inner)


def orderable(kind: Type) -> bool:
    """Whether values of a type have an order."""
    return (
        comparable(kind) and kind.base not in ("map", "json") and all(orderable(item) for item in kind.inner)
    )


_DUCKDB = {
    "unknown": "VARCHAR",
    "real": "FLOAT",
    "char": "VARCHAR",
    "varchar": "VARCHAR",
    "json": "VARCHAR",
    "uuid": "VARCHAR",
    "varbinary": "BLOB",
    "interval day to second": "BIGINT",
    "interval year to month": "INTEGER",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    ZONED: "STRUCT(t TIMESTAMP, z VARCHAR)",
    **dict.fromkeys(SKETCHES, "BIGINT[]"),
}


def duckdb_type(kind: Type) -> str:
    """DuckDB's type that holds a type's values.

    A moment with a zone is the moment in UTC beside the zone's name; an interval is milliseconds or months;
    the fields of a row are named by their place.
    """
    if kind.base == "decimal":
        return f"DECIMAL({kind.numbers[0]},{kind.numbers[1]})"
    if kind.base == "array":
        return f"{duckdb_type(kind.inner[0])}[]"
    if kind.base == "map":
        return f"MAP({duckdb_type(kind.inner[0])}, {duckdb_type(kind.inner[1])})"
    if kind.base == "row":
        return "STRUCT(" + ", ".join(f"f{i} {duckdb_type(item)}" for i, item in enumerate(kind.inner)) + ")"
    return _DUCKDB.get(kind.base, kind.base.upper())


_ARROW = {
    "unknown": pa.string(),
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "char": pa.string(),
    "json": pa.string(),
    "uuid": pa.string(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    ZONED: pa.struct([("t", pa.timestamp("us")), ("z", pa.string())]),
    "interval day to second": pa.int64(),
    "interval year to month": pa.int32(),
    **dict.fromkeys(SKETCHES, pa.list_(pa.int64())),
}


def arrow_type(kind: Type) -> pa.DataType:
    """Arrow's type that holds a type's values, as ``duckdb_type`` does."""
    if kind.base == "decimal":
        return pa.decimal128(*kind.numbers)
    if kind.base == "array":
        return pa.list_(arrow_type(kind.inner[0]))
    if kind.base == "map":
        return pa.map_(arrow_type(kind.inner[0]), arrow_type(kind.inner[1]))
    if kind.base == "row":
        return pa.struct([(f"f{i}", arrow_type(item)) for i, item in enumerate(kind.inner)])
    return _ARROW[kind.base]
