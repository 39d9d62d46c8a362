"""Every value arrives exactly, or empty with the source's own text beside it."""

from __future__ import annotations

import datetime as dt
import json
import random
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from catalog.model import Column
from catalog.types import parse_type
from glue_jobs.sources import cells
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.integration.glue_jobs.extract.conftest import World
from tests.night import at_night
from tests.small_shop import create_shop

ODD_TIMES = [
    "infinity",
    "-infinity",
    "4713-01-01 00:00:00 BC",
    "10000-01-01 00:00:00",
    "294276-12-31 23:59:59.999",
]
EDGE_TIMES = ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999", "1969-12-31 23:59:59.999"]


def test_times_that_the_lake_cannot_hold_stand_beside_their_empty_cell(world: World) -> None:
    for number, text in enumerate(ODD_TIMES, 1):
        world.sql(f"UPDATE sales_order SET last_updated = '{text}' WHERE sales_order_id = {number}")
    lines = world.run()
    rows = world.rows("sales_order", 1)
    for row, text in zip(rows, ODD_TIMES, strict=False):
        assert row["last_updated"] is None
        assert json.loads(row["unrepresentable"]) == {"last_updated": text}
        assert row["created_at"] is not None
    assert all(row["unrepresentable"] is None for row in rows[len(ODD_TIMES) :])
    (counted,) = [line for line in lines if line["event"] == "capture.table" and line["unparseable"]]
    assert (counted["table"], counted["unparseable"]) == ("sales_order", len(ODD_TIMES))


def test_times_at_the_edge_are_exact(world: World) -> None:
    for number, text in enumerate(EDGE_TIMES, 1):
        world.sql(f"UPDATE sales_order SET last_updated = '{text}' WHERE sales_order_id = {number}")
    world.run()
    for row, text in zip(world.rows("sales_order", 1), EDGE_TIMES, strict=False):
        assert row["last_updated"] == dt.datetime.fromisoformat(text)
    world.assert_lake_equals_source()


def test_a_number_that_is_none_stands_beside_its_empty_cell(world: World) -> None:
    world.sql("UPDATE sales_order SET unit_price = 'NaN', created_at = 'infinity' WHERE sales_order_id = 2")
    world.run()
    row = world.rows("sales_order", 1)[1]
    assert (row["unit_price"], row["created_at"]) == (None, None)
    assert json.loads(row["unrepresentable"]) == {"unit_price": "NaN", "created_at": "infinity"}


def test_amounts_are_exact(world: World) -> None:
    amounts = ["99999999.99", "-99999999.99", "0.01", "-0.01", "0", "10000", "1234.50"]
    for number, amount in enumerate(amounts, 1):
        world.sql(f"UPDATE payment SET payment_amount = {amount} WHERE payment_id = {number}")
    world.run()
    assert [row["payment_amount"] for row in world.rows("payment", 1)[:7]] == [Decimal(a) for a in amounts]
    world.assert_lake_equals_source()


TEXTS = [
    "",
    "a\nb\tc\\",
    "'; DROP TABLE staff; --",
    "שלום عالم",
    "👩\u200d👩\u200d👧 \U0010ffff",
    '{"a": "\\u0000"}',
    "\x01\x7f",
    "x" * 3_000_000,
]


def test_text_arrives_as_it_is(world: World) -> None:
    with world.connect() as connection:
        for text in TEXTS:
            connection.execute(
                "INSERT INTO department (department_name, last_updated) VALUES (%s, now())", (text,)
            )
    world.run()
    assert [row["department_name"] for row in world.rows("department", 1)[4:]] == TEXTS


