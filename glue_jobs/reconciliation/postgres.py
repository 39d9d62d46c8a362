"""Tables of PostgreSQL as text, streamed into DuckDB from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Optional

import duckdb
from adbc_driver_postgresql import dbapi

from glue_jobs.reconciliation.canonical import postgres_text, quoted

# A plain role may read these, unless somebody took that right away.
_MAY_READ_CONTROL = """
SELECT has_function_privilege('pg_control_system()', 'execute')
   AND has_function_privilege('pg_control_checkpoint()', 'execute')
"""
_CONTROL = """
SELECT (SELECT system_identifier FROM pg_control_system())::text,
       (SELECT timeline_id FROM pg_control_checkpoint())::text
"""
_NO_LIMITS: Mapping[str, int] = MappingProxyType({})
_HIGH = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"


@dataclass(frozen=True)
class Snapshot:
    """Which state of which server was read.

    Attributes:
        system_id: The server's identity; nothing where the role may not read it.
        timeline: Its timeline; a restore begins a new one. Nothing where the role may not read it.
        high: The first transaction id that the snapshot does not see.
    """

    system_id: Optional[str]
    timeline: Optional[str]
    high: int


@contextmanager
def one_snapshot(dsn: str) -> Iterator[dbapi.Connection]:
    """A connection whose reads all see the same moment.

    Args:
        dsn: A libpq connection string.
    """
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL datestyle = 'ISO'")
        yield connection


def snapshot_of(connection: dbapi.Connection) -> Snapshot:
    """Which state the connection reads."""
    may_read = _one_row(connection, _MAY_READ_CONTROL)[0]
    system_id, timeline = _one_row(connection, _CONTROL) if may_read else (None, None)
    return Snapshot(system_id, timeline, int(_one_row(connection, _HIGH)[0]))


def _one_row(connection: dbapi.Connection, query: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    if row is None:
        raise ValueError("a query that always answers gave no row")
    return tuple(row)


def copy_table(
    connection: dbapi.Connection,
    workspace: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    into: str,
    high: Optional[int] = None,
    schema: str = "public",
    limits: Mapping[str, int] = _NO_LIMITS,
) -> None:
    """Copy a table into a new one of the workspace, every column as text.

    Args:
        connection: From :func:`one_snapshot`.
        workspace: DuckDB.
        table: The table or view.
        columns: Its columns.
        into: The new table's name, as SQL.
        high: The snapshot's upper bound: adds ``row_version``, the id of the transaction that wrote the row,
            widened to 64 bits.
        schema: The table's schema.
        limits: By column, how many bytes a text may have; of a longer one its length is copied.
    """
    items = [postgres_text(column, limits.get(column)) for column in columns]
    if high is not None:
        items.append(f"{high} - (({high} - xmin::text::bigint) & 4294967295) AS row_version")
    query = f"SELECT {', '.join(items)} FROM {quoted(schema)}.{quoted(table)}"  # noqa: S608 - quoted
    with connection.cursor() as cursor:
        cursor.execute(query)
        statement = f"CREATE TABLE {into} AS SELECT * FROM incoming"  # noqa: S608 - named by our own code
        pour(workspace, cursor.fetch_record_batch(), statement)


def pour(workspace: duckdb.DuckDBPyConnection, reader: Any, statement: str) -> None:
    """Run a statement whose relation ``incoming`` is a stream of Arrow batches."""
    workspace.register("incoming", reader)
    try:
        workspace.execute(statement)
    finally:
        workspace.unregister("incoming")
