"""Rows, expressions and patterns that Hypothesis invents: thousands of rows of few odd values each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from catalog.types import MOMENTS, LogicalType, arrow_type, parse_type

ROWS = 3000

ROW = "row_place"
"""Column that numbers the rows, since engines give them in any order."""

COLUMNS: Mapping[str, LogicalType] = {
    name: parse_type(kind)
    for name, kind in {
        "small": "integer",
        "large": "bigint",
        "money": "decimal(10,2)",
        "rate": "decimal(9,6)",
        "wide": "decimal(18,4)",
        "word": "text",
        "other_word": "text",
        "made_at": "timestamp",
        "since": "timestamp",
        "seen_at": "timestamp(6)",
        "sent_at": "timestamptz",
        "day": "date",
        "clock": "time",
        "paid": "boolean",
    }.items()
}
"""Columns of every type."""

LETTERS = "aAbkK019-._ $^\\'\"\n\r\t\v\x85\u2028\u212a\u017féßİ😀[]{}()|&~"
"""Characters that engines are known to disagree about, and some others."""

WORDS = [
    *("", " ", "a", "2024-11-15", "2024-02-30", "2024-11-15\n", "2024-1-1", "0000-02-29", "9999-12-31"),
    *("true", "12345", "12345-6789", "1803 637401", "é", "e\u0301", "😀", "GBP", "inf"),
]


def values(kind: LogicalType) -> SearchStrategy[Any]:
    """Values of a type, as Arrow takes them."""
    if kind.name in ("integer", "bigint"):
        most = 2 ** (31 if kind.name == "integer" else 63)
        edges = [0, 1, -1, 4095, 4096, -4096, -4097, most - 1, -most]
        return st.sampled_from(edges) | st.integers(-20, 20) | st.integers(-most, most - 1)
    if kind.name == "decimal":
        precision, scale = kind.precision or 0, kind.scale or 0
        most = 10**precision - 1
        units = st.sampled_from([0, 1, -1, most, -most]) | st.integers(-500, 500) | st.integers(-most, most)
        return units.map(lambda unit: Decimal(unit).scaleb(-scale))
    if kind.name == "text":
        return st.sampled_from(WORDS) | st.text(LETTERS, max_size=8)
    if kind.name in MOMENTS:
        first, last = -62_135_596_800_000, 253_402_300_799_999
        near = st.integers(1_731_000_000_000, 1_732_000_000_000)
        milliseconds = near | st.integers(first, last) | st.sampled_from([0, -1, 999, first, last])
        if kind.name == "timestamp":
            return milliseconds
        return st.builds(lambda whole, rest: 1_000 * whole + rest, milliseconds, st.integers(0, 999))
    if kind.name == "date":
        return st.integers(20_000, 20_060) | st.integers(-719_162, 2_932_896)
    if kind.name == "time":
        return st.integers(0, 86_399_999).map(_clock)
    return st.booleans()


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


@st.composite
def rows(draw: st.DrawFn, columns: Mapping[str, LogicalType], count: int = ROWS) -> pa.Table:
    """Thousands of rows: each column takes its cells from a few values, NULL among them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = {ROW: pa.array(np.arange(count), pa.int32())}
    for name, kind in columns.items():
        pool = [None, *draw(st.lists(values(kind), min_size=3, max_size=16))]
        target = arrow_type(kind)
        plain = {**dict.fromkeys(MOMENTS, pa.int64()), "date": pa.int32()}.get(kind.name, target)
        cells = pa.array(pool, plain).cast(target)
        made[name] = cells.take(pa.array(random.integers(0, len(pool), count)))
    return pa.table(made)


def in_order(found: pa.Table) -> pa.Table:
    """What an engine gave, in the order of the first column, which is ``ROW``."""
    return found.sort_by(found.column_names[0])


