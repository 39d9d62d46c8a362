"""The one type table: what each logical type of a contract is on every platform that stores it.

A contract names a *logical* type. Every platform's spelling of it is a row of ``TYPE_TABLE``, the lake's in
``lake_types.yaml``, which Terraform reads too. A combination that is not in the table is refused, never
guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Optional

import yaml

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy

MAX_DECIMAL_PRECISION = 38
"""Digits that Arrow's decimal128, Spark and Athena all hold."""

TIME_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}$"
"""A time of day as the lake writes it, ``HH:MM:SS.mmm``: Athena has no TIME type for tables."""

_DECIMAL = re.compile(r"^decimal\((\d{1,2}),\s*(\d{1,2})\)$")
_PG_NUMERIC = re.compile(r"^numeric\((\d+),(\d+)\)$")
_PG_VARCHAR = re.compile(r"^character varying(\(\d+\))?$")
_PG_TIMESTAMP = re.compile(r"^timestamp\([0-3]\) without time zone$")
_PG_MICROSECONDS = re.compile(r"^timestamp(\([0-6]\))? without time zone$")
_PG_ZONED = re.compile(r"^timestamp(\([0-6]\))? with time zone$")
_PG_TIME = re.compile(r"^time\([0-3]\) without time zone$")

MOMENTS = ("timestamp", "timestamp(6)", "timestamptz")
"""Times with their day, in UTC and without zone; each type holds what those before it hold.

The first has three digits of a second, which Athena shows; the others have six. ``timestamptz`` is for
columns of a source that state an instant, in whatever zone.
"""

FINE_MOMENTS = MOMENTS[1:]
"""Those of which Athena shows less than they hold."""

FLOATS = ("real", "double")
"""Binary numbers, of 32 and 64 bits."""


class UnknownTypeError(ValueError):
    """A type, or a combination of types, that the type table does not hold."""


@dataclass(frozen=True)
class LogicalType:
    """A type as contracts name it.

    Attributes:
        name: The row of the type table, for example ``integer``, ``timestamp(6)`` or ``decimal``.
        precision: Total digits, for ``decimal`` alone.
        scale: Digits after the point, for ``decimal`` alone.
    """

    name: str
    precision: Optional[int] = None
    scale: Optional[int] = None

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name


@dataclass(frozen=True)
class _Mapping:
    """One row of the type table: the same logical type on every platform, and what stands for no value."""

    postgres: Callable[[LogicalType, str], bool]
    arrow: Callable[[ModuleType, LogicalType], pa.DataType]
    sql: str
    json_schema: Callable[[LogicalType], dict[str, Any]]
    warehouse: Callable[[ModuleType, LogicalType], sqlalchemy.types.TypeEngine[Any]]
    placeholder: str


def _one_of(*names: str) -> Callable[[LogicalType, str], bool]:
    return lambda _, declared: declared in names


def _numeric_fits(wanted: LogicalType, declared: str) -> bool:
    """Whether every value of a declared ``numeric(p,s)`` fits the wanted decimal without rounding.

    One that is declared without digits may hold any: those that do not fit are kept as text beside the row.
    """
    if declared == "numeric":
        return True
    match = _PG_NUMERIC.match(declared)
    if match is None or wanted.precision is None or wanted.scale is None:
        return False
    precision, scale = int(match[1]), int(match[2])
    return scale <= wanted.scale and precision - scale <= wanted.precision - wanted.scale


def _integer_schema(bits: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}


def _decimal_schema(wanted: LogicalType) -> dict[str, Any]:
    # A string, since a JSON number is a binary double in most readers and would not be exact.
    precision, scale = wanted.precision or 0, wanted.scale or 0
    fraction = rf"\.[0-9]{{{scale}}}" if scale else ""
    return {"type": "string", "pattern": rf"^-?[0-9]{{1,{max(precision - scale, 1)}}}{fraction}$"}


def _float_schema(_: LogicalType) -> dict[str, Any]:
    # A string, since JSON knows no number for infinity and for what is no number.
    return {"type": "string", "pattern": r"^(-?([0-9]+(\.[0-9]+)?(e[+-][0-9]+)?|Infinity)|NaN)$"}


def is_text(declared: str) -> bool:
    """Whether a PostgreSQL column is text as it is; an enumeration, for one, has a text and is none."""
    return declared == "text" or bool(_PG_VARCHAR.match(declared))


