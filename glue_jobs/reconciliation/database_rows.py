"""Tables of PostgreSQL as text, streamed into DuckDB from one snapshot."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Optional

import duckdb
import psycopg
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi

from glue_jobs.reconciliation.canonical import postgres_text, quoted
from glue_jobs.runtime import session_settings
from glue_jobs.runtime.connections import DatabaseError, connect, explain, secured_dsn, unquoted

APPLICATION = "lakehouse reconcile"

LOCK_SECONDS = 30
"""How long a table that somebody else has locked is waited for."""

_NO_LIMITS: Mapping[str, int] = MappingProxyType({})
_NO_NAMES: Mapping[str, str] = MappingProxyType({})
# A plain role may read these, unless somebody took that right away.
_MAY_READ_CONTROL = """
SELECT has_function_privilege('pg_control_system()', 'execute')
   AND has_function_privilege('pg_control_checkpoint()', 'execute')
"""
_CONTROL = """
SELECT (SELECT system_identifier FROM pg_control_system())::text,
       (SELECT timeline_id FROM pg_control_checkpoint())::text
"""
_SNAPSHOT = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, current_setting('server_encoding'),
       pg_export_snapshot(), (SELECT oid::text FROM pg_database WHERE datname = current_database())
"""
# By table, what it is made of, and the files in which that lies.
_FILES = """
WITH RECURSIVE tree AS (
    SELECT wanted.name AS root, c.oid AS leaf
    FROM unnest(%(names)s::text[], %(schemas)s::text[], %(tables)s::text[]) AS wanted(name, nspname, relname)
    JOIN pg_namespace n ON n.nspname = wanted.nspname::name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname::name
    UNION
    SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.leaf)
SELECT t.root, c.oid::text, c.relfilenode::text FROM tree t JOIN pg_class c ON c.oid = t.leaf
"""
_SAID = re.compile(r"(?:ERROR|FATAL):\s+(.*)")


@dataclass(frozen=True)
class Snapshot:
    """Which state of which server was read.

    Attributes:
        system_id: The server's identity; nothing where the role may not read it.
        timeline: Its timeline; a restore begins a new one. Nothing where the role may not read it.
        high: The first transaction id that the snapshot does not see.
        any_bytes: Whether its texts may be anything, since the database has no encoding (``SQL_ASCII``).
        database: The database's identity within the server.
    """

    system_id: Optional[str]
    timeline: Optional[str]
    high: int
    any_bytes: bool = False
    database: Optional[str] = None


UNKNOWN = Snapshot(None, None, 0)
"""Where no source was read."""


