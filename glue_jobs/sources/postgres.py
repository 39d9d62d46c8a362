"""The source as a capture sees it: one read-only snapshot, shared by several connections.

One psycopg connection opens the snapshot, looks at the structure and counts; ADBC connections that share the
snapshot stream the rows. Both work with a role that may SELECT and nothing more, on a primary or a standby,
PostgreSQL 13 and newer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Optional

import adbc_driver_manager
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from psycopg import errors

from glue_jobs.runtime import postgres
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources import capture_query as query
from glue_jobs.sources.snapshot import Snapshot

APPLICATION = "totesys-lakehouse extract_cdc"
NAME = "source database"

BATCH_BYTES = 16 << 20
"""How much a reader collects before it hands a batch on; the batches become row groups."""

TID_RANGE_SCANS = 140_000
"""First server version that reads a range of blocks without reading the whole table."""

_KINDS = {"r": "table", "p": "partitioned table", "v": "view", "m": "materialised view", "f": "foreign table"}
_CAPTURABLE = "rp"
_SQLSTATE = re.compile(r"SQLSTATE:? ([0-9A-Z]{5})")
# Lost connections, conflicts with recovery, exhausted or stopping servers: of no single table's making.
_OF_THE_RUN = ("08", "25", "40", "53", "57", "58")


class TableHeld(UserError):  # noqa: N818 - named for what is done
    """One table cannot be captured; the others can."""


class SourceUnavailable(UserError):  # noqa: N818 - named for what was found
    """The source stopped answering; nothing was published, the next run takes up from the same base."""


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source declares it.

    Attributes:
        number: Its number, which no other column of the table ever has.
        declared: Its type by ``format_type``, or ``enum``.
        values: The values of an enumeration, in order.
    """

    number: int
    declared: str
    values: Optional[tuple[str, ...]] = None


@dataclass(frozen=True)
class SourceTable:
    """A table as the source declares it.

    Attributes:
        oid: Names it within the database; a table that was dropped and made again has another.
        kind: PostgreSQL's ``relkind``.
        readable: Whether the role may SELECT the whole table.
        blocks: Its size in blocks.
        columns: Its columns by name.
    """

    oid: int
    kind: str
    readable: bool
    blocks: int
    columns: Mapping[str, SourceColumn]

    def complain_unless_capturable(self, table: str) -> None:
        """Refuse what has no row versions to look at.

        Raises:
            TableHeld: It is no table, or the role may not read all of it.
        """
        if self.kind not in _CAPTURABLE:
            raise TableHeld(
                f"{table} is a {_KINDS.get(self.kind, 'relation')} in the source: it has no row versions.",
                "Capture the table that it is made of.",
            )
        if not self.readable:
            raise TableHeld(
                f"The role may not SELECT the whole of {table}; a grant on columns alone hides what is new.",
                f"GRANT SELECT ON {table} to it.",
            )


class Source:
    """A snapshot of the source, open as long as the object is.

    Args:
        dsn: A libpq URI; verified TLS is asked of every host but this machine.
        schema: The schema of the tables.
    """

    def __init__(self, dsn: str, schema: str = "public") -> None:
        self.schema = schema
        self._conninfo = postgres.secured_dsn(dsn, NAME)
        self._session = postgres.connect(dsn, NAME, APPLICATION)
        try:
            self._session.autocommit = True
            self.version = self._session.info.server_version
            with _explained():
                for statement in (query.BEGIN, *query.SETTINGS):
                    self._session.execute(statement.encode())
                self.snapshot, self._encoding = self._take_snapshot()
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> Source:  # noqa: PYI034 - Python 3.9 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def structure(self, tables: Iterable[str]) -> dict[str, SourceTable]:
        """How the source declares these tables; one that is not there is left out."""
        with _explained():
            rows = self._session.execute(query.STRUCTURE.encode(), (self.schema, list(tables))).fetchall()
        found = {}
        for table, declared in itertools.groupby(rows, key=lambda row: str(row[0])):
            columns = list(declared)
            _, oid, kind, readable, blocks, *_ = columns[0]
            found[table] = SourceTable(
                oid,
                kind,
                bool(readable),
                int(blocks or 0),
                {
                    row[5]: SourceColumn(row[6], row[7], None if row[8] is None else tuple(row[8]))
                    for row in columns
                    if row[5] is not None
                },
            )
        return found

    def count(self, table: str, window: query.Window) -> tuple[int, int]:
        """How many rows a table holds in the snapshot, and how many are new.

        Raises:
            TableHeld: The source refuses this table.
            SourceUnavailable: The source does not answer.
        """
        statement = query.count_rows(self.schema, table, window).encode()
        try:
            # A savepoint: the refusal of one table leaves the snapshot usable for the others.
            with self._session.transaction():
                row = self._session.execute(statement).fetchone()
        except psycopg.Error as error:
            raise _judged(error.sqlstate, table, postgres.explain(error, NAME)) from error
        total, fresh = row if row is not None else (0, 0)
        return int(total), int(fresh)

    def reader(self) -> Reader:
        """Another connection on the same snapshot, to stream rows.

        Raises:
            SourceUnavailable: It cannot be opened.
        """
        return Reader(self._conninfo, self.snapshot.exported, self._encoding)

    def _if_allowed(self, statement: str) -> Optional[int]:
        """A number that a plain role may ask for, unless an administrator took that right away."""
        refusals = (errors.InsufficientPrivilege, errors.UndefinedFunction, errors.FeatureNotSupported)
        # In a savepoint: a refusal leaves the snapshot usable.
        with suppress(*refusals), self._session.transaction():
            return int(_one(self._session, statement)[0])
        return None

    def _take_snapshot(self) -> tuple[Snapshot, str]:
        system_id, timeline = self._if_allowed(query.SYSTEM_ID), self._if_allowed(query.TIMELINE)
        low, high, captured_at, encoding = _one(self._session, query.SNAPSHOT)
        (exported,) = _one(self._session, "SELECT pg_export_snapshot()")
        # A database without an encoding hands its bytes out as they are; each cell is checked here.
        client = "SQL_ASCII" if encoding == "SQL_ASCII" else "UTF8"
        return Snapshot(system_id, timeline, low, high, captured_at, exported), client


