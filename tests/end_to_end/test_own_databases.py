"""`lakehouse up --source --warehouse`: databases that somebody else runs and filled."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg
import pytest

from lakehouse.embedded_postgres import EmbeddedPostgres
from tests import needs
from tests.conftest import ROOT
from tests.night import at_night
from tests.small_shop import SMALL
from totesys import database as totesys

from .stack_cli import ORDINARY, Stack

READER = "analytics_reader"
LOADER = "wh_loader"


@dataclass(frozen=True)
class Owned:
    """Somebody's server: the oldest version at hand, reached through its Unix socket."""

    server: EmbeddedPostgres
    source: str
    warehouse: str

    def execute(self, statement: str, database: str = "shop") -> None:
        with self.server.connect(database) as connection:
            connection.execute(statement.encode())


def _through_socket(dsn: str, folder: str) -> str:
    parts = urlsplit(dsn)
    return f"postgresql://{parts.username}:{parts.password}@{parts.path}?host={folder}&port={parts.port}"


@pytest.fixture(scope="module")
def owned() -> Iterator[Owned]:
    # A short path: the name of a Unix socket may have 107 bytes.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        sockets = Path(folder) / "s"
        sockets.mkdir()
        sockets.chmod(0o777)
        Path(folder).chmod(0o755)
        oldest = needs.postgres(13)
        settings = {"unix_socket_directories": str(sockets)}
        with EmbeddedPostgres(f"{folder}/pg", durable=False, settings=settings, binaries=oldest) as server:
            server.ensure_role(READER)
            server.ensure_role(LOADER)
            server.ensure_database("shop")
            server.ensure_database("wh", owner=LOADER)
            totesys.create(server.dsn(database="shop"))
            with server.connect("shop") as source:
                source.execute(SMALL.encode())
            totesys.grant_reader(server.dsn(database="shop"), READER)
            yield Owned(
                server,
                _through_socket(server.dsn(user=READER, database="shop"), str(sockets)),
                _through_socket(server.dsn(user=LOADER, database="wh"), str(sockets)),
            )


@pytest.fixture(scope="module")
def stack(owned: Owned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("own") / "state")
    stack.lakehouse("up", "--source", owned.source, "--warehouse", owned.warehouse)
    try:
        stack.lakehouse("run")
        yield stack
    finally:
        stack.lakehouse("down")


@pytest.mark.slow
def test_a_source_of_somebody_else_arrives_in_somebody_elses_warehouse(stack: Stack, owned: Owned) -> None:
    assert stack.told("reconcile")["verdict"] == "equal"
    with psycopg.connect(owned.warehouse) as warehouse:
        row = warehouse.execute("SELECT count(*) FROM fact_sales_order_current").fetchone()
    assert row == (40,)


@pytest.mark.slow
@pytest.mark.usefixtures("stack")
def test_the_source_is_only_ever_read(owned: Owned) -> None:
    with psycopg.connect(owned.source) as source:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            source.execute("UPDATE currency SET currency_code = currency_code")
        source.rollback()
        made = source.execute("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", (READER,))
        assert made.fetchone() == (0,)


@pytest.mark.slow
def test_a_change_arrives_and_the_next_run_finds_nothing(stack: Stack, owned: Owned) -> None:
    owned.execute("UPDATE department SET location = 'Whitby' WHERE department_id = 1")
    stack.lakehouse("run")
    batches = [stage["last_batch"] for stage in stack.told("status")["stages"]]
    (moved,) = stack.sql("SELECT count(*) AS n FROM dim_staff WHERE location = 'Whitby'")
    with psycopg.connect(owned.warehouse) as warehouse:
        stored = warehouse.execute("SELECT count(*) FROM dim_staff WHERE location = 'Whitby'").fetchone()
    with owned.server.connect("shop") as source:
        staff = source.execute("SELECT count(*) FROM staff WHERE department_id = 1").fetchone()
    assert stored == staff == (moved["n"],)
    stack.lakehouse("run")
    assert [stage["last_batch"] for stage in stack.told("status")["stages"]] == batches


@pytest.mark.slow
def test_a_hundred_changed_rows_reach_the_warehouse_and_start_no_java(stack: Stack, owned: Owned) -> None:
    owned.execute("UPDATE sales_order SET units_sold = units_sold + 1")
    owned.execute("UPDATE payment SET payment_amount = payment_amount + 1")
    names = "created_at, last_updated, design_id, staff_id, counterparty_id, units_sold, unit_price,"
    names += " currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id"
    owned.execute(f"INSERT INTO sales_order ({names}) SELECT {names} FROM sales_order LIMIT 20")
    before = len(stack.jobs())
    stack.lakehouse("run")
    assert stack.jobs()[before:] == ORDINARY
    for table, column in (("sales_order", "units_sold"), ("payment", "payment_amount")):
        asked = f"SELECT count(*), sum({column}) FROM "
        with psycopg.connect(owned.warehouse) as warehouse, owned.server.connect("shop") as source:
            arrived = warehouse.execute(f"{asked} fact_{table}_current".encode()).fetchone()
            assert arrived == source.execute(f"{asked} {table}".encode()).fetchone()


