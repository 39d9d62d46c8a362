"""Whatever a role is set to, the load writes the same rows and the reconciliation finds the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from catalog import warehouse
from glue_jobs.reconciliation.reconciliation_report import DIFFERENT
from glue_jobs.runtime.errors import UserError
from glue_jobs.warehouse.load import load
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests import needs
from tests.faults.pipeline import LOADER, READER, Base, Pipeline, start_from
from tests.settings_matrix import Setting, alter, guilty, rounds
from tests.small_shop import small_server

PIECES = 4

NOT_HELD = {
    # The load stages rows in a temporary table. No server has eight terabytes for its buffers; it refuses in
    # words. And a session that a pooler hands on may not change the setting.
    Setting("temp_buffers", "1073741823"),
}
"""Settings with which nothing is loaded."""

ODD = """
UPDATE department SET manager = 'Ünal שלום', location = E'a\\\\b''c' WHERE department_id = 2;
UPDATE design SET design_name = E'tab\\t and \\U0001F45C', last_updated = '2024-06-01 12:00:00.123'
    WHERE design_id = 3;
UPDATE payment SET payment_amount = 0.10, created_at = '2023-12-31 23:59:59.999' WHERE payment_id = 5;
UPDATE sales_order SET created_at = 'infinity' WHERE sales_order_id = 7;
"""
"""Cells that sessions show in more than one way, and a row that is rejected."""

Evaluate = Callable[[Sequence[Setting]], Any]


def differing(chosen: Sequence[Sequence[Setting]], evaluate: Evaluate) -> list[Setting]:
    """The settings with which something else comes out, or nothing."""
    plain = evaluate([])

    def differs(settings: Sequence[Setting]) -> bool:
        try:
            return bool(evaluate(settings) != plain)
        except UserError:
            return True

    found = [one for settings in chosen for one in guilty(settings, differs)]
    return [setting for setting in found if setting not in NOT_HELD]


@contextmanager
def copied(pipeline: Pipeline, template: str) -> Iterator[str]:
    """A database made from another for a moment, whose sessions the role's settings are for."""
    name = sql.Identifier("tried")
    with pipeline.server.connect() as superuser:
        superuser.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        superuser.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                name, sql.Identifier(template), sql.Identifier(LOADER)
            )
        )
        try:
            yield "tried"
        finally:
            superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def contents(pipeline: Pipeline, database: str) -> dict[str, Any]:
    """What tables and views hold, and how they are declared, to who has no settings."""
    found: dict[str, Any] = {}
    tables = warehouse.metadata(pipeline.lake.catalogue)
    names = [table.name for table in tables.sorted_tables if not table.name.startswith("load_")]
    names += [view.name for view in warehouse.views(pipeline.lake.catalogue, tables)]
    with psycopg.connect(pipeline.server.dsn(database=database)) as owner:
        for name in names:
            rows = owner.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))).fetchall()
            found[name] = sorted(rows, key=repr)
        found["columns"] = owner.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
        ).fetchall()
        found["constraints"] = owner.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
        ).fetchall()
        offsets = "SELECT stage, sequence, lake FROM load_offset ORDER BY 1"
        found["offsets"] = owner.execute(offsets).fetchall()
    return found


def loads(pipeline: Pipeline, template: str) -> Evaluate:
    """Loads what waits into a copy of a warehouse, and says what that holds then."""

    def evaluate(settings: Sequence[Setting]) -> Any:
        with copied(pipeline, template) as database:
            with pipeline.server.connect() as superuser:
                alter(superuser, LOADER, database, settings)
            load(pipeline.lake.clients, pipeline.server.dsn(LOADER, database), pipeline.lake.catalogue)
            return contents(pipeline, database)

    return evaluate


def reconciliations(pipeline: Pipeline) -> Evaluate:
    """Compares source, lake and warehouse, both databases with these settings, and says what was found."""

    def evaluate(settings: Sequence[Setting]) -> Any:
        with pipeline.server.connect() as superuser:
            for role, database in ((READER, pipeline.source), (LOADER, pipeline.warehouse)):
                alter(superuser, role, database, settings)
        return pipeline.reconcile().as_dict()

    return evaluate


def wait_for_the_load(pipeline: Pipeline) -> Pipeline:
    """Have a load wait, with odd cells."""
    pipeline.sql(ODD)
    pipeline.capture()
    for stage in ("validate", "dimensions", "facts"):
        pipeline.job(stage)
    return pipeline


