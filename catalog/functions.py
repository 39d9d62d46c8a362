"""The function library: what DuckDB and Spark spell differently, under one name on both.

Expressions of contracts and rules may call these functions and no others. Each engine registers them under
their names, with its own body; ``tests/cases/functions.yaml`` states what each gives, and both engines are
held to it. No function fails for a value, and each gives NULL for NULL.

A body holds no backslash: an engine's settings decide what one means in a literal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import pycountry

from catalog.types import LogicalType, parse_type


@dataclass(frozen=True)
class Function:
    """A function that both engines have under one name.

    Attributes:
        name: Its name.
        arguments: Name and SQL type of each argument, the spelling of :func:`catalog.types.sql_type`.
        result: The type of what it gives; every body casts to it.
        duckdb: Its body as DuckDB spells it, over the arguments' names.
        spark: Its body as Spark spells it.
        description: What it gives, for people.
        parses: Whether it gives NULL for a text that it cannot read.
        partial: Whether it gives NULL for some values.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]
    result: LogicalType
    duckdb: str
    spark: str
    description: str = ""
    parses: bool = False
    partial: bool = False


def literal(text: str) -> str:
    """A text as a SQL literal that means the same on both engines, whatever their settings say of escapes.

    Raises:
        ValueError: The text holds NUL, which no engine keeps.
    """
    if "\0" in text:
        raise ValueError("a text literal cannot hold the character NUL")
    parts: list[str] = []
    plain = ""
    for index, letter in enumerate(text):
        # Spark replaces ${name} in the text of a query.
        if letter in "'\\" or letter < " " or text[index : index + 2] == "${":
            parts += [f"'{plain}'"] * bool(plain) + [f"chr({ord(letter)})"]
            plain = ""
        else:
            plain += letter
    parts += [f"'{plain}'"] * bool(plain or not parts)
    return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"


class _Bodies(TypedDict):
    duckdb: str
    spark: str


def _same(body: str) -> _Bodies:
    return {"duckdb": body, "spark": body}


def _formatted(pattern: str) -> str:
    """DuckDB's strftime; of a time of another precision it would make nanoseconds, which end in 2262."""
    return f"strftime(CAST(moment AS TIMESTAMP), '{pattern}')"


def _year(pattern: str) -> str:
    """DuckDB's body for a year and more, with the year as Java writes it before 0 and after 9999."""
    sign = "CASE WHEN year(moment) > 9999 THEN '+' WHEN year(moment) < 0 THEN '-' ELSE '' END"
    return f"{sign} || printf('%04d', abs(year(moment))) || {_formatted(pattern)}"


@lru_cache(maxsize=1)
def _currency_name() -> str:
    names = sorted((currency.alpha_3, currency.name) for currency in pycountry.currencies)
    branches = " ".join(f"WHEN {literal(code)} THEN {literal(name)}" for code, name in names)
    return f"CASE code {branches} ELSE 'Unknown (' || code || ')' END"


def _cross_rate(number: str, whole: str, quotient: str) -> str:
    """A cross rate's body: half of the divisor is added to the dividend, and whole numbers are divided.

    Args:
        number: The type of a number that is multiplied by a short one.
        whole: The type of whole numbers.
        quotient: How the whole part of a division is spelled.
    """
    ours, theirs = (f"CAST({name} AS {number})" for name in ("ours", "theirs"))
    of_ours, of_theirs = (f"CAST({one} * 1000000000 AS {whole})" for one in (ours, theirs))
    found = quotient.format(f"({of_ours} * 2000000000000 + {of_theirs})", f"({of_theirs} * 2)")
    rate = f"CAST(CAST({found} AS DECIMAL(18,0)) * CAST(0.000000000001 AS DECIMAL(12,12)) AS DECIMAL(18,12))"
    return f"CASE WHEN ours > 0 AND theirs > 0 AND ours <= {theirs} * 999999 THEN nullif({rate}, 0) END"


_TEXT, _DATE, _TIMESTAMP = "STRING", "DATE", "TIMESTAMP"
_MOMENT, _DAY = (("moment", _TIMESTAMP),), (("day", _DATE),)