def test_bytes_of_a_database_without_an_encoding_cost_their_cell_alone(
    world: World, source_server: EmbeddedPostgres
) -> None:
    name = f"ascii_{world.database}"
    with source_server.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'"
            " LOCALE_PROVIDER libc LOCALE 'C'".encode()
        )
    with psycopg.connect(source_server.dsn(database=name), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (k integer, v text)")
        connection.execute(rb"INSERT INTO t VALUES (1, 'plain'), (2, E'caf\xe9'), (3, NULL)")
    with dbapi.connect(source_server.dsn(database=name)) as adbc, adbc.cursor() as cursor:
        cursor.execute("SELECT v FROM t ORDER BY k")
        array = cursor.fetch_arrow_table()["v"].chunk(0)
    typed, odd = cells.cast(array, _column("text"))
    assert typed.to_pylist() == ["plain", None, None]
    assert odd == {1: "caf\\xe9"}


@pytest.mark.parametrize("encoding", ["LATIN1", at_night("WIN1252"), at_night("EUC_JP"), "SQL_ASCII"])
def test_a_source_of_another_encoding_is_captured_letter_for_letter(
    world: World, source_server: EmbeddedPostgres, encoding: str
) -> None:
    name, text = f"{world.database}_{encoding.lower()}", "漢字" if encoding == "EUC_JP" else "São Tomé"
    with source_server.connect() as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'".encode()
        )
    dsn = source_server.dsn(database=name)
    create_shop(dsn)
    with psycopg.connect(dsn, client_encoding="utf8") as connection:
        connection.execute("INSERT INTO currency (currency_code, last_updated) VALUES ('EUR', now())")
        connection.execute(
            "INSERT INTO department (department_name, last_updated) VALUES (%s, now())", (text,)
        )
    world.use_dsn(dsn)

    world.run()

    assert [row["department_name"] for row in world.rows("department", 1)] == [text]
    assert len(world.rows("currency", 1)) == 1


def _column(kind: str) -> Column:
    return Column(name="c", type=parse_type(kind), nullable=True, description="c")


def _delivered(server: EmbeddedPostgres, query: str) -> pa.Table:
    with dbapi.connect(server.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()


# What the server adds up, over its whole range: days since 1970, and milliseconds within the day.
RANGES = {
    "timestamp": (
        cells.timestamp_text,
        pa.int64(),
        -2_440_587,
        106_762_936,
        "(day + (ms || ' ms')::interval)",
    ),
    "date": (cells.date_text, pa.int32(), -2_440_588, 2_145_042_905, "day"),
}


@pytest.mark.parametrize("kind", RANGES)
def test_the_text_of_every_time_is_what_postgresql_prints(source_server: EmbeddedPostgres, kind: str) -> None:
    text, integer, low, high, value = RANGES[kind]
    chance = random.Random(1)
    days = [low, high, 0, -1, 59, *(chance.randint(low, high) for _ in range(3000))]
    rows = ",".join(f"({day}, {chance.randrange(86_400_000)})" for day in days)
    table = _delivered(
        source_server,
        f"SELECT v, v::text AS printed FROM (SELECT {value}::{kind} AS v"
        f" FROM (SELECT date '1970-01-01' + d AS day, ms FROM (VALUES {rows}) AS x(d, ms)) y) z",
    )
    array, printed = table["v"].combine_chunks(), table["printed"].to_pylist()
    assert [text(number) for number in array.view(integer).to_pylist()] == printed
    typed, odd = cells.cast(array, _column(kind))
    for row, (held, shown) in enumerate(zip(typed.to_pylist(), printed, strict=True)):
        assert (held is None) == (row in odd)
        if held is None:
            assert odd[row] == shown
            assert shown.endswith(" BC") or len(shown.split("-")[0]) > 4
        else:
            assert type(held).fromisoformat(shown if len(shown) < 20 else f"{shown:0<23}") == held


def test_a_time_of_day_keeps_its_milliseconds_and_midnight_at_the_end_stands_beside(
    source_server: EmbeddedPostgres,
) -> None:
    table = _delivered(
        source_server,
        "SELECT v::time(3) AS v"
        " FROM unnest(ARRAY['00:00', '23:59:59.999', '24:00:00', '12:34:56.7', NULL]) v",
    )
    typed, odd = cells.cast(table["v"].chunk(0), _column("time"))
    assert typed.to_pylist() == ["00:00:00.000", "23:59:59.999", None, "12:34:56.700", None]
    assert odd == {2: "24:00:00"}