class Reader:
    """One connection that streams rows of the shared snapshot as Arrow batches."""

    def __init__(self, conninfo: str, exported: str, encoding: str) -> None:
        try:
            self._connection = dbapi.connect(conninfo, autocommit=True)
            try:
                for statement in (
                    query.BEGIN,
                    f"SET TRANSACTION SNAPSHOT '{exported}'",
                    *query.SETTINGS,
                    f"SET LOCAL client_encoding = '{encoding}'",
                ):
                    with self._connection.cursor() as cursor:
                        cursor.execute(statement)
            except BaseException:
                self._connection.close()
                raise
        except adbc_driver_manager.Error as error:
            raise SourceUnavailable(
                f"Another connection to the {NAME} could not share the snapshot{_state(error.sqlstate)}.",
                "Check that the role may open three connections, and that all reach the same server.",
            ) from error

    def batches(self, table: str, statement: str) -> Iterator[pa.RecordBatch]:
        """Stream a query's rows.

        After an error the connection is of no further use: close it.

        Args:
            table: The table, for the error.
            statement: The query.

        Raises:
            TableHeld: The source refuses this table.
            SourceUnavailable: The source does not answer.
        """
        with self._connection.cursor() as cursor:
            with _streaming(table):
                cursor.adbc_statement.set_options(
                    **{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)}
                )
                cursor.execute(statement)
                stream = cursor.fetch_record_batch()
            while True:
                with _streaming(table):
                    try:
                        batch = stream.read_next_batch()
                    except StopIteration:
                        return
                if batch.num_rows:
                    yield batch

    def close(self) -> None:
        """End the session."""
        with suppress(adbc_driver_manager.Error, RuntimeError):
            self._connection.close()


def retryable(sqlstate: Optional[str]) -> bool:
    """Whether a server's error is of the run as a whole, so that the whole run is repeated."""
    return sqlstate is None or sqlstate[:2] in _OF_THE_RUN


@contextmanager
def _streaming(table: str) -> Iterator[None]:
    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
        sqlstate = getattr(error, "sqlstate", None)
        if sqlstate is None:
            found = _SQLSTATE.search(str(error))
            sqlstate = found[1] if found else None
        # The driver's message quotes the query and what the server said of the data: its code is enough.
        raise _judged(
            sqlstate,
            table,
            UserError(
                f"The {NAME} stopped delivering {table}{_state(sqlstate)}.",
                "Look the code up in PostgreSQL's log.",
            ),
        ) from error


def _judged(sqlstate: Optional[str], table: str, said: UserError) -> UserError:
    if retryable(sqlstate):
        return SourceUnavailable(said.problem, "Nothing was published; the next run takes up from here.")
    return TableHeld(f"{table}: {said.problem}", said.remedy)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        said = postgres.explain(error, NAME)
        if retryable(error.sqlstate):
            raise SourceUnavailable(said.problem, said.remedy) from error
        raise said from error


def _one(session: psycopg.Connection[Any], statement: str) -> Sequence[Any]:
    row = session.execute(statement.encode()).fetchone()
    return row if row is not None else ()


def _state(sqlstate: Optional[str]) -> str:
    return f" (SQLSTATE {sqlstate})" if sqlstate else ""
