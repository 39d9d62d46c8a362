"""A compiled expression gives the same on DuckDB, on Spark, and as Python works it out, for every row."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from decimal import Decimal, localcontext

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog.expression import Expression, ExpressionError, compile_expression
from catalog.functions import literal
from catalog.model import Column
from catalog.regex import portable
from glue_jobs.reconciliation.expressions import FUNCTIONS, evaluate
from tests.examples import examples
from tests.invented import COLUMNS, LETTERS, ROW, expressions, in_order, patterns, rows, spelled
from tests.sql_engines import PlainDuckDB, PlainSpark

STATED = {
    name: Column(name=name, type=kind, nullable=True, description="x") for name, kind in COLUMNS.items()
}
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""A statement on thousands of rows takes a second or two: what fails says which expression it is."""

KINDS = ["integer", "decimal", "text", "date", "timestamp", "time", "boolean"]


@pytest.fixture(scope="module")
def duck() -> PlainDuckDB:
    return PlainDuckDB()


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> PlainSpark:
    return PlainSpark(tmp_path_factory.mktemp("spark"))


def compiled(texts: list[str]) -> dict[str, Expression]:
    found = {}
    for text in texts:
        # What has no room for its digits, and NULL alone, is refused.
        with suppress(ExpressionError):
            found[text] = compile_expression(text, COLUMNS)
    return found


@settings(max_examples=examples(2, 12), phases=NO_SHRINKING, suppress_health_check=[*HealthCheck])
@given(
    drawn=rows(COLUMNS),
    texts=st.lists(st.sampled_from(KINDS).flatmap(expressions), min_size=8, max_size=16, unique=True),
)
def test_engines_and_python_say_the_same(
    duck: PlainDuckDB, spark: PlainSpark, drawn: pa.Table, texts: list[str]
) -> None:
    found = compiled(texts)
    statements = [ROW, *(made.sql for made in found.values())]
    ours, theirs = (in_order(engine.evaluate(drawn, statements)) for engine in (duck, spark))
    few = drawn.slice(0, 60).to_pylist()
    for place, (text, made) in enumerate(found.items(), 1):
        left, right = (table[f"_{place}"].combine_chunks() for table in (ours, theirs))
        right = right.cast(left.type)
        assert left.equals(right), (text, made.sql)
        if not made.nullable and not made.unreadable:
            assert left.null_count == 0, text
        for row, value in zip(few, left.slice(0, 60), strict=True):
            given_texts = {name: spelled(row[name]) for name in COLUMNS}
            wanted = evaluate(text, STATED, given_texts)
            assert python_value(value) == wanted, (text, made.sql, row)


def python_value(value: pa.Scalar) -> str | None:
    if pa.types.is_date32(value.type) and value.is_valid and value.cast(pa.int32()).as_py() < -719_162:
        return str(dt.date(400, 1, 1) + dt.timedelta(value.cast(pa.int32()).as_py() + 719_528)).replace(
            "0400", "0000"
        )
    return spelled(value.as_py())


@settings(max_examples=examples(4, 25), phases=NO_SHRINKING, suppress_health_check=[*HealthCheck])
@given(
    texts=st.lists(st.text(LETTERS, max_size=12) | st.text(max_size=4), min_size=20, max_size=60),
    drawn=st.lists(patterns(), min_size=10, max_size=20, unique=True),
)
def test_patterns_match_the_same_everywhere(
    duck: PlainDuckDB, spark: PlainSpark, texts: list[str], drawn: list[str]
) -> None:
    table = pa.table({ROW: pa.array(range(len(texts)), pa.int32()), "word": pa.array(texts, pa.string())})
    calls = [(name, pattern) for pattern in drawn for name in ("matches", "finds")]
    statements = [ROW, *(f"{name}(word, {literal(portable(pattern))})" for name, pattern in calls)]
    ours, theirs = (in_order(engine.evaluate(table, statements)) for engine in (duck, spark))
    for place, (name, pattern) in enumerate(calls, 1):
        wanted = [FUNCTIONS[name](text, pattern) for text in texts]
        assert ours[f"_{place}"].to_pylist() == wanted, (name, pattern)
        assert theirs[f"_{place}"].to_pylist() == wanted, (name, pattern)


@given(text=st.text())
def test_a_literal_is_its_text_on_duckdb(duck: PlainDuckDB, text: str) -> None:
    nothing = pa.table({ROW: pa.array([0], pa.int32())})
    if "\0" in text:
        with pytest.raises(ValueError, match="NUL"):
            literal(text)
    else:
        assert duck.evaluate(nothing, [literal(text)])["_0"][0].as_py() == text


@settings(max_examples=examples(2, 5), phases=NO_SHRINKING, suppress_health_check=[*HealthCheck])
@given(texts=st.lists(st.text().filter(lambda text: "\0" not in text), min_size=50, max_size=200))
def test_literals_are_their_texts_on_spark(spark: PlainSpark, texts: list[str]) -> None:
    nothing = pa.table({ROW: pa.array([0], pa.int32())})
    odd = [*texts, "${spark.app.name}", "\\", "'", "\\'", "%\\_", "-- /*"]
    found = spark.evaluate(nothing, [literal(text) for text in odd])
    assert [found[f"_{place}"][0].as_py() for place in range(len(odd))] == odd


def test_no_number_is_too_large_for_what_is_made_of_it(duck: PlainDuckDB, spark: PlainSpark) -> None:
    most = {"small": -(2**31), "large": -(2**63), "wide": Decimal("99999999999999.9999")}
    table = pa.table(
        {
            "small": pa.array([most["small"]], pa.int32()),
            "large": pa.array([most["large"]], pa.int64()),
            "wide": pa.array([most["wide"]], pa.decimal128(18, 4)),
        }
    )
    texts = [
        "-small",
        "-large",
        "small * small",
        "large * 2",
        "wide * wide",
        "wide + wide",
        "large - 1",
        "wide * small",
    ]
    found = [compile_expression(text, COLUMNS).sql for text in texts]
    for engine in (duck, spark):
        answer = engine.evaluate(table, found)
        values = [answer[f"_{place}"][0].as_py() for place in range(len(texts))]
        with localcontext(prec=60):
            assert values == [eval(text, {}, dict(most)) for text in texts]  # noqa: S307
