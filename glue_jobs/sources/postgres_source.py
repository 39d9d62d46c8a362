"""The source as a capture sees it: one read-only snapshot, shared by several connections.

Tables are locked, one by one, before there is a snapshot: a snapshot that is older than its lock shows a
table that was rewritten or truncated in between as empty. A psycopg connection locks, takes the snapshot,
looks at the structure and counts. An ADBC connection holds the same locks beside it and streams the rows.
Further ones take part in the snapshot to stream beside that. All work with a role that may SELECT and nothing
more, on a primary or a standby, PostgreSQL 13 and newer.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Optional, TypeVar

import adbc_driver_manager
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from psycopg import errors
from psycopg.conninfo import make_conninfo

from glue_jobs.lake.snapshot import Snapshot
from glue_jobs.runtime import connections, session_settings
from glue_jobs.runtime.errors import TablePaused, UserError
from glue_jobs.sources import capture_query as query

APPLICATION = "lakehouse extract_cdc"
NAME = "source database"

BATCH_BYTES = 16 << 20
"""How much a reader collects before it hands a batch on; the batches become row groups."""

TID_RANGE_SCANS = 140_000
"""First server version that reads a range of blocks without reading the whole table."""

LOCK_SECONDS, LOCK_SECONDS_IN_ALL = 5.0, 30.0
"""How long one table's lock is waited for, and all of them."""

LOCK_TRIES = 3
"""How often the locks are taken anew where a table came, or a partition joined, before the snapshot."""

DETACHES_WHILE_READ = 140_000
"""First server version that detaches a partition while it is read."""

_KINDS = {"r": "table", "p": "partitioned table", "v": "view", "m": "materialised view", "f": "foreign table"}
_CAPTURABLE = "rp"
_HEAP = "heap"
_SQLSTATE = re.compile(r"SQLSTATE:? ([0-9A-Z]{5})")
_LOCK_NOT_AVAILABLE = "55P03"
# No table of that name, no schema, a relation that cannot be locked: the structure says it.
_SAID_BY_STRUCTURE = ("42P01", "3F000", "42809")
# Lost connections, conflicts with recovery, exhausted or stopping servers: of no single table's making.
_OF_THE_RUN = ("08", "25", "40", "53", "57", "58")
_NO_ENCODING = "SQL_ASCII"
_ONCE_ENDED = "The next capture after that has ended takes it up; nothing of it is missing then."
_SHARED = "Check that the role may open three connections, and that all reach the same server."
_Found = TypeVar("_Found")


