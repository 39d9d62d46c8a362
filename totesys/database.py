"""The totesys database itself: making its tables, filling them in bulk, letting a reader in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import psycopg
from psycopg import sql

from glue_jobs.runtime.connections import ENCODING

TABLES = (
    "currency",
    "department",
    "address",
    "counterparty",
    "staff",
    "design",
    "sales_order",
    "purchase_order",
    "payment_type",
    "transaction",
    "payment",
)
"""Every business table, each after the tables that it refers to."""


class TotesysError(ValueError):
    """The database could not be made or filled; the message says where and what to do."""


def create(dsn: str) -> None:
    """Make the tables of totesys, empty, in the schema ``public``.

    Args:
        dsn: The database, as a role that may create tables in it.

    Raises:
        TotesysError: Tables of these names are there already, or the role may not make them.
    """
    statements = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        try:
            connection.execute(statements.encode())
        except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject) as error:
            raise TotesysError(
                f"the database {connection.info.dbname} holds totesys already ({_first_line(error)}); "
                "take an empty one"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise TotesysError(
                f"the role {connection.info.user} may not create tables in the database "
                f"{connection.info.dbname} ({_first_line(error)}); take its owner"
            ) from error


def grant_reader(dsn: str, role: str) -> None:
    """Let an existing role read every table of totesys, and nothing more.

    Args:
        dsn: The database, as the tables' owner.
        role: The role to let in.
    """
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))
        connection.execute(
            sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(sql.Identifier(role))
        )


@contextmanager
def bulk_load(dsn: str) -> Iterator[psycopg.Connection]:
    """One transaction for filling the empty tables fast.

    Foreign keys are taken away and put back at the end, where PostgreSQL checks each in one pass instead of
    row by row; the sequences are then set to follow the ids. Whatever fails leaves the tables empty.

    Args:
        dsn: The database, as the tables' owner.

    Yields:
        The connection to COPY with.

    Raises:
        TotesysError: A table is missing or not empty, or a row refers to one that is not there.
    """
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        for table in TABLES:
            _require_empty(connection, table)
        foreign_keys = connection.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
            " AND conrelid::regclass::text = ANY(%s) ORDER BY 1, 2",
            [list(TABLES)],
        ).fetchall()
        for table, name, _ in foreign_keys:
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.Identifier(table), sql.Identifier(name)
                )
            )
        yield connection
        for table, name, definition in foreign_keys:
            try:
                connection.execute(
                    sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(
                        sql.Identifier(table), sql.Identifier(name)
                    )
                    + sql.SQL(definition)
                )
            except psycopg.errors.ForeignKeyViolation as error:
                detail = error.diag.message_detail or _first_line(error)
                raise TotesysError(f"{table}: a row refers to one that is not there: {detail}") from error
        for table in TABLES:
            _set_sequence(connection, table)
    with psycopg.connect(dsn, client_encoding=ENCODING, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))


def key_of(table: str) -> str:
    """The name of a table's key column."""
    return f"{table}_id"


def _require_empty(connection: psycopg.Connection, table: str) -> None:
    try:
        filled = connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
        ).fetchone()
    except psycopg.errors.UndefinedTable as error:
        raise TotesysError(
            f"the database {connection.info.dbname} has no table {table}; create it first"
        ) from error
    if filled is not None and filled[0]:
        raise TotesysError(
            f"the table {table} in the database {connection.info.dbname} has rows already; take an empty one"
        )


def _set_sequence(connection: psycopg.Connection, table: str) -> None:
    key = sql.Identifier(key_of(table))
    connection.execute(
        sql.SQL(
            "SELECT setval(pg_get_serial_sequence({name}, {key_name}),"
            " coalesce(max({key}), 1), max({key}) IS NOT NULL) FROM {table}"
        ).format(
            name=sql.Literal(table), key_name=sql.Literal(key_of(table)), key=key, table=sql.Identifier(table)
        )
    )


def _first_line(error: psycopg.Error) -> str:
    return re.sub(r"\s+", " ", error.diag.message_primary or str(error)).strip()
