"""Whatever a role or a database is set to, the capture reads the same rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.model import Contract
from glue_jobs.lake.layout import HELD_ROWS
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.runtime import session_settings
from glue_jobs.runtime.errors import UserError
from glue_jobs.sources.capture import capture
from glue_jobs.sources.postgres_source import Source
from glue_jobs.sources.quarantine import DeadLetters
from local_aws.endpoint.app import Endpoint
from tests import needs, settings_matrix
from tests.integration.glue_jobs.extract.conftest import READER, World, new_database
from tests.night import by_day
from tests.settings_matrix import Setting, guilty, rounds
from tests.small_shop import small_server

ODD = (
    "UPDATE department SET manager = 'Ünal שלום', location = E'a\\\\b''c' WHERE department_id = 2;"
    "UPDATE sales_order SET last_updated = '0044-03-15 BC', unit_price = 'NaN' WHERE sales_order_id = 3;"
    "ALTER TABLE staff RENAME first_name TO forename;"
    "ALTER TABLE staff ADD at timestamptz DEFAULT '2024-06-01 12:00:00.123456+02',"
    " ADD span interval DEFAULT '1 year 2 days 03:04:05.6', ADD bytes bytea DEFAULT '\\\\x00ff',"
    " ADD price money DEFAULT 1234.5, ADD share float8 DEFAULT 0.1::float8 + 0.2, ADD part real DEFAULT 0.1,"
    " ADD kind regtype DEFAULT 'integer',"
    " ADD day date DEFAULT '2024-12-31'"
)
"""Cells and columns that sessions show in more than one way."""


def captured(dsn: str, world: World, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What a first capture reads, without what differs from one to the next, in the order of the files."""
    found: dict[str, list[pa.Table]] = {}

    def deliver(contract: Contract, table: str, path: Path, _: int) -> None:
        name = table if contract.table == table else f"letters of {table}"
        found.setdefault(name, []).append(pq.read_table(path, partitioning=None))
        path.unlink()

    letters = DeadLetters(world.catalogue.dead_letter[HELD_ROWS], deliver)
    with Source(dsn, world.catalogue.raw, "public") as source:
        result = capture(
            source,
            world.catalogue.raw.values(),
            {},
            KeyStore(cast("Any", None), ""),
            folder,
            deliver,
            letters,
        )
    assert set(result.held) == {"staff"}
    return {
        table: [
            {name: value for name, value in row.items() if name != "captured_at"}
            for row in pa.concat_tables(parts).to_pylist()
        ]
        for table, parts in sorted(found.items())
    }


@pytest.fixture
def dsn(world: World) -> str:
    world.sql(ODD)
    return world.postgres.dsn(user=READER, database=world.database)


def alter(world: World, settings: Sequence[Setting]) -> None:
    with world.connect() as owner:
        settings_matrix.alter(owner, READER, world.database, settings)


NAMED = {
    "a short transaction_timeout": [Setting("transaction_timeout", "150ms")],
    "a short statement_timeout": [Setting("statement_timeout", "150ms")],
    "a short idle_in_transaction_session_timeout": [Setting("idle_in_transaction_session_timeout", "1ms")],
    "a short lock_timeout": [Setting("lock_timeout", "1ms")],
    "quoted identifiers": [Setting("quote_all_identifiers", "on")],
    "another encoding": [Setting("client_encoding", "LATIN1")],
    "an encoding of clients alone": [Setting("client_encoding", "SJIS")],
    "another way to write dates": [Setting("datestyle", "German"), Setting("timezone", "Asia/Kathmandu")],
    "another path": [Setting("search_path", "pg_temp")],
    "another order of names": [Setting("search_path", "public, pg_catalog")],
    "money of another place": [Setting("lc_monetary", "C.UTF-8")],
    "serializable and deferrable": [
        Setting("default_transaction_isolation", "serializable"),
        Setting("default_transaction_deferrable", "on"),
    ],
}


@pytest.mark.parametrize(
    "settings",
    by_day(
        ["another encoding", "another way to write dates", "another path", "serializable and deferrable"],
        {name: (settings,) for name, settings in NAMED.items()},
    ),
)
def test_a_setting_of_the_role_changes_nothing_that_is_captured(
    world: World, dsn: str, tmp_path: Path, settings: list[Setting]
) -> None:
    plain = captured(dsn, world, tmp_path)
    alter(world, settings)
    assert captured(dsn, world, tmp_path) == plain


def differing(world: World, folder: Path, piece: int, pieces: int) -> list[Setting]:
    """The settings with which something else is captured, or nothing."""
    world.sql(ODD)
    dsn = world.postgres.dsn(user=READER, database=world.database)
    plain = captured(dsn, world, folder)

    def differs(settings: Sequence[Setting]) -> bool:
        alter(world, settings)
        try:
            return captured(dsn, world, folder) != plain
        except (UserError, AssertionError):
            return True

    with world.connect() as owner:
        chosen = rounds(owner)[piece::pieces]
    return [setting for settings in chosen for setting in guilty(settings, differs)]


@pytest.mark.slow
@pytest.mark.parametrize("piece", range(4))
def test_no_setting_that_a_role_may_have_changes_what_is_captured(
    world: World, tmp_path: Path, piece: int
) -> None:
    assert differing(world, tmp_path, piece, 4) == []


@pytest.mark.slow
@pytest.mark.parametrize("version", needs.OLDER_POSTGRES)
def test_no_setting_of_an_older_server_changes_what_is_captured(
    endpoint: Endpoint, tmp_path: Path, version: int
) -> None:
    with small_server(READER, needs.postgres(version)) as server:
        world = World(endpoint, server, new_database(server))
        assert differing(world, tmp_path, 0, 1) == []


def test_a_server_is_sent_what_it_knows(world: World) -> None:
    with world.connect() as owner:
        known = {name for (name,) in owner.execute("SELECT name FROM pg_settings").fetchall()}
    message = session_settings.begin(180_000)
    stated = {part.split()[2] for part in message.split("; ")[1:]}
    assert {name.lower() for name in stated} <= {name.lower() for name in known}
    assert "transaction_timeout" not in session_settings.begin(160_000)
    assert json.dumps(message).count("client_encoding = 'UTF8'") == 1
