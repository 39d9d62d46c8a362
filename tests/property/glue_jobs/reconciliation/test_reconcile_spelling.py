"""A value is spelled the same way whether PostgreSQL gives it as text or a parquet file holds it typed."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.model import Column
from catalog.types import arrow_type
from glue_jobs.reconciliation.canonical import MACROS, fingerprint, from_lake, from_postgres, quoted
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.examples import examples

PG_TYPE = {
    "timestamp": "timestamp(3)",
    "timestamptz": "timestamptz AT TIME ZONE 'UTC'",
    "double": "float8",
    "decimal(38,10)": "numeric",
    "decimal(10,2)": "numeric(10,2)",
    "decimal(5,5)": "numeric(5,5)",
}

milliseconds = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - the lake's times
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[psycopg.Connection]:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(f"{folder}/pg", durable=False) as server,
        server.connect("postgres") as connection,
    ):
        yield connection


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for macro in MACROS:
            connection.execute(macro)
        yield connection


def column(kind: str) -> Column:
    return Column(name="value", type=kind, nullable=True, description="any")


def as_captured(number: float) -> float:
    """The capture writes one NaN, whatever bits it comes with."""
    return math.nan if math.isnan(number) else number


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(25, 60)
)
@given(data=st.data())
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", st.integers(-(2**31), 2**31 - 1)),
        ("bigint", st.integers(-(2**63), 2**63 - 1)),
        ("boolean", st.booleans()),
        ("date", st.dates(date(1, 1, 1), date(9999, 12, 31))),
        ("timestamp", milliseconds),
        ("timestamp(6)", st.datetimes()),
        ("timestamptz", st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))),
        ("double", st.floats().map(as_captured)),
        ("real", st.floats(width=32).map(as_captured)),
        ("text", texts),
        ("decimal(10,2)", st.decimals(Decimal(-99_999_999), Decimal(99_999_999), places=2)),
        ("decimal(5,5)", st.decimals(Decimal("-0.99999"), Decimal("0.99999"), places=5)),
        ("decimal(38,10)", st.decimals(Decimal(-(10**27)), Decimal(10**27), places=10)),
    ],
)
def test_source_and_lake_spell_alike(
    postgres: psycopg.Connection, duck: duckdb.DuckDBPyConnection, data: Any, kind: str, values: Any
) -> None:
    drawn = data.draw(st.lists(st.none() | values, min_size=1, max_size=20))
    stated = column(kind)
    cells = [
        postgres.execute(f"SELECT (%s::{PG_TYPE.get(kind, kind)})::text".encode(), [value]).fetchone()[0]  # type: ignore[index]
        for value in drawn
    ]
    texts_of = pa.table({"n": range(len(cells)), "value": pa.array(cells, pa.string())})
    typed = pa.table({"n": range(len(drawn)), "value": pa.array(drawn, arrow_type(stated.type))})

    duck.register("texts_of", texts_of)
    duck.register("typed", typed)
    here = duck.execute(f"SELECT {from_postgres(stated, 'value')} FROM texts_of ORDER BY n").fetchall()
    there = duck.execute(f"SELECT {from_lake(stated, 'value')} FROM typed ORDER BY n").fetchall()

    assert here == there
    if kind == "text":
        assert [row[0] for row in here] == drawn


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(*[st.none() | texts] * 3), min_size=2, max_size=2))
def test_rows_have_one_fingerprint_only_if_they_are_equal(
    duck: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, ...]]
) -> None:
    names = ["a", "b", "c"]
    duck.register(
        "drawn",
        pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)}),
    )
    found = {row[0] for row in duck.execute(f"SELECT {fingerprint(names)} FROM drawn").fetchall()}

    assert (len(found) == 1) == (rows[0] == rows[1])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("a", None, "b"), (None, "a", "b")),
        (("ab", "", ""), ("a", "b", "")),
        (("1:a", "", ""), ("1", ":a", "")),
        (("-", None, None), (None, "-", None)),
        (("", None, None), (None, None, None)),
    ],
)
def test_near_misses_have_different_fingerprints(
    duck: duckdb.DuckDBPyConnection, left: tuple[str | None, ...], right: tuple[str | None, ...]
) -> None:
    names = ["a", 'b"', "c d"]
    duck.execute('CREATE OR REPLACE TEMP TABLE pair (n INTEGER, a VARCHAR, "b""" VARCHAR, "c d" VARCHAR)')
    duck.executemany("INSERT INTO pair VALUES (?, ?, ?, ?)", [[1, *left], [2, *right]])
    found = duck.execute(f"SELECT {fingerprint(names)}, {quoted(names[1])} FROM pair ORDER BY n").fetchall()

    assert found[0][0] != found[1][0]