def _has_text(_: LogicalType, declared: str) -> bool:
    """Whether a column is held as PostgreSQL's own text: every one but whole numbers.

    Of those another type holds each value. Of all others it may lack some (``infinity``, ``NaN``,
    ``24:00``, years BC), or be none that a key's column may have.
    """
    return declared not in ("smallint", "integer", "bigint")


def _microseconds(declared_as: re.Pattern[str]) -> _Mapping:
    """Times with six digits of a second; a zone that a source states them in is UTC here."""
    return _Mapping(
        postgres=lambda _, declared: bool(declared_as.match(declared)),
        arrow=lambda pa, _: pa.timestamp("us"),
        sql="TIMESTAMP",
        json_schema=lambda _: {"type": "string", "format": "date-time"},
        warehouse=lambda sa, _: sa.dialects.postgresql.TIMESTAMP(precision=6),
        placeholder="1970-01-01 00:00:00",
    )


TYPE_TABLE: dict[str, _Mapping] = {
    "integer": _Mapping(
        postgres=_one_of("integer", "smallint"),
        arrow=lambda pa, _: pa.int32(),
        sql="INT",
        json_schema=lambda _: _integer_schema(32),
        warehouse=lambda sa, _: sa.Integer(),
        placeholder="0",
    ),
    "bigint": _Mapping(
        postgres=_one_of("bigint", "integer", "smallint"),
        arrow=lambda pa, _: pa.int64(),
        sql="BIGINT",
        json_schema=lambda _: _integer_schema(64),
        warehouse=lambda sa, _: sa.BigInteger(),
        placeholder="0",
    ),
    "boolean": _Mapping(
        postgres=_one_of("boolean"),
        arrow=lambda pa, _: pa.bool_(),
        sql="BOOLEAN",
        json_schema=lambda _: {"type": "boolean"},
        warehouse=lambda sa, _: sa.Boolean(),
        placeholder="false",
    ),
    "text": _Mapping(
        # An enumeration is text whose allowed values the contract lists; callers pass it as "enum".
        postgres=_has_text,
        arrow=lambda pa, _: pa.string(),
        sql="STRING",
        json_schema=lambda _: {"type": "string"},
        warehouse=lambda sa, _: sa.String(),
        placeholder="Not yet known",
    ),
    "decimal": _Mapping(
        postgres=_numeric_fits,
        arrow=lambda pa, t: pa.decimal128(t.precision, t.scale),
        sql="DECIMAL",
        json_schema=_decimal_schema,
        warehouse=lambda sa, t: sa.Numeric(t.precision, t.scale),
        placeholder="0",
    ),
    "timestamp": _Mapping(
        # A source that keeps more would be cut, so it is refused.
        postgres=lambda _, declared: bool(_PG_TIMESTAMP.match(declared)),
        arrow=lambda pa, _: pa.timestamp("ms"),
        sql="TIMESTAMP",
        json_schema=lambda _: {"type": "string", "format": "date-time"},
        warehouse=lambda sa, _: sa.dialects.postgresql.TIMESTAMP(precision=3),
        placeholder="1970-01-01 00:00:00",
    ),
    "timestamp(6)": _microseconds(_PG_MICROSECONDS),
    "timestamptz": _microseconds(_PG_ZONED),
    # A real is not read as a double: the text that PostgreSQL makes of one is that of another number then.
    "double": _Mapping(
        postgres=_one_of("double precision"),
        arrow=lambda pa, _: pa.float64(),
        sql="DOUBLE",
        json_schema=_float_schema,
        warehouse=lambda sa, _: sa.dialects.postgresql.DOUBLE_PRECISION(),
        placeholder="0",
    ),
    "real": _Mapping(
        postgres=_one_of("real"),
        arrow=lambda pa, _: pa.float32(),
        sql="FLOAT",
        json_schema=_float_schema,
        warehouse=lambda sa, _: sa.dialects.postgresql.REAL(),
        placeholder="0",
    ),
    "date": _Mapping(
        postgres=_one_of("date"),
        arrow=lambda pa, _: pa.date32(),
        sql="DATE",
        json_schema=lambda _: {"type": "string", "format": "date"},
        warehouse=lambda sa, _: sa.Date(),
        placeholder="1970-01-01",
    ),
    "time": _Mapping(
        postgres=lambda _, declared: bool(_PG_TIME.match(declared)),
        arrow=lambda pa, _: pa.string(),
        sql="STRING",
        json_schema=lambda _: {"type": "string", "pattern": TIME_PATTERN},
        warehouse=lambda sa, _: sa.Time(),
        placeholder="00:00:00.000",
    ),
}