class SourceUnavailable(UserError):  # noqa: N818 - named for what was found
    """The source stopped answering; nothing was published, the next run takes up from the same base."""


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source declares it.

    Attributes:
        number: Its number, which no other column of the table ever has.
        declared: Its type by ``format_type``, or ``enum``.
        varying: Whether a cell may have any number of bytes.
        values: The values of an enumeration, of what an array holds or a domain is over, too, in order.
        labels: What names each value of the enumerations in it for ever, however deep they stand, and what it
            is called.
        made_of: The types in it that may change while its cells stand, each with the attributes that it has.
        expression: Of a generated column, or one whose cells are printed as names, a fingerprint of all that
            its cells follow from besides the row.
        is_vague: Whether its collation takes texts for equal that are not the same.
    """

    number: int
    declared: str
    varying: bool = False
    values: Optional[tuple[str, ...]] = None
    labels: tuple[tuple[int, str], ...] = ()
    made_of: tuple[str, ...] = ()
    expression: Optional[str] = None
    is_vague: bool = False


@dataclass(frozen=True)
class Leaf:
    """A relation that holds rows of a table: the table itself, a partition or a child.

    Attributes:
        oid: Names it within the database; it stays when the relation is rewritten.
        name: Its name.
        kind: PostgreSQL's ``relkind``.
        access_method: How its rows are kept.
    """

    oid: int
    name: str
    kind: str
    access_method: Optional[str]


@dataclass(frozen=True)
class SourceTable:
    """A table as the source declares it.

    Attributes:
        oid: Names it within the database; a table that was dropped and made again has another.
        kind: PostgreSQL's ``relkind``.
        readable: Whether the role may SELECT the whole table.
        secured: Whether a policy hides rows from the role.
        blocks: Its size in blocks, where it holds its rows itself.
        primary_key: Numbers of the columns of its primary key; none where it has none.
        columns: Its columns by name.
        leaves: What holds its rows, in the order of their oids.
    """

    oid: int
    kind: str
    readable: bool
    secured: bool
    blocks: int
    primary_key: frozenset[int]
    columns: Mapping[str, SourceColumn]
    leaves: tuple[Leaf, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether it holds its rows itself and has no children."""
        return self.kind == "r" and len(self.leaves) <= 1

    def complain_unless_capturable(self, table: str) -> None:
        """Refuse what has no row versions to look at.

        Raises:
            TablePaused: It is no table, or keeps rows elsewhere, or the role may not read all of it.
        """
        if self.kind not in _CAPTURABLE:
            raise TablePaused(
                f"{table} is a {_KINDS.get(self.kind, 'relation')} in the source: it has no row versions.",
                "Capture the table that it is made of.",
            )
        if not self.readable:
            raise TablePaused(
                f"The role may not SELECT the whole of {table}; a grant on columns alone hides what is new.",
                f"GRANT SELECT ON {table} to it.",
            )
        if self.secured:
            raise TablePaused(
                f"Under row-level security {table} hides rows from the role, which would read as deletions.",
                "ALTER ROLE … BYPASSRLS, or disable row-level security on the table.",
            )
        for leaf in self.leaves:
            if leaf.kind not in _CAPTURABLE:
                raise TablePaused(
                    f"{leaf.name}, a part of {table}, is a {_KINDS.get(leaf.kind, 'relation')}: it has no row"
                    " versions.",
                    "Detach it, and capture the table that it is made of.",
                )
            if leaf.access_method != _HEAP:
                raise TablePaused(
                    f"{leaf.name} keeps its rows by the access method {leaf.access_method}; what its row"
                    " versions say is not known.",
                    f"Keep it by {_HEAP}, or take {table} out of the contracts.",
                )

    def location(self, at: tuple[str, str]) -> query.TableLocation:
        """Where its rows are read.

        Args:
            at: Its schema and its name.
        """
        return query.TableLocation(*at, tuple(leaf.oid for leaf in self.leaves), self.alone)


