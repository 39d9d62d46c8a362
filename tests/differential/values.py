"""Odd values: what a source may hold and engines could read in two ways. Seeded, so that they come again."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa

# fmt: off
TEXTS = (
    "", " ", "a", "A", "a ", " a", "0", "-1", "1.5", "true", "NULL", "null", "None", "inf", "NaN", "\\N",
    "é", "e\u0301", "ß", "\u1e9e", "İ", "i\u0307", "\u017f", "\u212a", "\ufffd", "\uffff", "\ue000",
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001d4b3",
    "it's", "''", "'", '"', '""', "`", "\\", "\\\\", "\\'", "\\n", "a\\", "\\u0041",
    "${x}", "${spark.app.name}", "\n", "a\n", "\r\n", "a\rb", "\t", "\v", "\x85",
    "a\u2028", "\u00a0", "\ufeff", "\x7f", "\x01",
    "%", "_", "%_\\", "--", "/* */", ";", "$1", "?", ":name", "{}", "[a]", "(", "a/b", "a=b",
    "created_month=1",
    "GBP", "gbp", "GBP ", "EUR", "XXX", "ZZZ", "TOP", "SALE", "PURCHASE", "Not yet known", "Unknown",
    "2024-11-15", "2024-11-16", "2024-02-29", "2023-02-29", "2024-11-15\n", " 2024-11-15", "2024-1-1",
    "0000-01-01", "0001-01-01", "9999-12-31", "20241115", "\uff12\uff10\uff12\uff14-11-15", "1582-10-10",
    "12345", "12345-6789", "1803 637401", "x" * 3000, "\U0001f600" * 400,
)
# fmt: on
"""Texts that PostgreSQL holds; it holds every character but NUL."""

MOMENTS = tuple(
    dt.datetime.fromisoformat(text)
    for text in (
        *("0001-01-01 00:00:00", "0001-01-01 00:00:00.001", "0099-02-28 12:00:00", "1582-10-10 12:00:00"),
        *(
            "1899-12-31 23:59:59.999",
            "1969-12-31 23:59:59.999",
            "1970-01-01 00:00:00",
            "2000-02-29 12:34:56.7",
        ),
        *("2024-02-29 23:59:59.999", "2024-03-31 01:30:00", "2024-10-31 23:59:59.999", "2024-11-01 00:00:00"),
        *(
            "2024-11-14 09:30:00.123",
            "2024-11-15 00:00:00",
            "2024-12-31 23:59:59.999",
            "9999-12-31 23:59:59.999",
        ),
    )
)
"""Times at the edges of days, months, years and of what a date can be."""

DAYS = tuple(dict.fromkeys(moment.date() for moment in MOMENTS))


def pool(kind: pa.DataType) -> tuple[Any, ...]:
    """The odd values of a type."""
    if pa.types.is_integer(kind):
        most = 2 ** (kind.bit_width - 1)
        return (0, 1, -1, 2, 1000, 4095, 4096, -4096, -4097, 99_999_999, most - 1, -most)
    if pa.types.is_decimal(kind):
        most = 10**kind.precision - 1
        units = (0, 1, -1, 250, 251, 400, -250, most, -most, most - 1)
        return tuple(Decimal(unit).scaleb(-kind.scale) for unit in units)
    if pa.types.is_timestamp(kind):
        return MOMENTS
    if pa.types.is_date(kind):
        return DAYS
    return (True, False) if pa.types.is_boolean(kind) else TEXTS


def palette(random: random.Random, kind: pa.DataType, *, empty: bool = True, size: int = 3) -> list[Any]:
    """A few values, so that rows that take theirs from it are often alike; NULL among them."""
    values = pool(kind)
    return [*random.sample(values, min(size, len(values))), *([None] if empty else [])]