FUNCTIONS: tuple[Function, ...] = (
    Function(
        "iso_date",
        (("value", _TEXT),),
        parse_type("date"),
        duckdb="CASE WHEN regexp_full_match(value, '[0-9]{4}-[0-9]{2}-[0-9]{2}')"
        " THEN try_cast(value AS DATE) END",
        # Java's $ lets a line break follow, the length does not.
        spark="CASE WHEN length(value) = 10 AND value RLIKE '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'"
        " THEN try_cast(value AS DATE) END",
        description="The day that a text states as YYYY-MM-DD; NULL for any other text.",
        parses=True,
    ),
    Function(
        "date_of",
        _MOMENT,
        parse_type("date"),
        **_same("CAST(moment AS DATE)"),
        description="The day of a time.",
    ),
    Function(
        "time_of",
        _MOMENT,
        parse_type("time"),
        duckdb=_formatted("%H:%M:%S.%g"),
        spark="date_format(moment, 'HH:mm:ss.SSS')",
        description="The time of day, HH:MM:SS.mmm, cut to the millisecond.",
    ),
    Function(
        "month_of",
        _MOMENT,
        parse_type("text"),
        duckdb=_year("-%m"),
        spark="date_format(moment, 'yyyy-MM')",
        description="The month of a time, YYYY-MM.",
    ),
    Function(
        "day_of",
        _MOMENT,
        parse_type("text"),
        duckdb=_year("-%m-%d"),
        spark="date_format(moment, 'yyyy-MM-dd')",
        description="The day of a time as text, YYYY-MM-DD.",
    ),
    Function(
        "block_of",
        (("number", "BIGINT"),),
        parse_type("bigint"),
        duckdb="number >> 12",
        spark="shiftright(number, 12)",
        description="The block of 4096 numbers that a number lies in; blocks are in the numbers' order.",
    ),
    Function(
        "text_block",
        (("value", _TEXT),),
        parse_type("bigint"),
        **_same(
            "CAST(16 * instr('123456789abcdef', substr(md5(value), 1, 1))"
            " + instr('123456789abcdef', substr(md5(value), 2, 1)) AS BIGINT)"
        ),
        description="One of 256 blocks, 0 to 255, that a text lies in: the first byte of its MD5.",
    ),
    Function(
        "micros_of",
        _MOMENT,
        parse_type("text"),
        duckdb=_year("-%m-%d %H:%M:%S.%f"),
        spark="date_format(moment, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
        description="A time as text, YYYY-MM-DD HH:MM:SS.ffffff.",
    ),
    Function(
        "year_of",
        _DAY,
        parse_type("integer"),
        **_same("CAST(year(day) AS INT)"),
        description="The year of a day.",
    ),
    Function(
        "quarter_of",
        _DAY,
        parse_type("integer"),
        **_same("CAST(quarter(day) AS INT)"),
        description="The quarter of the year, 1 to 4.",
    ),
    Function(
        "month_number",
        _DAY,
        parse_type("integer"),
        **_same("CAST(month(day) AS INT)"),
        description="The month of the year, 1 to 12.",
    ),
    Function(
        "day_number",
        _DAY,
        parse_type("integer"),
        **_same("CAST(day(day) AS INT)"),
        description="The day of the month, 1 to 31.",
    ),
    Function(
        "iso_weekday",
        _DAY,
        parse_type("integer"),
        duckdb="CAST(isodow(day) AS INT)",
        spark="CAST(weekday(day) + 1 AS INT)",
        description="The ISO day of the week: Monday 1 to Sunday 7.",
    ),
    Function(
        "day_name",
        _DAY,
        parse_type("text"),
        duckdb="dayname(day)",
        spark="date_format(day, 'EEEE')",
        description="The English name of the day of the week.",
    ),
    Function(
        "month_name",
        _DAY,
        parse_type("text"),
        duckdb="monthname(day)",
        spark="date_format(day, 'MMMM')",
        description="The English name of the month.",
    ),
    Function(
        "currency_name",
        (("code", _TEXT),),
        parse_type("text"),
        **_same(_currency_name()),
        description="The ISO 4217 name of a currency's code, or Unknown (code).",
    ),
    Function(
        "length_of",
        (("value", _TEXT),),
        parse_type("integer"),
        **_same("CAST(length(value) AS INT)"),
        description="How many characters (Unicode code points) a text has.",
    ),
    Function(
        "matches",
        (("value", _TEXT), ("pattern", _TEXT)),
        parse_type("boolean"),
        duckdb="regexp_full_match(value, pattern)",
        spark="value RLIKE ('^(?:' || pattern || ')' || chr(92) || 'z')",
        description="Whether a pattern of catalog/regex.py matches the whole text.",
    ),
    Function(
        "finds",
        (("value", _TEXT), ("pattern", _TEXT)),
        parse_type("boolean"),
        duckdb="regexp_matches(value, pattern)",
        spark="value RLIKE pattern",
        description="Whether a pattern of catalog/regex.py matches some part of the text.",
    ),
    Function(
        "cross_rate",
        (("ours", "DECIMAL(18,9)"), ("theirs", "DECIMAL(18,9)")),
        parse_type("decimal(18,12)"),
        # DuckDB keeps a product of two short decimals short, and divides decimals as binary fractions.
        duckdb=_cross_rate("DECIMAL(28,9)", "HUGEINT", "{} // {}"),
        spark=_cross_rate("DECIMAL(18,9)", "DECIMAL(38,0)", "{} div {}"),
        description="What a unit of their currency is worth in ours, from how many units of each are one of a"
        " third, rounded half up to twelve digits; NULL unless both are above zero, and where it is more than"
        " 999,999 or would round to nothing.",
        partial=True,
    ),
)
"""Every function, in the order in which documents list them."""

BY_NAME = {function.name: function for function in FUNCTIONS}
"""Every function by its name."""