class Source:
    """A snapshot of the source, open as long as the object is, with its tables locked.

    Args:
        dsn: A libpq URI; verified TLS is asked of every host but this machine.
        tables: The tables that will be read, as the contracts name them.
        schema: Their schema.
        elsewhere: By table, its schema and its name in the source, where these are others.

    Attributes:
        places: By table, its schema and its name in the source.
        version: The server's version number.
        snapshot: The snapshot.
        tables: How the source declares these tables; one that is not there is left out.
        refused: By table, why it could not be locked.
    """

    def __init__(
        self,
        dsn: str,
        tables: Collection[str],
        schema: str,
        elsewhere: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    ) -> None:
        self.places = {table: elsewhere.get(table, (schema, table)) for table in tables}
        self._dsn = dsn
        secured = make_conninfo(connections.secured_dsn(dsn, NAME), application_name=APPLICATION)
        self._session = connections.connect(dsn, NAME, APPLICATION)
        self._holder: Optional[Reader] = None
        self._holder_shares = False
        try:
            self._session.autocommit = True
            # Behind a pooler what is prepared here would meet who comes next.
            self._session.prepare_threshold = None
            self.version = self._session.info.server_version
            self._lock_and_look(secured, sorted(tables))
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Source:  # noqa: PYI034 - Python 3.9 has no Self
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        self._close_holder()
        self._session.close()

    def _close_holder(self) -> None:
        if self._holder is not None:
            self._holder.close()
        self._holder, self._holder_shares = None, False

    @property
    def holder(self) -> Reader:
        """The reader that holds the locks of all tables.

        Raises:
            SourceUnavailable: It cannot share the snapshot.
        """
        assert self._holder is not None  # noqa: S101 - for mypy
        if not self._holder_shares:
            # Not before it is needed: who has a snapshot may be cancelled for it.
            self._holder.take_part(self.snapshot.exported)
            self._holder_shares = True
        return self._holder

    def _lock_and_look(self, secured: str, tables: Sequence[str]) -> None:
        """Lock, then take the snapshot; anew where it shows what came after the locks."""
        tries = 0
        while True:
            tries += 1
            with _explained():
                quoting, encoding = self._begin()
            # A database without an encoding hands its bytes out as they are; each cell is checked here.
            client = encoding if encoding == _NO_ENCODING else session_settings.CLIENT_ENCODING
            conninfo = connections.unquoted(secured) if quoting == "on" else secured
            self._reading = _Reading(conninfo, self.version, client, quoting == "on")
            self._holder = Reader(self._reading)
            with _explained():
                self.refused = self._lock(self._holder, tables)
                self.snapshot = self._take_snapshot()
                locked = [oid for (oid,) in self._session.execute(query.LOCKED).fetchall()]
                self.tables = self._structure(tables, locked)
                strays = self._strays(locked)
                if not strays or tries == LOCK_TRIES:
                    self.refused.update(strays)
                    return
                self._close_holder()
                self._session.execute("ROLLBACK")

    def _begin(self) -> tuple[str, str]:
        """Begin without a snapshot; what the server would say of names, and its encoding."""
        message = session_settings.begin(self.version)
        mode, _, settings = message.partition("; ")
        cursor = self._session.execute(
            f"{mode}; SHOW quote_all_identifiers; {settings}; SHOW server_encoding".encode()
        )
        said = []
        while True:
            if cursor.description is not None:
                said.append(str((cursor.fetchone() or ("",))[0]))
            if not cursor.nextset():
                return said[0], said[1]

    def _lock(self, holder: Reader, tables: Sequence[str]) -> dict[str, TablePaused]:
        """Lock the tables for both connections; by table that could not be in time or at all, why.

        No lock is waited for while another is held. Who changes one table and then another would meet our
        locks in the other order, and PostgreSQL would end that session, not this one, for the deadlock.
        """
        end = time.monotonic() + LOCK_SECONDS_IN_ALL
        waited: dict[str, float] = defaultdict(float)
        refused: dict[str, TablePaused] = {}
        while True:
            blocked = self._lock_at_once(holder, [table for table in tables if table not in refused], refused)
            if blocked is None:
                return refused
            self._session.execute(query.HOLD)
            began = time.monotonic()
            seconds = min(LOCK_SECONDS - waited[blocked], end - began)
            if seconds <= 0 or self._lock_here(blocked, int(1000 * seconds)) is not None:
                refused[blocked] = TablePaused(
                    f"{blocked} is locked by {self._blockers(blocked)}.", _ONCE_ENDED
                )
            # A lock that came is given back: it is taken with the others.
            self._session.execute(query.LET_GO)
            waited[blocked] += time.monotonic() - began

    def _lock_at_once(
        self, holder: Reader, tables: Sequence[str], refused: dict[str, TablePaused]
    ) -> Optional[str]:
        """Lock tables without waiting; the first that cannot be is returned, and no lock is kept."""
        self._session.execute(query.HOLD)
        holder.set_savepoint()
        for table in tables:
            sqlstate = self._lock_here(table, 0) or holder.lock(*self.places[table])
            if sqlstate == _LOCK_NOT_AVAILABLE:
                self._session.execute(query.LET_GO)
                holder.let_go()
                return table
            if sqlstate is not None and sqlstate not in _SAID_BY_STRUCTURE:
                schema, name = map(connections.spelled, self.places[table])
                refused[table] = TablePaused(
                    f"The role may not read {table}{_state(sqlstate)}.",
                    f"GRANT USAGE ON SCHEMA {schema} and SELECT ON {name} to it.",
                )
        self._session.execute(query.KEEP)
        holder.keep()
        return None

    def _lock_here(self, table: str, milliseconds: int) -> Optional[str]:
        try:
            message = query.lock(*self.places[table], milliseconds)
            self._session.execute(f"{message}; {query.RELEASE}".encode())
        except psycopg.Error as error:
            if retryable(error.sqlstate):
                raise
            self._session.execute(query.GIVE_UP)
            return error.sqlstate
        return None

    def _blockers(self, table: str) -> str:
        """Who holds or awaits the lock that is in the way of a table's."""
        # Asked on a connection of its own: a question takes a snapshot, for which it is too early here.
        rows: Sequence[Sequence[Any]] = []
        given = dict(zip(("schema", "table"), self.places[table]))
        # Where the role may open no other, the table is paused without a name.
        with (
            suppress(connections.DatabaseError, psycopg.Error),
            connections.connect(self._dsn, NAME, APPLICATION) as looking,
        ):
            looking.autocommit = True
            looking.execute(session_settings.begin(self.version).encode())
            rows = looking.execute(query.BLOCKERS, given).fetchall()
        return "; ".join(_session_named(*row) for _, *row in rows) or "a session that is not known any more"

    def _strays(self, locked: Collection[int]) -> dict[str, TablePaused]:
        """Tables that the snapshot shows with a part that was not locked before it was taken."""
        return {
            table: TablePaused(
                f"{table} changed its name or its parts each time it was about to be read.", _ONCE_ENDED
            )
            for table, found in self.tables.items()
            if found.kind in _CAPTURABLE
            and found.readable
            and table not in self.refused
            and not {found.oid, *(leaf.oid for leaf in found.leaves)} <= set(locked)
        }

    def _structure(self, tables: Sequence[str], locked: Sequence[int]) -> dict[str, SourceTable]:
        return read_structure(self._session, {table: self.places[table] for table in tables}, locked)

    def count(
        self, table: str, place: query.TableLocation, window: query.Window, limits: Mapping[str, int]
    ) -> list[LeafCount]:
        """How many rows a table holds in the snapshot, and how many are new, by leaf.

        Raises:
            TablePaused: The source refuses this table.
            SourceUnavailable: The source does not answer.
        """
        statement = query.count_rows(place, window, limits).encode()
        try:
            # A savepoint: the refusal of one table leaves the snapshot usable for the others.
            with self._session.transaction():
                rows = self._session.execute(statement).fetchall()
        except psycopg.Error as error:
            raise _judged(error.sqlstate, table, connections.explain(error, NAME)) from error
        return [LeafCount(*map(int, row)) for row in rows]

    def remade(self, found: SourceTable, columns: Sequence[str], window: query.Window) -> list[int]:
        """The parts of a table whose cells of a column have become others without being written.

        Args:
            found: The table, as it is declared.
            columns: The columns that are captured.
            window: What is new.

        Raises:
            SourceUnavailable: The source does not answer.
        """
        if found.alone or window.base is None:
            return []
        given = {
            "root": found.oid,
            "leaves": [leaf.oid for leaf in found.leaves],
            "columns": list(columns),
        }
        with _explained():
            rows = self._session.execute(query.remade_columns(window).encode(), given).fetchall()
        return [int(leaf) for (leaf,) in rows]

    def reader(self) -> Reader:
        """Another connection on the same snapshot, to stream rows; it has to lock what it reads.

        Raises:
            SourceUnavailable: It cannot be opened.
        """
        reader = Reader(self._reading)
        try:
            reader.take_part(self.snapshot.exported)
        except BaseException:
            reader.close()
            raise
        return reader

    def _if_allowed(self, statement: str) -> Optional[int]:
        """A number that a plain role may ask for, unless an administrator took that right away."""
        refusals = (errors.InsufficientPrivilege, errors.UndefinedFunction, errors.FeatureNotSupported)
        # In a savepoint: a refusal leaves the snapshot usable.
        with suppress(*refusals), self._session.transaction():
            return int(_one(self._session, statement)[0])
        return None

    def _take_snapshot(self) -> Snapshot:
        low, high, captured_at, database, started, exported = _one(self._session, query.SNAPSHOT)
        system_id, timeline = self._if_allowed(query.SYSTEM_ID), self._if_allowed(query.TIMELINE)
        began = max(started, self._if_allowed(query.CRASHED) or 0)
        return Snapshot(system_id, timeline, low, high, captured_at, exported, database, began)