@pytest.mark.slow
def test_a_rejected_row_is_listed_can_be_queried_and_is_closed_once_the_source_has_corrected_it(
    stack: Stack, owned: Owned
) -> None:
    owned.execute("UPDATE sales_order SET agreed_delivery_date = '2024-02-30' WHERE sales_order_id = 7")
    stack.lakehouse("run")
    (letter,) = stack.told("dead-letters", "--table", "sales_order")
    assert (letter["key"], letter["rules"][0]["rule"]) == (7, "delivery_date_is_a_date")
    assert "no day of the calendar" in stack.lakehouse("dead-letters")
    kept = "SELECT sales_order_id AS key, agreed_delivery_date AS day FROM totesys_dead_letter.sales_order"
    assert stack.sql(kept) == [{"key": 7, "day": "2024-02-30"}]
    assert stack.told("reconcile")["verdict"] == "equal"
    stack.lakehouse("replay")
    assert stack.told("dead-letters") == [letter]
    owned.execute("UPDATE sales_order SET agreed_delivery_date = '2024-12-24' WHERE sales_order_id = 7")
    stack.lakehouse("run")
    assert stack.told("dead-letters") == []
    assert "There is no source table sale" in stack.lakehouse("dead-letters", "--table", "sale", expect=1)


@pytest.mark.slow
def test_each_command_of_the_command_line_that_the_runbook_names_runs(stack: Stack) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`lakehouse ([a-z-]+[^`]*)`", runbook)) - {"up"}
    commands = {command.split()[0] for command in named}
    assert commands == {"alerts", "dead-letters", "files", "rates", "status", "validate"}
    # One asks a bank on the internet.
    for command in named - {"rates --from <day>"}:
        stack.lakehouse(*command.replace("<day>", "2024-01-01").split())


@pytest.mark.slow
def test_the_documentation_is_built_by_its_job_served_and_ended_by_an_interrupt(stack: Stack) -> None:
    refused = stack.lakehouse("docs", "--as-is", expect=1)
    assert "lakehouse run --stage build_sites" in refused
    command = [sys.executable, "-m", "lakehouse.cli", "docs", "--port", "0", "--state", str(stack.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        address = serving.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urlopen(f"{address}validation/", timeout=30) as answer:  # noqa: S310 - as it said itself
            index = answer.read().decode()
        with urlopen(f"{address}catalogue/raw/payment.html", timeout=30) as answer:  # noqa: S310 - the same
            table = answer.read().decode()
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate(timeout=60)
    assert re.search(r'href="batches/payment/\d+\.html"', index)
    assert "agrees with the contract" in table
    assert re.search(r'href="../../validation/batches/payment/\d+\.html"', table)
    assert serving.returncode == 0
    assert "build_sites" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["lake", "warehouse"])
def test_the_dashboard_is_served_live_and_ended_by_an_interrupt(stack: Stack, engine: str) -> None:
    command = [sys.executable, "-m", "lakehouse.cli", "dashboard", "--from", engine, "--port", "0"]
    with subprocess.Popen(
        [*command, "--state", str(stack.state)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        address = serving.stdout.readline().strip()
        with urlopen(address, timeout=60) as answer:  # noqa: S310 - as it said itself
            page = answer.read().decode()
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate(timeout=60)
    assert "<h1>Sales</h1>" in page
    assert "could not be read" not in page
    assert serving.returncode == 0
    assert "Traceback" not in said


@pytest.mark.slow
def test_what_is_asked_most_is_asked_by_its_name(stack: Stack) -> None:
    assert "payments_due" in stack.lakehouse("questions")
    rows = json.loads(stack.lakehouse("sql", "--named", "revenue_by_month", "--format", "json"))
    assert sum(row["orders"] for row in rows) == 60
    refused = stack.lakehouse("sql", "--named", "nope", expect=1)
    assert "Athena keeps no query named nope" in refused
    assert "revenue_by_month" in refused


@pytest.mark.slow
def test_taking_the_stack_down_leaves_the_databases_running(stack: Stack, owned: Owned) -> None:
    stack.lakehouse("down")
    with psycopg.connect(owned.source) as source:
        assert source.execute("SELECT 1").fetchone() == (1,)
    stack.lakehouse("up", "--source", owned.source, "--warehouse", owned.warehouse)
    assert stack.sql("SELECT count(*) AS n FROM fact_sales_order_current") == [{"n": 60}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            lambda dsn: dsn.replace(f"{READER}:", f"{READER}:wrong-"), "password", id="wrong password"
        ),
        at_night(lambda dsn: dsn.replace("/shop?", "/shopp?"), "shopp", name="no such database"),
        pytest.param(
            lambda _: "postgresql://reader@127.0.0.1:1/totesys?connect_timeout=2", "source", id="no server"
        ),
        at_night(lambda _: "mysql://reader@localhost/totesys", "postgresql://", name="no PostgreSQL"),
    ],
)
def test_a_source_that_cannot_be_reached_is_said_before_anything_starts(
    owned: Owned, tmp_path: Path, change: object, words: str
) -> None:
    dsn = change(owned.source)  # type: ignore[operator]
    said = Stack(tmp_path / "state").lakehouse("up", "--source", dsn, expect=1)
    assert words in said
    secret = urlsplit(owned.source).password
    assert secret is not None
    assert secret not in said


def test_a_role_that_may_not_read_a_table_is_told_which_and_how(owned: Owned, tmp_path: Path) -> None:
    owned.execute(f"REVOKE SELECT ON payment FROM {READER}")
    try:
        said = Stack(tmp_path / "state").lakehouse("up", "--source", owned.source, expect=1)
    finally:
        owned.execute(f"GRANT SELECT ON payment TO {READER}")
    assert "may not read payment" in said
    assert "GRANT SELECT ON public.payment" in said