def spoil_a_row(waiting: Pipeline) -> Pipeline:
    """Load what waits, and leave one row of the warehouse that is not right."""
    waiting.job("load")
    with psycopg.connect(waiting.server.dsn(database=waiting.warehouse)) as owner:
        owner.execute("UPDATE dim_design SET design_name = 'Wood' WHERE design_id = 2")
    return waiting


@pytest.fixture
def waiting(pipeline: Pipeline) -> Pipeline:
    return wait_for_the_load(pipeline)


@pytest.fixture
def different(waiting: Pipeline) -> Pipeline:
    return spoil_a_row(waiting)


NAMED = {
    "short limits": [
        Setting("statement_timeout", "50ms"),
        Setting("lock_timeout", "1ms"),
        Setting("transaction_timeout", "50ms"),
        Setting("idle_in_transaction_session_timeout", "1ms"),
    ],
    "reading alone": [Setting("default_transaction_read_only", "on")],
    "another path and encoding": [Setting("search_path", "pg_temp"), Setting("client_encoding", "LATIN1")],
    "another spelling": [
        Setting("datestyle", "German"),
        Setting("timezone", "Asia/Kathmandu"),
        Setting("quote_all_identifiers", "on"),
        Setting("extra_float_digits", "-15"),
    ],
    "a replica's session": [Setting("session_replication_role", "replica")],
    "serializable and deferrable": [
        Setting("default_transaction_isolation", "serializable"),
        Setting("default_transaction_deferrable", "on"),
    ],
}


def test_a_setting_of_the_role_changes_nothing_that_is_loaded(waiting: Pipeline) -> None:
    assert differing(list(NAMED.values()), loads(waiting, waiting.warehouse)) == []


@pytest.mark.slow
def test_a_setting_of_the_role_changes_nothing_that_a_reconciliation_finds(different: Pipeline) -> None:
    found = reconciliations(different)([])
    assert {table["table"] for table in found["tables"] if table["verdict"] == DIFFERENT} == {"dim_design"}
    assert differing(list(NAMED.values()), reconciliations(different)) == []


def chosen(pipeline: Pipeline, piece: int, pieces: int = PIECES) -> list[list[Setting]]:
    with pipeline.server.connect() as superuser:
        return rounds(superuser)[piece::pieces]


@pytest.mark.slow
@pytest.mark.parametrize("piece", range(PIECES))
def test_no_setting_that_a_role_may_have_changes_what_is_loaded(waiting: Pipeline, piece: int) -> None:
    assert differing(chosen(waiting, piece), loads(waiting, waiting.warehouse)) == []


@pytest.mark.slow
@pytest.mark.parametrize("piece", range(PIECES))
def test_no_setting_that_a_role_may_have_changes_a_first_load(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    with start_from(bases["done"], tmp_path, monkeypatch) as pipeline:
        assert differing(chosen(pipeline, piece), loads(pipeline, "empty_warehouse")) == []


@pytest.mark.slow
@pytest.mark.parametrize("piece", range(PIECES))
def test_no_setting_that_a_role_may_have_changes_what_a_reconciliation_finds(
    different: Pipeline, piece: int
) -> None:
    assert differing(chosen(different, piece), reconciliations(different)) == []


# ---------------------------------------------------------------------- servers of other versions


@pytest.fixture(scope="module", params=needs.OLDER_POSTGRES)
def older_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    with small_server(READER, needs.postgres(request.param)) as server:
        server.ensure_role(LOADER)
        server.ensure_database("empty_warehouse", owner=LOADER)
        yield server


@pytest.mark.slow
def test_no_setting_of_an_older_server_changes_what_is_loaded_and_what_a_reconciliation_finds(
    older_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = Base(older_server, "small", "empty_warehouse", {}, {})
    with start_from(empty, tmp_path, monkeypatch) as pipeline:
        pipeline.run()
        tries = chosen(pipeline, 0, 1)
        wait_for_the_load(pipeline)
        assert differing(tries, loads(pipeline, pipeline.warehouse)) == []
        assert differing(tries, loads(pipeline, "empty_warehouse")) == []
        spoil_a_row(pipeline)
        assert differing(tries, reconciliations(pipeline)) == []
