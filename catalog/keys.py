"""The key of a table as one value: a whole number where it is one, else a text.

A key of one whole number stays a number wherever it is kept or compared. Any other key, of another type or
of several columns, is one text: that of its column, or those of its columns with a slash between them. A
tilde and a slash within a text of several are written as in a JSON pointer (RFC 6901), ``~0`` and ``~1``, so
that two keys never share a text. A day is ``YYYY-MM-DD``, a time ``YYYY-MM-DD HH:MM:SS.ffffff``.

The texts made here are SQL that the engines read alike, or the dialect of one of the two databases that
show the star; each gives NULL where a column of the key is empty.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Literal, Optional, Union

from catalog.model import Column, Contract

NUMBERS = ("integer", "bigint")
"""Types of a key that is kept as a number, where it is one column."""

KEY_TYPES = (*NUMBERS, "text", "date", "timestamp")
"""Types that a key's columns may have: of each value they have one text, the same everywhere."""

Dialect = Literal["engine", "trino", "postgres"]

KeyPart = Union[int, str, dt.date, dt.datetime]

_TIMES: Mapping[str, str] = {
    "engine": "micros_of({0})",
    "trino": "date_format({0}, '%Y-%m-%d %H:%i:%s.%f')",
    "postgres": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US')",
}

_TEXTS: Mapping[str, str] = {"engine": "STRING", "trino": "varchar", "postgres": "varchar"}

_READ: Mapping[str, Callable[[str], KeyPart]] = {
    "integer": int,
    "bigint": int,
    "text": str,
    "date": dt.date.fromisoformat,
    "timestamp": dt.datetime.fromisoformat,
}


def is_number(contract: Contract) -> bool:
    """Whether a table's key is one whole number."""
    return len(contract.key) == 1 and contract.column(contract.key[0]).type.name in NUMBERS


def key_sql(contract: Contract, rows: str = "") -> str:
    """A row's key as one value, as the engines read it.

    Args:
        contract: The table, with the key's columns.
        rows: The relation that they are of, where a name alone does not say.
    """
    of = f"{rows}." if rows else ""
    if is_number(contract):
        return f"CAST({of}{contract.key[0]} AS BIGINT)"
    return _text(contract, "engine", lambda name: f"{of}{name}")


def reference_sql(target: Contract, column: str) -> str:
    """A column that holds the key of another table, as that key is one value.

    Args:
        target: The table that is referred to; its key is one column.
        column: The column.
    """
    kind = target.column(target.key[0]).type.name
    return f"CAST({column} AS BIGINT)" if is_number(target) else _part(column, kind, "engine")


def shown_key(contract: Contract, dialect: Dialect) -> str:
    """A row's key as one text or number, as a database that shows the star reads it."""
    if is_number(contract):
        return f'"{contract.key[0]}"'
    return _text(contract, dialect, lambda name: f'"{name}"')


def key_block(contract: Contract) -> str:
    """The block that a row's key lies in: of 4096 numbers where its first column is one, else of its hash.

    Blocks of numbers are in the order of the numbers.
    """
    first = contract.column(contract.key[0])
    if first.type.name in NUMBERS:
        return f"block_of(CAST({first.name} AS BIGINT))"
    return f"text_block({key_sql(contract)})"


def limit_sql(column: Column, value: str) -> str:
    """A value of a key's column as commits state the smallest and largest: a number, or a text."""
    return value if column.type.name in NUMBERS else _part(value, column.type.name, "engine")


def read_key(contract: Contract, text: str) -> Optional[tuple[KeyPart, ...]]:
    """The values of a key's columns, from its text; nothing where it is no key of the table."""
    parts = [text] if len(contract.key) == 1 else [_unescaped(part) for part in text.split("/")]
    if len(parts) != len(contract.key):
        return None
    try:
        return tuple(_READ[contract.column(name).type.name](part) for name, part in zip(contract.key, parts))
    except ValueError:
        return None


def key_text(contract: Contract, values: Mapping[str, KeyPart]) -> str:
    """The text of a key, from the values of its columns: the inverse of :func:`read_key`."""
    parts = [_spelled(values[name]) for name in contract.key]
    return parts[0] if len(parts) == 1 else "/".join(map(_escaped, parts))


def _text(contract: Contract, dialect: Dialect, named: Callable[[str], str]) -> str:
    parts = []
    for name in contract.key:
        kind = contract.column(name).type.name
        part = _part(named(name), kind, dialect)
        if kind == "text" and len(contract.key) > 1:
            part = f"replace(replace({part}, '~', '~0'), '/', '~1')"
        parts.append(part)
    joined = " || '/' || ".join(parts)
    return joined if len(parts) == 1 else f"({joined})"


def _part(value: str, kind: str, dialect: Dialect) -> str:
    if kind == "text":
        return value
    return _TIMES[dialect].format(value) if kind == "timestamp" else f"CAST({value} AS {_TEXTS[dialect]})"


def _spelled(value: KeyPart) -> str:
    return value.isoformat(" ", "microseconds") if isinstance(value, dt.datetime) else str(value)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _unescaped(part: str) -> str:
    return re.sub("~([01])", lambda found: "~/"[int(found[1])], part)