def spelled(value: Any) -> str | None:
    """A value as PostgreSQL's text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dt.datetime):
        text = value.isoformat(" ")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


# ---------------------------------------------------------------------- expressions


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _leaf(kind: str) -> SearchStrategy[str]:
    alike = MOMENTS if kind == "timestamp" else (kind,)
    named = st.sampled_from([name for name, known in COLUMNS.items() if known.name in alike])
    if kind in ("integer", "bigint"):
        return named | st.integers(-3, 20).map(str)
    if kind == "decimal":
        return named | st.sampled_from(["0.01", "2.5", "1000", "-0.000001"])
    if kind == "text":
        return named | st.sampled_from(WORDS).map(_quoted)
    if kind == "date":
        return named | st.sampled_from(["DATE '2024-11-15'", "DATE '0001-01-01'"])
    if kind == "timestamp":
        return named | st.sampled_from([f"TIMESTAMP '2024-11-15 10:00:00.{rest}'" for rest in (5, 500001)])
    if kind == "time":
        return named | st.just("'10:00:00.000'")
    return named | st.sampled_from(["TRUE", "FALSE", "NULL"])


def _forms(*templates: str, **parts: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.sampled_from(templates).flatmap(
        lambda template: st.fixed_dictionaries(parts).map(lambda drawn: template.format(**drawn))
    )


def expressions(kind: str, depth: int = 2) -> SearchStrategy[str]:
    """Texts of the common subset that give a type, some of which the compiler refuses for their digits."""
    if depth == 0:
        return _leaf(kind)

    def of(name: str) -> SearchStrategy[str]:
        return expressions(name, depth - 1)

    alike = _forms(
        "coalesce({a}, {b})",
        "nullif({a}, {b})",
        "CASE WHEN {c} THEN {a} WHEN {d} THEN {b} END",
        "CASE WHEN {c} THEN {a} ELSE {b} END",
        a=of(kind),
        b=of(kind),
        c=of("boolean"),
        d=of("boolean"),
    )
    return _leaf(kind) | alike | _of_kind(kind, of)


def _of_kind(kind: str, of: Any) -> SearchStrategy[str]:
    if kind in ("integer", "bigint", "decimal"):
        number = st.sampled_from(["integer", "bigint", "decimal"]).flatmap(of)
        made = _forms("({a} + {b})", "({a} - {b})", "{a} * {b}", "-({a})", a=number, b=number)
        return made | _forms("year_of({a})", "iso_weekday({a})", "quarter_of({a})", a=of("date"))
    if kind == "text":
        return (
            _forms("{a} || {b}", a=of("text"), b=of("text"))
            | _forms("day_name({a})", "month_name({a})", a=of("date"))
            | _forms("month_of({a})", "day_of({a})", a=of("timestamp"))
            | _forms("CAST({a} AS STRING)", a=st.sampled_from(["integer", "boolean"]).flatmap(of))
            | _forms("currency_name({a})", a=of("text"))
        )
    if kind == "date":
        return _forms("iso_date({a})", a=of("text")) | _forms(
            "date_of({a})", "CAST({a} AS DATE)", a=of("timestamp")
        )
    if kind == "time":
        return _forms("time_of({a})", a=of("timestamp"))
    if kind == "timestamp":
        return _leaf(kind)
    compared = st.sampled_from(
        ["integer", "decimal", "text", "date", "timestamp", "time", "boolean"]
    ).flatmap(
        lambda name: _forms(
            "({a} = {b})",
            "({a} <> {b})",
            "({a} < {b})",
            "({a} >= {b})",
            "({a} BETWEEN {b} AND {a})",
            "({a} NOT BETWEEN {b} AND {b})",
            "({a} IN ({b}, {a}))",
            "({a} NOT IN ({b}))",
            "({a} IS NULL)",
            "({a} IS NOT NULL)",
            "({a} IS DISTINCT FROM {b})",
            "({a} IS NOT DISTINCT FROM {b})",
            a=of(name),
            b=of(name),
        )
    )
    return compared | _forms("({a} AND {b})", "({a} OR {b})", "(NOT {a})", a=of("boolean"), b=of("boolean"))


# ---------------------------------------------------------------------- patterns


def _escaped(letter: str) -> str:
    return f"\\{letter}" if "!" <= letter <= "~" and not letter.isalnum() else letter


def _class(drawn: tuple[bool, list[tuple[str, str]]]) -> str:
    negated, spans = drawn
    parts = (
        _escaped(min(span)) if span[0] == span[1] else f"{_escaped(min(span))}-{_escaped(max(span))}"
        for span in spans
    )
    return f"[{'^' * negated}{''.join(parts)}]"


def patterns(depth: int = 1, *, top: bool = True) -> SearchStrategy[str]:
    """Regular expressions of the allow-list."""
    letter = st.sampled_from(LETTERS)
    atom = (
        letter.map(_escaped)
        | st.just(r"\d")
        | st.tuples(st.booleans(), st.lists(st.tuples(letter, letter), min_size=1, max_size=3)).map(_class)
    )
    repeated = st.tuples(atom, st.sampled_from(["", "", "?", "*", "+", "{2}", "{0,3}", "{1,}"])).map("".join)
    if depth > 0:
        group = st.tuples(st.sampled_from(["(", "(?:"]), patterns(depth - 1, top=False), st.just(")")).map(
            "".join
        )
        grouped = st.tuples(group, st.sampled_from(["", "?", "{1,2}", "{0,3}"])).map("".join)
        repeated = repeated | grouped
    sequence = st.lists(repeated, min_size=1, max_size=4).map("".join)
    if top:
        ends = st.tuples(st.sampled_from(["", r"\A"]), sequence, st.sampled_from(["", r"\z"]))
        sequence = ends.map("".join)
    return st.lists(sequence, min_size=1, max_size=3).map("|".join)
