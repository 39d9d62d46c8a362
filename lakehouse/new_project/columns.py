"""What a contract says of a column: its type, whether it can be part of a key, whether it looks personal."""

from __future__ import annotations

import re

from catalog.keys import KEY_TYPES
from catalog.types import (
    MAX_DECIMAL_PRECISION,
    UnknownTypeError,
    is_text,
    parse_type,
    postgres_accepts,
)
from glue_jobs.sources.postgres_source import SourceColumn

UNSTATED_DIGITS = "decimal(38,10)"
"""What holds a number whose declaration states no digits."""

# In this order: the first that holds every value. Text holds what nothing else does.
_PREFERRED = (
    *("integer", "bigint", "boolean", "date", "timestamp", "time", "timestamp(6)", "timestamptz"),
    *("real", "double", "text"),
)

_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")

# Of these one value has one text, and two values never the same.
_ONE_TEXT = re.compile(
    r"((enum|uuid|text|name|\"char\"|oid|pg_lsn|inet|cidr|macaddr8?|bytea|bit( varying)?(\(\d+\))?"
    r"|smallint|integer|bigint|numeric\(\d+,-?\d+\)|boolean|date|time(stamp)?(\(\d\))? with(out)? time zone"
    r"|character( varying)?(\(\d+\))?)(\[\])*|(int4|int8|date|ts|tstz)range)"
)

_PERSONAL = re.compile(
    r"(^|_)(e?_?mail|email_address|phone|telephone|mobile|fax|(first|last|middle|given|family|full|maiden|nick|sur)"
    r"_?name|login|birth(day|_?date)?|dob|gender|sex|religion|nationality|passport|ssn|national_id|tax_id"
    r"|iban|card_number|account_number|password|passwd|secret|token|ip|address|street|post_?code|postal_code|zip"
    r"|zip_code|latitude|longitude|signature|contact)(_|\d|$)"
)
_PEOPLE = re.compile(
    r"(^|_)(user|customer|client|person|people|employee|staff|member|contact|patient|student|driver|passenger|guest"
    r"|subscriber|author|applicant|tenant)s?$"
)


def lake_type(declared: str) -> str | None:
    """The type that a contract gives to a column; nothing where none holds it as it is.

    Args:
        declared: Its type, as PostgreSQL's ``format_type`` says it, or ``enum``.
    """
    if declared == "bytea":
        return None
    if declared == "numeric":
        return UNSTATED_DIGITS
    digits = _NUMERIC.fullmatch(declared)
    if digits:
        precision, scale = int(digits[1]), int(digits[2])
        try:
            return str(parse_type(f"decimal({max(precision, scale, 1)},{scale})"))
        except UnknownTypeError:
            return None
    return next((kind for kind in _PREFERRED if postgres_accepts(parse_type(kind), declared)), None)


def key_type(column: SourceColumn, base: str | None) -> str | None:
    """The type that a contract gives to a column of a key; nothing where it cannot be part of one.

    Args:
        column: The column.
        base: What its type is over, where that is a domain.
    """
    if column.is_vague or not _ONE_TEXT.fullmatch(base or column.declared):
        return None
    kind = lake_type(column.declared)
    # A time of six digits, which Athena rounds, bytes, numbers of stated digits: as PostgreSQL's own text.
    return kind if kind in KEY_TYPES else "text"


def one_text(declared: str) -> str:
    """What columns share whose equal values have equal texts: the type, whatever the length of a text."""
    return "text" if is_text(declared) else declared


def why_left_out(declared: str) -> tuple[str, str]:
    """Why a column is left out, and the way out."""
    if declared == "bytea":
        return (
            "holds bytes, for which the lake has no type",
            "State it as text, if you need it: it is hexadecimal then.",
        )
    return (
        f"is {declared}, and a decimal has {MAX_DECIMAL_PRECISION} digits at most",
        "State it as text, or give it fewer digits in the source.",
    )


def looks_personal(table: str, column: str) -> bool:
    """Whether a name suggests that values are of a person.

    Args:
        table: The table's name in the lake.
        column: The column's.
    """
    if column.endswith(("_id", "_count")):
        return False
    return bool(_PERSONAL.search(column)) or (column == "name" and bool(_PEOPLE.search(table)))
