"""An empty totesys in a PostgreSQL server of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest
from psycopg import sql

from lakehouse.embedded_postgres import EmbeddedPostgres
from totesys import database

OWNER = "totesys_owner"


@pytest.fixture(scope="session")
def totesys_server() -> Iterator[EmbeddedPostgres]:
    """A server with the role that owns totesys."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(f"{folder}/pg", durable=False) as server:
        server.ensure_role(OWNER)
        yield server


@pytest.fixture
def nothing(totesys_server: EmbeddedPostgres) -> str:
    """The DSN of an empty database, as its owner."""
    with totesys_server.connect("postgres") as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS totesys WITH (FORCE)"))
    totesys_server.ensure_database("totesys", owner=OWNER)
    return totesys_server.dsn(user=OWNER, database="totesys")


@pytest.fixture
def empty(nothing: str) -> str:
    """The DSN of a totesys without rows, as its owner."""
    database.create(nothing)
    return nothing
