"""No expression runs untyped: each is refused, or has the type that DuckDB gives it too."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.athena import udfs
from local_aws.athena.catalog_reader import GlueCatalog
from local_aws.athena.explain_plan import explain
from local_aws.athena.kinds import duckdb_type
from local_aws.athena.plan import Plan
from local_aws.athena.query_errors import AthenaError, QueryError
from local_aws.athena.relations import translate
from local_aws.athena.signatures import Pattern, Signature, entries
from local_aws.athena.syntax import parse
from tests.examples import examples

LITERALS = {
    "boolean": ["true", "x > 1"],
    "tinyint": ["CAST(1 AS tinyint)"],
    "smallint": ["CAST(1 AS smallint)"],
    "integer": ["1", "x", "-3"],
    "bigint": ["BIGINT '2'", "5000000000"],
    "real": ["REAL '1.5'"],
    "double": ["1.5", "2E0"],
    "decimal": ["DECIMAL '1.50'", "CAST(x AS decimal(20,4))"],
    "varchar": ["'a'", "CAST(x AS varchar)", "'day'", "'%Y'"],
    "char": ["CAST('a' AS char(2))"],
    "varbinary": ["X'00'"],
    "json": ["JSON '1'"],
    "date": ["DATE '2024-01-31'"],
    "time": ["TIME '10:00:00'"],
    "timestamp": ["TIMESTAMP '2024-01-31 10:00:00.123'"],
    "timestamp with time zone": ["TIMESTAMP '2024-01-31 10:00:00 Europe/London'"],
    "interval day to second": ["INTERVAL '1' DAY"],
    "interval year to month": ["INTERVAL '1' MONTH"],
    "array": ["ARRAY[1, NULL]", "ARRAY['a']", "ARRAY[]", "ARRAY[ROW(1, 'a')]", "ARRAY[ARRAY[1]]"],
    "map": ["MAP(ARRAY['a'], ARRAY[1])", "MAP(ARRAY[1], ARRAY['a'])"],
    "row": ["ROW(1, 'a')", "CAST(ROW(1) AS ROW(a integer))"],
    "unknown": ["NULL"],
}
EVERY = [text for texts in LITERALS.values() for text in texts]
OPERATORS = ["+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "AND", "OR", "IS DISTINCT FROM", "LIKE"]


def _lambda(pattern: Pattern, draw: st.DrawFn) -> str:
    names = [f"p{place}" for place in range(len(pattern.args) - 1)]
    body = draw(st.sampled_from([*names, "1", "'a'", "true", f"{names[0]} = {names[-1]}", f"{names[0]} + 1"]))
    return f"({', '.join(names)}) -> {body}"


def _argument(pattern: Pattern, draw: st.DrawFn) -> str:
    if pattern.name == "function":
        return _lambda(pattern, draw)
    fits = LITERALS.get(pattern.name, EVERY)
    return draw(st.sampled_from(fits)) if draw(st.integers(0, 9)) else draw(st.sampled_from(EVERY))


def _call(entry: Signature, draw: st.DrawFn) -> str:
    count = len(entry.parameters) + (draw(st.integers(0, 2)) if entry.variadic else 0)
    listed = ", ".join(_argument(entry.parameter(place), draw) for place in range(count))
    if entry.name == "count" and not count:
        listed = "*"
    if entry.name == "listagg":
        return f"listagg({listed}) WITHIN GROUP (ORDER BY x)"
    return f"{entry.name}({listed})" + (" OVER (ORDER BY x)" if entry.kind == "window" else "")


@st.composite
def calls(draw: st.DrawFn) -> str:
    return _call(draw(st.sampled_from(entries())), draw)


@st.composite
def operations(draw: st.DrawFn) -> str:
    left, right, third = (draw(st.sampled_from(EVERY)) for _ in range(3))
    return draw(
        st.sampled_from(
            [f"({left}) {sign} ({right})" for sign in OPERATORS]
            + [
                f"({left}) BETWEEN ({right}) AND ({third})",
                f"({left}) IN (({right}), ({third}))",
                f"CASE WHEN {left} THEN {right} ELSE {third} END",
                f"CASE {left} WHEN {right} THEN {third} END",
                f"coalesce({left}, {right})",
                f"nullif({left}, {right})",
                f"ARRAY[{left}, {right}]",
                f"ROW({left}, {right})[2]",
                f"({left})[{right}]",
                f"- ({left})",
                f"NOT ({left})",
                f"({left}) IS NULL",
                f"CAST({left} AS varchar)",
                f"TRY_CAST({left} AS {draw(st.sampled_from(sorted(LITERALS)[2:-3]))})",
                f"({left}) AT TIME ZONE 'Asia/Tokyo'",
                f"EXTRACT(YEAR FROM {left})",
            ]
        )
    )


@st.composite
def compositions(draw: st.DrawFn) -> str:
    """Expressions of expressions: what one gives is well or ill suited to what stands around it."""
    one, two = (draw(st.one_of(calls(), operations())) for _ in range(2))
    kind = draw(st.sampled_from(sorted(set(LITERALS) - {"array", "map", "row", "unknown"})))
    return draw(
        st.sampled_from(
            [
                f"({one}) {draw(st.sampled_from(OPERATORS))} ({two})",
                f"CAST({one} AS {kind})",
                f"TRY_CAST({one} AS {kind})",
                f"CAST({one} AS json)",
                f"IF(({one}) IS NULL, {two})",
                f"coalesce({one}, {two})",
                f"ARRAY[{one}, {two}]",
                f"MAP(ARRAY[{one}], ARRAY[{two}])",
                f"transform(ARRAY[{one}], y -> {two})",
                f"({one}) IN (SELECT {two})",
                f"(SELECT {one}) = ({two})",
                f"max({one})",
                f"array_agg(DISTINCT {one})",
                f"typeof({one})",
            ]
        )
    )


def _types(sql: str) -> tuple[list[str], list[str]]:
    """DuckDB's types of a query's columns: as they are, and as they ought to be."""
    plan = Plan(dt.datetime(2026, 11, 28, 12, 0, 0))  # noqa: DTZ001  # a moment in UTC
    result = translate(sql, parse(sql), GlueCatalog(cast("Any", None)), None, plan)
    with duckdb.connect() as connection:
        udfs.register(connection, plan.functions, [])
        described = connection.execute(f"DESCRIBE {result.sql}").fetchall()
        if any(column.type.base == "unknown" for column in result.columns):
            return [], []  # NULL is of every type
        wanted = [duckdb_type(column.type) for column in result.columns]
        shown = [
            connection.execute(f"SELECT typeof(CAST(NULL AS {kind}))").fetchone()[0]  # type: ignore[index]
            for kind in wanted
        ]
    return [kind for _, kind, *_ in described], shown


def _check(expression: str) -> None:
    try:
        found, wanted = _types(f"SELECT {expression} FROM (VALUES 1, 2) AS t(x)")
    except (QueryError, AthenaError):
        return
    except duckdb.BinderException as error:
        if explain(error).name == "NOT_SUPPORTED":
            return
        pytest.fail(f"typed, but DuckDB takes it for something else: {expression}: {error}")
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        return  # a value, not a type, that DuckDB found out while it planned
    assert found == wanted, expression


@settings(max_examples=examples(60, 150), deadline=None)
@given(calls())
def test_every_call_of_the_list_is_typed_as_it_runs_or_refused(expression: str) -> None:
    _check(expression)


@settings(max_examples=examples(60, 150), deadline=None)
@given(operations())
def test_every_operation_is_typed_as_it_runs_or_refused(expression: str) -> None:
    _check(expression)


@settings(max_examples=examples(60, 150), deadline=None)
@given(compositions())
def test_every_composed_expression_is_typed_as_it_runs_or_refused(expression: str) -> None:
    _check(expression)


@settings(max_examples=examples(120, 300), deadline=None)
@given(
    st.lists(
        st.sampled_from([*"()[],.+-*/=<>|'\"`;:?{}", "SELECT", "FROM", "x", "1", "AS", "CASE", "WITH", " "]),
        max_size=20,
    )
)
def test_no_text_but_a_statement_is_read(pieces: list[str]) -> None:
    text = " ".join(pieces)
    try:
        parse(text)
    except (QueryError, AthenaError):
        return
    assert any(word in text for word in ("SELECT", "WITH")), text