class SnapshotReader:
    """A session in an exported snapshot, which reads one table after another.

    What one table does to it concerns no other: each is read behind a savepoint, and an error ends the
    session, so that the next table gets a new one.

    Args:
        conninfo: How it is opened.
        begin: The messages by which it enters the snapshot.
    """

    def __init__(self, conninfo: str, begin: Sequence[str]) -> None:
        self._conninfo = conninfo
        self._begin = begin
        self._connection: Optional[dbapi.Connection] = None

    @contextmanager
    def session(self) -> Iterator[dbapi.Connection]:
        """The session, for one table."""
        try:
            if self._connection is None:
                self._connection = dbapi.connect(self._conninfo, autocommit=True)
                self._send(*self._begin, "SAVEPOINT one_table")
            yield self._connection
        except BaseException:
            self.close()
            raise
        try:
            self._send("ROLLBACK TO SAVEPOINT one_table")
        except AdbcError:
            self.close()

    def close(self) -> None:
        """End the session, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _send(self, *messages: str) -> None:
        if self._connection is None:
            return
        for message in messages:
            with self._connection.cursor() as cursor:
                # Unlike ``execute`` it prepares nothing, so that a message may hold several statements.
                cursor.adbc_statement.set_sql_query(message)
                cursor.adbc_statement.execute_update()


@dataclass(frozen=True)
class Database:
    """A database at one moment.

    Attributes:
        name: What people call it: ``source`` or ``warehouse``.
        schema: The schema of its tables.
        session: A session in the snapshot, which holds it.
        snapshot: What that moment is.
        conninfo: How another session is opened.
        reader: One in the snapshot, which streams tables.
    """

    name: str
    schema: str
    session: psycopg.Connection
    snapshot: Snapshot
    conninfo: str
    reader: SnapshotReader

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds; after an error the session is as it was.

        Raises:
            DatabaseError: It was refused.
        """
        try:
            with self.session.transaction():
                return self.session.execute(query.encode()).fetchall()
        except psycopg.Error as error:
            raise explain(error, self.name) from error

    def holds(self, relation: str) -> bool:
        """Whether there is a table or a view of this name."""
        name = f"{quoted(self.schema)}.{quoted(relation)}".replace("'", "''")
        return bool(self.rows(f"SELECT to_regclass('{name}') IS NOT NULL")[0][0])

    def copy_table(
        self,
        workspace: duckdb.DuckDBPyConnection,
        table: str,
        columns: Sequence[str],
        into: str,
        *,
        versions: bool = False,
        limits: Mapping[str, int] = _NO_LIMITS,
        zoned: Collection[str] = (),
        called: Mapping[str, str] = _NO_NAMES,
        schema: Optional[str] = None,
    ) -> None:
        """Copy a table into a new one of the workspace, every column as text.

        Args:
            workspace: DuckDB.
            table: The table or view.
            columns: Its columns.
            into: The new table's name, as SQL.
            versions: Adds ``_row_version``, the id of the transaction that wrote the row, widened to 64 bits.
            limits: By column, how many bytes a text may have; of a longer one its length is copied.
            zoned: The columns that are times with a zone; they are copied as times in UTC.
            called: By column that the database calls otherwise, what it calls it.
            schema: The table's schema, where it is another.

        Raises:
            DatabaseError: It cannot be read.
        """
        items = [
            postgres_text(column, limits.get(column), zoned=column in zoned, called=called.get(column))
            for column in columns
        ]
        if versions:
            high = self.snapshot.high
            items.append(f"{high} - (({high} - xmin::text::bigint) & 4294967295) AS _row_version")
        query = f"SELECT {', '.join(items)} FROM {quoted(schema or self.schema)}.{quoted(table)}"  # noqa: S608 - quoted
        try:
            with self.reader.session() as connection, connection.cursor() as cursor:
                cursor.execute(query)
                reader = cursor.fetch_record_batch()
                statement = f"CREATE TABLE {into} AS SELECT * FROM incoming"  # noqa: S608 - our own names
                insert_stream(workspace, _valid(reader) if self.snapshot.any_bytes else reader, statement)
        except (AdbcError, duckdb.Error) as error:
            raise self._refusal(table, error) from error

    def rewritten(self, tables: Mapping[str, tuple[str, str]]) -> set[str]:
        """Which tables were rewritten, emptied or made of other parts since the snapshot.

        Such a change is not visible by snapshot: what was read of the table then is not what it held.

        Args:
            tables: By what each is called here, its schema and its name.

        Raises:
            DatabaseError: It cannot be reached.
        """
        schemas, names = zip(*tables.values()) if tables else ((), ())
        given = {"names": list(tables), "schemas": list(schemas), "tables": list(names)}
        # A session that has no snapshot yet, so that it sees what is now.
        try:
            with connect(self.conninfo, self.name, APPLICATION) as now:
                now.autocommit = True
                now.execute(_begin(now.info.server_version).encode())
                sides = [set(one.execute(_FILES.encode(), given).fetchall()) for one in (self.session, now)]
        except psycopg.Error as error:
            raise explain(error, self.name) from error
        return {str(table) for table, *_ in sides[0] ^ sides[1]}

    def _refusal(self, table: str, error: Exception) -> DatabaseError:
        """PostgreSQL's own words, without the driver's around them; what quotes data is left out."""
        said = _SAID.search(str(error))
        if said is None:
            return DatabaseError(
                f"The {self.name}'s {table} cannot be read ({type(error).__name__}).",
                "See whether the server runs, and what its log says.",
            )
        return DatabaseError(
            f"The {self.name}'s {table} cannot be read: {said[1].rstrip('.')}.",
            next(
                (remedy for words, remedy in _REMEDIES.items() if words in said[1]), "See the server's log."
            ),
        )