@dataclass(frozen=True)
class LeafCount:
    """What a count found in one relation.

    Attributes:
        leaf: The relation's oid.
        rows: Its rows.
        fresh: Those of them that are new.
        large: Those of these that have a cell above its limit.
    """

    leaf: int
    rows: int
    fresh: int
    large: int


@dataclass(frozen=True)
class _Reading:
    """How a reader's session is opened.

    Attributes:
        conninfo: The server.
        version: Its version number.
        encoding: What text is sent in.
        unquoted: Whether it takes a startup option to have names come without quotes.
    """

    conninfo: str
    version: int
    encoding: str
    unquoted: bool = False

    @property
    def remedy(self) -> str:
        """What to do where it cannot be opened."""
        if self.unquoted:
            return "ALTER ROLE … RESET quote_all_identifiers; through a pooler no option undoes that setting."
        return _SHARED


class Reader:
    """One connection that streams rows as Arrow batches, in a transaction that has no snapshot yet."""

    def __init__(self, reading: _Reading) -> None:
        begin = session_settings.begin(reading.version, more={"client_encoding": reading.encoding})
        with _together(reading.remedy):
            self._connection = dbapi.connect(reading.conninfo, autocommit=True)
            try:
                self._send(begin)
            except BaseException:
                self.close()
                raise

    def take_part(self, exported: str) -> None:
        """Read the shared snapshot from here on.

        Raises:
            SourceUnavailable: It cannot be shared.
        """
        with _together():
            self._send(f"SET TRANSACTION SNAPSHOT '{exported}'")

    def lock(self, schema: str, table: str) -> Optional[str]:
        """Lock a table against changes of its structure to the transaction's end, at once or not at all.

        Args:
            schema: Its schema.
            table: The table.

        Returns:
            Nothing where it is locked, else the server's code.

        Raises:
            SourceUnavailable: The source does not answer.
        """
        try:
            self._send(f"{query.lock(schema, table, 0)}; {query.RELEASE}")
        except adbc_driver_manager.Error as error:
            sqlstate = _sqlstate(error)
            if sqlstate is None or retryable(sqlstate):
                raise SourceUnavailable(
                    f"The {NAME} could not lock {table}{_state(sqlstate)}.",
                    "Nothing was published; the next run takes up from here.",
                ) from error
            self._send(query.GIVE_UP)
            return sqlstate
        return None

    def set_savepoint(self) -> None:
        """Mark where :meth:`let_go` goes back to."""
        with _together():
            self._send(query.HOLD)

    def keep(self) -> None:
        """Keep the locks that were taken since :meth:`set_savepoint`."""
        with _together():
            self._send(query.KEEP)

    def let_go(self) -> None:
        """Give up the locks that were taken since :meth:`set_savepoint`."""
        with _together():
            self._send(query.LET_GO)

    def attempt(self, do: Callable[[Reader], _Found]) -> _Found:
        """Do something in a savepoint: a table that is refused leaves locks and snapshot as they are.

        Raises:
            TablePaused: The source refuses the table.
            SourceUnavailable: The source does not answer.
        """
        with _together():
            self._send(query.SAVEPOINT)
        try:
            found = do(self)
        except TablePaused:
            with _together():
                self._send(query.GIVE_UP)
            raise
        with _together():
            self._send(query.RELEASE)
        return found

    def batches(self, table: str, statement: str) -> Iterator[pa.RecordBatch]:
        """Stream a query's rows.

        Args:
            table: The table, for the error.
            statement: The query.

        Raises:
            TablePaused: The source refuses this table.
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

    def _send(self, message: str) -> None:
        """Send a message of one or more statements that give no rows."""
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_sql_query(message)
            cursor.adbc_statement.execute_update()


def read_structure(
    session: psycopg.Connection[Any], places: Mapping[str, tuple[str, str]], locked: Sequence[int] = ()
) -> dict[str, SourceTable]:
    """How the source declares tables; one that is not there is left out.

    Args:
        session: A session whose settings are those of ``session_settings``.
        places: By table, its schema and its name in the source.
        locked: Relations that are locked, whose sizes may be asked for.
    """
    given = {
        "names": list(places),
        "schemas": [schema for schema, _ in places.values()],
        "tables": [name for _, name in places.values()],
        "locked": list(locked),
    }
    rows = session.execute(query.STRUCTURE.encode(), given).fetchall()
    types = _types(session, sorted({row[-1] for row in rows if row[-1] is not None}))
    found = {}
    for table, declared in itertools.groupby(rows, key=lambda row: str(row[0])):
        columns = list(declared)
        _, oid, kind, readable, secured, blocks, primary_key, *_ = columns[0]
        named = {row[7]: _column(types[row[-1]], *row[8:-1]) for row in columns if row[7] is not None}
        found[table] = SourceTable(
            oid, kind, bool(readable), bool(secured), int(blocks), frozenset(primary_key), named
        )
    leaves = _leaves(session, [declared.oid for declared in found.values()])
    return {table: replace(declared, leaves=tuple(leaves[declared.oid])) for table, declared in found.items()}


def _types(session: psycopg.Connection[Any], types: Sequence[int]) -> Mapping[int, Sequence[Sequence[Any]]]:
    """What is in these types, as ``MADE_OF`` says it."""
    found = defaultdict(list)
    for root, *part in session.execute(query.MADE_OF.encode(), {"types": types}).fetchall():
        found[root].append(part)
    return found


def _leaves(session: psycopg.Connection[Any], roots: Sequence[int]) -> Mapping[int, Sequence[Leaf]]:
    attached = query.ATTACHED if session.info.server_version >= DETACHES_WHILE_READ else ""
    statement = query.LEAVES.format(attached=attached)
    leaves = defaultdict(list)
    for root, *leaf in session.execute(statement.encode(), {"tables": list(roots)}).fetchall():
        leaves[root].append(Leaf(*leaf))
    return leaves


def retryable(sqlstate: Optional[str]) -> bool:
    """Whether a server's error is of the run as a whole, so that the whole run is repeated."""
    return sqlstate is None or sqlstate[:2] in _OF_THE_RUN


