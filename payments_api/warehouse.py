"""Reads the payments from the warehouse, and as of when they are known from the lake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import sql
from psycopg.rows import dict_row

from catalog.catalogue import Catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.freshness import data_as_of
from glue_jobs.lake.layout import utc_now
from glue_jobs.runtime import log, session_settings
from glue_jobs.runtime.connections import DatabaseError, connect, explain
from glue_jobs.runtime.entry_point import describe
from glue_jobs.warehouse.offsets import read_offsets
from glue_jobs.warehouse.pending import Position
from payments_api.schedule import SOURCE_TABLES, Selection, statement

DATABASE = "warehouse"

LIMITS: Mapping[str, str] = {"statement_timeout": "3s", "lock_timeout": "3s"}
"""How long a question may take: whoever asked has gone by then."""

_ASKED_AGAIN = timedelta(seconds=10)
"""For how long it is believed as of when payments are known, which only ever moves on."""

_NOT_LOADED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)


@dataclass(frozen=True)
class Reading:
    """What was read at one moment.

    Attributes:
        rows: Rows of ``payments.sql``.
        data_as_of: As of when they are known (UTC, without zone); nothing where that cannot be told.
    """

    rows: Sequence[Mapping[str, Any]]
    data_as_of: datetime | None


class Source(Protocol):
    """Where payments are read."""

    def read(self, selection: Selection) -> Reading:
        """Read what is asked for.

        Raises:
            DatabaseError: The payments cannot be read now.
        """
        ...


class Warehouse:
    """The warehouse, asked by one session that is opened again where it has ended.

    Args:
        open_session: Opens a session of the role that reads.
        lake: The lake that the warehouse is loaded from.
        catalogue: The contracts.
        reporting: The code of the currency that amounts are reported in.
        schema: The schema of the warehouse's tables.
        now: Gives the time, UTC without zone.
    """

    def __init__(
        self,
        open_session: Callable[[], psycopg.Connection],
        lake: LakeClients,
        catalogue: Catalogue,
        reporting: str,
        schema: str = WAREHOUSE_SCHEMA,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._open = open_session
        self._lake = lake
        self._catalogue = catalogue
        self._reporting = reporting
        self._schema = schema
        self._now = now
        self._session: psycopg.Connection | None = None
        self._known: tuple[Mapping[str, Position], datetime, datetime | None] | None = None
        # One session has one transaction at a time.
        self._lock = threading.Lock()

    def read(self, selection: Selection) -> Reading:
        """See :meth:`Source.read`."""
        with self._lock:
            rows, positions = self._ask(selection)
            return Reading(rows, self._data_as_of(positions))

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _ask(self, selection: Selection) -> tuple[list[dict[str, Any]], Mapping[str, Position]]:
        # What an idle session has lost shows when it is asked; a new one tells whether the server is there.
        was_open = self._session is not None
        try:
            return self._ask_once(selection)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not was_open or isinstance(error, psycopg.errors.QueryCanceled):
                raise explain(error, DATABASE) from error
            log.info("payments.session_reopened")
        except _NOT_LOADED as error:
            raise DatabaseError("The warehouse holds no payments yet.", "Load it, then ask again.") from error
        except psycopg.Error as error:
            raise explain(error, DATABASE) from error
        try:
            return self._ask_once(selection)
        except psycopg.Error as error:
            raise explain(error, DATABASE) from error

    def _ask_once(self, selection: Selection) -> tuple[list[dict[str, Any]], Mapping[str, Position]]:
        text, parameters = statement(selection, sql.Identifier(self._schema).as_string(), self._reporting)
        session = self._session = self._session or self._open()
        try:
            session.autocommit = True
            mode = session_settings.READ_ONLY_SNAPSHOT
            session.execute(session_settings.begin(session.info.server_version, mode, LIMITS).encode())
            with session.cursor(row_factory=dict_row) as cursor:
                rows = cursor.execute(text.encode(), parameters).fetchall()
            positions = read_offsets(session, self._schema)
            session.execute("COMMIT")
        except BaseException:
            # With its transaction and whatever state that is in.
            self.close()
            raise
        return rows, positions

    def _data_as_of(self, positions: Mapping[str, Position]) -> datetime | None:
        """As of when rows are known that were read with these offsets, in one snapshot of the warehouse.

        So a replica of the warehouse shows by how much it is behind.
        """
        now = self._now()
        if self._known is None or self._known[0] != positions or now - self._known[1] >= _ASKED_AGAIN:
            self._known = (positions, now, self._read_as_of(positions, now))
        return self._known[2]

    def _read_as_of(self, positions: Mapping[str, Position], now: datetime) -> datetime | None:
        try:
            if any(position.lake not in (None, self._lake.identity) for position in positions.values()):
                return None
            loaded = min(position.last_batch for position in positions.values())
            return data_as_of(self._lake, self._catalogue, loaded, SOURCE_TABLES, now)
        except (BotoCoreError, ClientError) as error:
            log.warning("payments.lake_not_read", **describe(error))
            return None


def open_reader(dsn: str) -> psycopg.Connection:
    """A session of the role that reads.

    Raises:
        DatabaseError: It cannot be opened; says why and what to do.
    """
    return connect(dsn, DATABASE, "lakehouse payments")
