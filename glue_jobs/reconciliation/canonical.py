"""One spelling for every value, so that three systems can be compared by text.

The spelling is what PostgreSQL's ``::text`` gives in the ISO date style, less the zeros that end a decimal's
fraction; of a time with a zone that in UTC, without the zone; of a binary number, whose text PostgreSQL and
DuckDB write differently, DuckDB's text of the number that PostgreSQL's text stands for. From the source and
the warehouse it comes as it is; of the lake's typed parquet columns DuckDB makes it. No decimal passes
through a float, and a value that no type can hold (``infinity`` as a time, ``NaN`` as a decimal, a year BC)
is compared by the source's own text, which the raw zone keeps.
"""

from __future__ import annotations

from typing import Optional

from catalog.model import NOT_KEPT, Column, Contract
from catalog.types import FLOATS, MOMENTS, sql_type

MACROS = (
    "CREATE MACRO less_zeros(t) AS CASE WHEN contains(t, '.') THEN rtrim(rtrim(t, '0'), '.') ELSE t END",
    # A time with all its digits, as a key has it.
    "CREATE MACRO six_digits(t) AS concat(split_part(t, '.', 1), '.', rpad(split_part(t, '.', 2), 6, '0'))",
    # Unambiguous whatever the values hold: each is preceded by its length, NULL has none.
    "CREATE MACRO framed(t) AS CASE WHEN t IS NULL THEN '-' ELSE concat(length(t), ':', t) END",
)
"""DuckDB macros that the expressions below use."""


def quoted(name: str) -> str:
    """An identifier, quoted for DuckDB and PostgreSQL alike."""
    return '"{}"'.format(name.replace('"', '""'))


def literal(text: str) -> str:
    """A text constant, for DuckDB and for a PostgreSQL that reads backslashes as they are."""
    return "'{}'".format(text.replace("'", "''"))


def postgres_text(
    column: str, limit: Optional[int] = None, *, zoned: bool = False, called: Optional[str] = None
) -> str:
    """Select-list item, in PostgreSQL: a column as text by its own name; of a longer text its length.

    Args:
        column: The column.
        limit: How many bytes its text may have.
        zoned: Whether it is a time with a zone: UTC stands in the place of the zone.
        called: What the database calls it, where that is another name.
    """
    name = quoted(column if called is None else called)
    text = f"({name} AT TIME ZONE 'UTC')::text" if zoned else f"{name}::text"
    if limit is not None:
        before, after = NOT_KEPT.format(length="\0", limit=limit).split("\0")
        length = f"octet_length({text})"
        long = f"{literal(before)} || {length} || {literal(after)}"
        text = f"CASE WHEN {length} > {limit:d} THEN {long} ELSE {text} END"
    return f"{text} AS {quoted(column)}"


def from_postgres(column: Column, text: str) -> str:
    """DuckDB expression: the spelling of a value that PostgreSQL gave as text."""
    if column.type.name in FLOATS:
        return _float_text(column, text)
    return f"less_zeros({text})" if column.type.name == "decimal" else text


def from_lake(column: Column, value: str) -> str:
    """DuckDB expression: the spelling of a value from a parquet file of the lake."""
    kind = column.type.name
    if kind in FLOATS:
        return _float_text(column, value)
    if kind in MOMENTS:
        return f"less_zeros(strftime({value}::TIMESTAMP, '%Y-%m-%d %H:%M:%S.%f'))"
    if kind == "decimal" and column.type.precision == column.type.scale:
        # Of a type without digits before the point DuckDB writes no zero there, and PostgreSQL does.
        return rf"less_zeros(regexp_replace({value}::VARCHAR, '^(-?)\.', '\10.'))"
    if kind in ("time", "decimal"):
        return f"less_zeros({value}::VARCHAR)"
    return f"{value}::VARCHAR"


def _float_text(column: Column, value: str) -> str:
    return f"{value}::{sql_type(column.type)}::VARCHAR"


def from_raw(column: Column, value: str, unrepresentable: str) -> str:
    """DuckDB expression: the spelling of a raw cell; the source's own text where the type cannot hold it."""
    path = literal('$."{}"'.format(column.name.replace('"', '\\"')))
    kept = from_postgres(column, f"json_extract_string({unrepresentable}, {path})")
    return f"coalesce({kept}, {from_lake(column, value)})"


def key_of(contract: Contract) -> str:
    """DuckDB expression: the key of a row whose values are spelled, as :mod:`catalog.keys` has it."""
    parts = []
    for name in contract.key:
        kind = contract.column(name).type.name
        part = f"six_digits({quoted(name)})" if kind == "timestamp" else quoted(name)
        several = kind == "text" and len(contract.key) > 1
        parts.append(f"replace(replace({part}, '~', '~0'), '/', '~1')" if several else part)
    return " || '/' || ".join(parts)


def fingerprint(columns: list[str]) -> str:
    """DuckDB expression: a number of 128 bits that stands for the spelled values of these columns."""
    return f"md5_number(concat({', '.join(f'framed({quoted(name)})' for name in columns)}))"
