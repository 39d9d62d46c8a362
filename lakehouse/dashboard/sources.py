"""What the dashboard's queries are answered by: Athena over the lake, or the warehouse."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from bi.dashboard import Query
from bi.select_lists import Engine, Kind
from glue_jobs.runtime.athena import QueryFailed, run_query
from glue_jobs.runtime.aws import AthenaClient
from glue_jobs.runtime.connections import connect, explain
from glue_jobs.runtime.errors import UserError
from lakehouse.unread import STACK_ENDED, why_unread

Cell = str | int | float | bool | None

_AT_ONCE = 4
_LONGEST = "60s"


@dataclass(frozen=True)
class Answer:
    """What a query gave.

    Attributes:
        rows: Values in the order of the query's columns; moments are texts.
        error: Why there are none, in words.
        bytes_scanned: What was read of the lake for it.
    """

    rows: tuple[tuple[Cell, ...], ...] = ()
    error: str | None = None
    bytes_scanned: int = 0


@dataclass(frozen=True)
class Reading:
    """The answers to several queries, by name, and how long they took."""

    answers: Mapping[str, Answer]
    seconds: float


class Source(ABC):
    """Answers queries of the dashboard.

    Attributes:
        engine: Which SQL it is asked.
        called: What readers call it.
    """

    engine: Engine
    called: str

    def read(self, queries: Mapping[str, Query]) -> Reading:
        """Ask several queries. One that fails says so in its answer, and the others are answered."""
        began = time.monotonic()
        answers = self._answers(queries)
        return Reading(answers, time.monotonic() - began)

    @abstractmethod
    def _answers(self, queries: Mapping[str, Query]) -> Mapping[str, Answer]: ...


class Lake(Source):
    """Athena, some queries at once.

    Args:
        athena: A boto3 ``athena`` client.
        work_group: The work group that queries run in.
        on_aws: Whether it is AWS, and no stack.
    """

    engine: Engine = "lake"
    called = "the lake (Athena)"

    def __init__(self, athena: AthenaClient, work_group: str, *, on_aws: bool = False) -> None:
        self._athena = athena
        self._on_aws = on_aws
        self._work_group = work_group

    def _answers(self, queries: Mapping[str, Query]) -> Mapping[str, Answer]:
        with ThreadPoolExecutor(_AT_ONCE) as several:
            return dict(zip(queries, several.map(self._ask, queries.values()), strict=True))

    def _ask(self, query: Query) -> Answer:
        try:
            found = run_query(self._athena, query.statements["lake"], work_group=self._work_group)
        except QueryFailed as error:
            # Where nothing listens the client says so in the words of its library.
            ended = "Could not connect" in str(error) or "Connection was closed" in str(error)
            return Answer(error=STACK_ENDED if ended and not self._on_aws else str(error))
        except (BotoCoreError, ClientError) as error:
            return Answer(error=" ".join(why_unread(error, on_aws=self._on_aws)))
        kinds = tuple(query.columns.values())
        rows = tuple(
            tuple(_read(cell, kind) for cell, kind in zip(row, kinds, strict=True)) for row in found.rows
        )
        return Answer(rows, bytes_scanned=found.bytes_scanned)


class Warehouse(Source):
    """The warehouse, all queries in one snapshot, so that figures of a page agree with each other.

    Args:
        dsn: A libpq URI or ``keyword=value`` string.
    """

    engine: Engine = "warehouse"
    called = "the warehouse"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def _answers(self, queries: Mapping[str, Query]) -> Mapping[str, Answer]:
        try:
            with connect(self._dsn, "warehouse", "lakehouse dashboard") as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                # Athena's days are those of UTC.
                connection.execute("SET LOCAL timezone = 'UTC'")
                connection.execute(f"SET LOCAL statement_timeout = '{_LONGEST}'".encode())
                return {name: _ask_warehouse(connection, query) for name, query in queries.items()}
        except UserError as error:
            return dict.fromkeys(queries, Answer(error=str(error)))
        except psycopg.Error as error:
            return dict.fromkeys(queries, Answer(error=str(explain(error, "warehouse"))))


def _ask_warehouse(connection: psycopg.Connection[Any], query: Query) -> Answer:
    try:
        with connection.transaction():
            found = connection.execute(query.statements["warehouse"].encode()).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return Answer(error="The warehouse has no such table yet. Fill it with: lakehouse run")
    except psycopg.Error as error:
        return Answer(error=str(explain(error, "warehouse")))
    return Answer(tuple(tuple(_plain(cell) for cell in row) for row in found))


def _read(cell: str | None, kind: Kind) -> Cell:
    """A value as Athena writes it."""
    if cell is None or kind in ("text", "date", "timestamp"):
        return cell
    found: Cell = json.loads(cell)
    return found


def _plain(cell: Any) -> Cell:
    """A value as psycopg gives it."""
    if isinstance(cell, Decimal):
        return float(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "milliseconds")
    return cell if cell is None or isinstance(cell, (int, float, str)) else str(cell)
