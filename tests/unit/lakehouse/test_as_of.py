"""Questions about the past: which tables they may name, and what these are then."""

from __future__ import annotations

import duckdb
import pytest

from catalog.catalogue import load_catalogue
from catalog.model import Contract
from glue_jobs.runtime.errors import UserError
from lakehouse.as_of import as_of, parse_point

CATALOG = load_catalogue()
STAR = CATALOG.zones["star"].database
FACT, DIMENSION = "fact_sales_order", "dim_design"


def unchanged(_: Contract) -> int:
    return 0


def asked(sql: str, batch: int = 2, database: str = STAR) -> str:
    return as_of(CATALOG, database, sql, batch, unchanged)


@pytest.fixture
def lake() -> duckdb.DuckDBPyConnection:
    """Three versions of an order, of batches 1 to 3, and one of another in batch 3; no dead letters."""
    connection = duckdb.connect()
    connection.execute(f"CREATE SCHEMA {STAR}")
    contract = CATALOG.star[FACT]
    columns = [*contract.all_columns, *contract.partition_columns]
    names = ", ".join(f'"{column.name}" {_type(str(column.type))}' for column in columns)
    connection.execute(f"CREATE TABLE {STAR}.{FACT} ({names})")
    connection.execute(f"CREATE TABLE {STAR}.unresolved_dead_letters (table_name VARCHAR, row_key INTEGER)")
    connection.execute(
        f"INSERT INTO {STAR}.{FACT}"
        " (sales_order_id, batch_sequence, units_sold, is_deleted, created_month)"
        " SELECT *, '2024-11' FROM (VALUES (1, 1, 10, false), (1, 2, 20, false), (1, 3, 30, true),"
        " (2, 3, 5, false))"
    )
    return connection


def _type(name: str) -> str:
    return {"text": "VARCHAR", "time": "VARCHAR"}.get(name, name)


@pytest.mark.parametrize(
    ("batch", "current", "versions"), [(1, [(1, 10)], 1), (2, [(1, 20)], 2), (3, [(2, 5)], 4)]
)
def test_a_fact_and_its_views_are_what_they_were_after_the_batch(
    lake: duckdb.DuckDBPyConnection, batch: int, current: list[tuple[int, int]], versions: int
) -> None:
    query = asked(f"SELECT sales_order_id, units_sold FROM {FACT}_current ORDER BY 1", batch)
    assert lake.execute(query).fetchall() == current
    assert lake.execute(asked(f"SELECT count(*) FROM {FACT}", batch)).fetchall() == [(versions,)]


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH a AS (SELECT * FROM {FACT}) SELECT count(*) FROM a",
        f"-- how many\n/* orders */ with a AS (SELECT * FROM {FACT.upper()}) SELECT count(*) FROM a",
        f"SELECT count(*) FROM {FACT} WHERE 'x.y' <> '{STAR}.{FACT}' -- {STAR}.{FACT}",
    ],
)
def test_a_query_may_have_names_comments_and_texts_of_its_own(
    lake: duckdb.DuckDBPyConnection, sql: str
) -> None:
    assert lake.execute(asked(sql, 1)).fetchall() == [(1,)]


def test_a_dimension_counts_while_none_of_its_rows_has_changed_since() -> None:
    assert f"{DIMENSION} AS (SELECT * FROM {STAR}.{DIMENSION} WHERE batch_sequence <= 2)" in asked(
        f"SELECT * FROM {DIMENSION}"
    )
    with pytest.raises(UserError, match=rf"{DIMENSION} keeps no versions, and 3 of its rows have changed"):
        as_of(CATALOG, STAR, f"SELECT * FROM {FACT} JOIN {DIMENSION} USING (design_id)", 2, lambda _: 3)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (f"SELECT * FROM {STAR}.{FACT}", "cannot name"),
        (f"SELECT * FROM {STAR} . {FACT}", "cannot name"),
        ("SELECT 1", "names no table of"),
        (f"SELECT '{FACT}'", "names no table of"),
    ],
)
def test_what_would_not_be_of_the_past_is_refused(sql: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        asked(sql)


def test_raw_tables_are_asked_with_their_database() -> None:
    raw = CATALOG.zones["raw"].database
    assert f"WITH staff AS (SELECT * FROM {raw}.staff WHERE batch <= 2) SELECT" in asked(
        "SELECT * FROM staff", database=raw
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", "2026-11-01 00:00:00"),
        ("2026-11-01 09:30", "2026-11-01 09:30:00"),
        ("2026-11-01T09:30:00+02:00", "2026-11-01 07:30:00"),
    ],
)
def test_a_point_in_time_is_a_batch_or_a_moment(text: str, moment: str) -> None:
    assert parse_point("7") == 7
    assert str(parse_point(text)) == moment
