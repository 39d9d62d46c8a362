"""The schema, the bulk load and the reader of totesys, on a real PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from lakehouse.embedded_postgres import EmbeddedPostgres
from totesys import database, generator


def test_the_schema_has_the_eleven_tables_with_their_keys_and_references(empty: str) -> None:
    with psycopg.connect(empty) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
        stamps = connection.execute(
            "SELECT count(*) FROM pg_attribute WHERE attname IN ('created_at', 'last_updated')"
            " AND format_type(atttypid, atttypmod) = 'timestamp(3) without time zone'"
            " AND attrelid::regclass::text = ANY(%s)",
            [list(database.TABLES)],
        ).fetchone()
    assert {name for (name,) in tables} == {*database.TABLES, "_prisma_migrations"}
    assert stamps == (22,)


def test_creating_it_twice_says_so(empty: str) -> None:
    with pytest.raises(database.TotesysError, match=r"holds totesys already .*; take an empty one"):
        database.create(empty)


def test_a_role_that_may_not_create_is_told(nothing: str, totesys_server: EmbeddedPostgres) -> None:
    totesys_server.ensure_role("stranger")
    with pytest.raises(database.TotesysError, match="the role stranger may not create tables"):
        database.create(totesys_server.dsn(user="stranger", database="totesys"))


def test_the_reader_may_read_every_table_and_write_none(empty: str, totesys_server: EmbeddedPostgres) -> None:
    totesys_server.ensure_role("reader")
    database.grant_reader(empty, "reader")
    with psycopg.connect(
        totesys_server.dsn(user="reader", database="totesys"), autocommit=True
    ) as connection:
        for table in database.TABLES:
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE staff SET first_name = ''")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT nextval('staff_staff_id_seq')")


def test_the_generator_fills_it_and_the_next_ids_follow(empty: str) -> None:
    told: list[tuple[int, int]] = []
    counts = generator.generate(empty, progress=lambda done, total: told.append((done, total)))

    assert told[-1] == (15_836, 15_836)
    with psycopg.connect(empty) as connection:
        for table in database.TABLES:
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (counts[table],)
            sequence = connection.execute(f"SELECT nextval('{table}_{table}_id_seq')".encode()).fetchone()
            assert sequence == (counts[table] + 1,)
        # The foreign keys that were taken away for the load are back and checked.
        keys = connection.execute(
            "SELECT count(*) FILTER (WHERE convalidated), count(*) FROM pg_constraint WHERE contype = 'f'"
        ).fetchone()
        unequal = connection.execute(
            "SELECT count(*) FROM payment p JOIN transaction t USING (transaction_id)"
            " LEFT JOIN sales_order s USING (sales_order_id)"
            " LEFT JOIN purchase_order o USING (purchase_order_id)"
            " WHERE p.payment_amount"
            " IS DISTINCT FROM coalesce(s.units_sold * s.unit_price, o.item_quantity * o.item_unit_price)"
            " OR p.created_at IS DISTINCT FROM coalesce(s.created_at, o.created_at)"
        ).fetchone()
    assert keys == (17, 17)
    assert unequal == (0,)


def test_a_table_with_rows_is_not_filled_again(empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute("INSERT INTO currency (currency_code, last_updated) VALUES ('CHF', now())")
    with pytest.raises(
        database.TotesysError, match="the table currency in the database totesys has rows already"
    ):
        generator.generate(empty)


def test_a_database_without_totesys_is_not_filled(nothing: str) -> None:
    with pytest.raises(database.TotesysError, match="has no table currency; create it first"):
        generator.generate(nothing)