PLAIN_TYPES = tuple(name for name in TYPE_TABLE if name != "decimal")
"""Types that are stated by their name alone."""

_LAKE: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "lake_types.yaml").read_text(encoding="utf-8")
)


def parse_type(text: str) -> LogicalType:
    """Read a contract's type.

    Args:
        text: For example ``integer`` or ``decimal(10,2)``.

    Returns:
        The logical type.

    Raises:
        UnknownTypeError: The type table has no such row, or the decimal's digits cannot be held.
    """
    match = _DECIMAL.match(text)
    if match:
        precision, scale = int(match[1]), int(match[2])
        if not (1 <= precision <= MAX_DECIMAL_PRECISION and scale <= precision):
            raise UnknownTypeError(
                f"{text}: a decimal holds 1 to {MAX_DECIMAL_PRECISION} digits, the scale among them"
            )
        return LogicalType("decimal", precision, scale)
    if text not in TYPE_TABLE or text == "decimal":
        known = ", ".join(name if name != "decimal" else "decimal(p,s)" for name in TYPE_TABLE)
        raise UnknownTypeError(f"unknown type {text!r}; the type table holds {known}")
    return LogicalType(text)


def postgres_accepts(wanted: LogicalType, declared: str) -> bool:
    """Whether every value of a PostgreSQL column can be held by a logical type without loss.

    Args:
        wanted: The contract's type.
        declared: ``format_type(atttypid, atttypmod)`` of the column, or ``enum`` for an enumeration.
    """
    return TYPE_TABLE[wanted.name].postgres(wanted, declared)


def arrow_type(wanted: LogicalType) -> pa.DataType:
    """The Arrow type that files in the lake hold."""
    # Commands that read contracts and no file need not wait for Arrow.
    import pyarrow as pa

    return TYPE_TABLE[wanted.name].arrow(pa, wanted)


def sql_type(wanted: LogicalType) -> str:
    """The spelling that DuckDB and Spark both read in a CAST and mean the same by.

    Spark's session states that TIMESTAMP is the type without a zone. Text is STRING, since Spark reads
    VARCHAR only with a length.
    """
    return f"{TYPE_TABLE[wanted.name].sql}{str(wanted)[len(wanted.name) :]}"


def sort_keys(name: str, *, is_float: bool) -> tuple[str, ...]:
    """By what rows are sorted that have a column in their order, as both engines read it.

    A binary number that DuckDB sorts by comes out with its sign lost where it is -0. So it is sorted by what
    it is at last, and by its text, which tells it from 0.

    Args:
        name: The column.
        is_float: Whether it is a binary number.
    """
    return (f"{name} + 0", f"CAST({name} AS STRING)") if is_float else (name,)


def glue_type(wanted: LogicalType) -> str:
    """The Hive spelling that the Glue catalogue and Athena's tables use."""
    return _in_lake(wanted, "glue")


def trino_type(wanted: LogicalType) -> str:
    """Trino's spelling, which Athena's views use inside their definition."""
    return _in_lake(wanted, "trino")


def json_schema_type(wanted: LogicalType) -> dict[str, Any]:
    """The JSON Schema (draft-07) of one value."""
    return TYPE_TABLE[wanted.name].json_schema(wanted)


def warehouse_type(wanted: LogicalType) -> sqlalchemy.types.TypeEngine[Any]:
    """The SQLAlchemy type of a warehouse column."""
    # Here, since it takes a fifth of a second that every job but the load would wait for nothing.
    import sqlalchemy.dialects.postgresql

    return TYPE_TABLE[wanted.name].warehouse(sqlalchemy, wanted)


def placeholder(wanted: LogicalType) -> str:
    """What a required column holds where only the key of a row is known, as text that casts to the type."""
    return TYPE_TABLE[wanted.name].placeholder


def _in_lake(wanted: LogicalType, dialect: str) -> str:
    return f"{_LAKE[wanted.name][dialect]}{str(wanted).removeprefix(wanted.name)}"