@contextmanager
def _streaming(table: str) -> Iterator[None]:
    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
        sqlstate = _sqlstate(error)
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
    return TablePaused(f"{table}: {said.problem}", said.remedy)


@contextmanager
def _together(remedy: str = _SHARED) -> Iterator[None]:
    try:
        yield
    except adbc_driver_manager.Error as error:
        raise SourceUnavailable(
            f"Another connection to the {NAME} could not share the snapshot{_state(_sqlstate(error))}.",
            remedy,
        ) from error


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        said = connections.explain(error, NAME)
        if retryable(error.sqlstate):
            raise SourceUnavailable(said.problem, said.remedy) from error
        raise said from error


def _one(session: psycopg.Connection[Any], statement: str) -> Sequence[Any]:
    row = session.execute(statement.encode()).fetchone()
    return row if row is not None else ()


def _state(sqlstate: Optional[str]) -> str:
    return f" (SQLSTATE {sqlstate})" if sqlstate else ""


def _sqlstate(error: Exception) -> Optional[str]:
    stated = getattr(error, "sqlstate", None)
    if stated is not None:
        return str(stated)
    found = _SQLSTATE.search(str(error))
    return found[1] if found else None


def _column(
    parts: Sequence[Sequence[Any]],
    number: int,
    declared: str,
    varying: bool,
    values: Optional[Sequence[str]],
    expression: Optional[str],
    is_vague: bool,
) -> SourceColumn:
    return SourceColumn(
        number,
        declared,
        bool(varying),
        None if values is None else tuple(values),
        tuple((value, label) for value, label, _ in parts if value is not None),
        tuple(sorted(shape for *_, shape in parts if shape is not None)),
        expression,
        bool(is_vague),
    )


def _session_named(
    pid: Optional[int], user: Optional[str], application: Optional[str], query_start: Optional[str]
) -> str:
    said = [f"the session {pid}" if pid else "a prepared transaction"]
    said += [f"of {user}"] if user else []
    said += [f"({application})"] if application else []
    # The server shows another role's queries only to who may see all of them.
    said += [f"whose query began at {query_start} UTC"] if query_start else []
    return " ".join(said)
