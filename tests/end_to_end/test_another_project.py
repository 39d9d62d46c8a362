"""The engine runs a project of which it knows nothing: other tables, another schema, other names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from catalog.project import VARIABLE
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.projects import FERRIES, lay_out

from .stack_cli import Stack

READER, LOADER = "deckhand", "purser"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("ferries") / "pg", durable=False) as server:
        server.ensure_role(READER)
        server.ensure_role(LOADER)
        server.ensure_database("harbour")
        server.ensure_database("warehouse", owner=LOADER)
        with server.connect("harbour") as source:
            source.execute((FERRIES / "schema.sql").read_bytes())
            source.execute(f"GRANT USAGE ON SCHEMA timetable TO {READER}".encode())
            source.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA timetable TO {READER}".encode())
        yield server


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(FERRIES, root, tmp_path_factory.mktemp("project") / "ferries")


@pytest.fixture(autouse=True)
def _is_chosen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with the project that its file is about; these are about another one."""
    monkeypatch.setenv(VARIABLE, str(project))


@pytest.fixture(scope="module")
def stack(
    server: EmbeddedPostgres, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(project))
        stack = Stack(tmp_path_factory.mktemp("stack") / "state")
        source, warehouse = server.dsn(READER, "harbour"), server.dsn(LOADER, "warehouse")
        stack.lakehouse("up", "--source", source, "--warehouse", warehouse)
        try:
            yield stack
        finally:
            stack.lakehouse("down")


def change(server: EmbeddedPostgres, statement: str) -> None:
    with server.connect("harbour") as source:
        source.execute(statement.encode())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["embedded", "spark"])
def test_another_business_goes_from_its_source_to_its_warehouse(
    stack: Stack, server: EmbeddedPostgres, engine: str
) -> None:
    change(server, "UPDATE timetable.boat SET boat_name = boat_name || '!' WHERE boat_id = 1")
    change(server, "UPDATE timetable.crossing SET fare = fare + 1 WHERE crossing_id = 7")
    stack.lakehouse("run", "--engine", engine)

    wanted = (
        "SELECT b.boat_name, sum(c.passengers * c.fare) FROM timetable.crossing AS c"
        " JOIN timetable.boat AS b USING (boat_id) GROUP BY 1 ORDER BY 1"
    )
    with server.connect("harbour") as source:
        right = source.execute(wanted.encode()).fetchall()
    rows = json.loads(stack.lakehouse("sql", "--named", "takings_by_boat", "--format", "json"))
    assert [(row["boat"], Decimal(str(row["takings"]))) for row in rows] == right
    assert stack.told("reconcile")["verdict"] == "equal"
    with psycopg.connect(server.dsn(LOADER, "warehouse")) as warehouse:
        told = warehouse.execute("SELECT count(*), max(crossing_id) FROM fact_crossing_current").fetchone()
    assert told == (60, 60)


@pytest.mark.slow
def test_its_rules_and_its_names_are_its_own(stack: Stack, server: EmbeddedPostgres) -> None:
    change(server, "UPDATE timetable.crossing SET passengers = 41 WHERE crossing_id = 8")
    stack.lakehouse("run")
    (letter,) = stack.told("dead-letters")
    assert (letter["table"], letter["key"], letter["rules"][0]["rule"]) == ("crossing", 8, "not_overloaded")
    assert "takings_by_boat" in stack.lakehouse("questions")
    assert "FERRIES_SOURCE_DSN" in stack.lakehouse("env")
    assert "--full --table boat" in stack.lakehouse("capture", "--help")
    refused = stack.lakehouse("up", "--scale", "2", expect=1)
    assert "totesys" not in refused