_REMEDIES = {
    "does not exist": "Compare its structure with its contract.",
    "permission denied": "Grant the role SELECT on it.",
    "row-level security": "Let the role bypass the table's policies: hidden rows look like deleted ones.",
    "lock timeout": "Another session holds the table; compare again when that has ended.",
    "encoding": "Its database holds letters that have no place in UTF-8.",
}


@contextmanager
def open_database(dsn: str, name: str, schema: str) -> Iterator[Database]:
    """A database whose reads all see the same moment.

    Args:
        dsn: A libpq connection string.
        name: What people call it.
        schema: The schema of its tables.

    Raises:
        DatabaseError: It cannot be reached.
    """
    with connect(dsn, name, APPLICATION) as session:
        session.autocommit = True
        conninfo = secured_dsn(dsn, name)
        try:
            if _one_row(session, "SHOW quote_all_identifiers")[0] == "on":
                conninfo = unquoted(conninfo)
            session.execute(_begin(session.info.server_version).encode())
            snapshot, exported = _take_snapshot(session)
        except psycopg.Error as error:
            raise explain(error, name) from error
        # The server checks what it hands out in any other encoding.
        more = {"client_encoding": "SQL_ASCII"} if snapshot.any_bytes else {}
        begin = _begin(session.info.server_version, more)
        with closing(SnapshotReader(conninfo, (begin, f"SET TRANSACTION SNAPSHOT '{exported}'"))) as reader:
            yield Database(name, schema, session, snapshot, conninfo, reader)


def _begin(version: int, more: Mapping[str, str] = MappingProxyType({})) -> str:
    own = {"lock_timeout": f"{LOCK_SECONDS}s", "statement_timeout": "0"}
    return session_settings.begin(version, more={**own, **more})


def _take_snapshot(session: psycopg.Connection) -> tuple[Snapshot, str]:
    may_read = _one_row(session, _MAY_READ_CONTROL)[0]
    system_id, timeline = _one_row(session, _CONTROL) if may_read else (None, None)
    high, encoding, exported, database = _one_row(session, _SNAPSHOT)
    any_bytes = encoding == "SQL_ASCII"
    return Snapshot(system_id, timeline, int(high), any_bytes, str(database)), str(exported)


def _one_row(session: psycopg.Connection, query: str) -> tuple[Any, ...]:
    row = session.execute(query.encode()).fetchone()
    if row is None:
        raise ValueError("a query that always answers gave no row")
    return tuple(row)


def _valid(reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same rows, their texts valid: as the raw zone keeps what no text column can hold."""
    batches = (
        pa.RecordBatch.from_arrays([_valid_texts(array) for array in batch.columns], schema=batch.schema)
        for batch in reader
    )
    return pa.RecordBatchReader.from_batches(reader.schema, batches)


def _valid_texts(array: pa.Array) -> pa.Array:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        cells = array.cast(pa.binary()).to_pylist()
        return pa.array([cell and cell.decode(errors="backslashreplace") for cell in cells], array.type)
    return array


def insert_stream(workspace: duckdb.DuckDBPyConnection, reader: Any, statement: str) -> None:
    """Run a statement whose relation ``incoming`` is a stream of Arrow batches."""
    workspace.register("incoming", reader)
    try:
        workspace.execute(statement)
    finally:
        workspace.unregister("incoming")
