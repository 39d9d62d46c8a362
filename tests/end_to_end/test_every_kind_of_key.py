"""Keys that are no whole number go from the source to the warehouse: uuid, any text, several columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from catalog.project import VARIABLE
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.projects import PARCELS, lay_out

from .stack_cli import Stack

READER, LOADER = "porter", "clerk"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("parcels") / "pg", durable=False) as server:
        server.ensure_role(READER)
        server.ensure_role(LOADER)
        server.ensure_database("carrier")
        server.ensure_database("warehouse", owner=LOADER)
        with server.connect("carrier") as source:
            source.execute((PARCELS / "schema.sql").read_bytes())
            source.execute(f"GRANT USAGE ON SCHEMA depot TO {READER}".encode())
            source.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA depot TO {READER}".encode())
        yield server


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(PARCELS, root, tmp_path_factory.mktemp("project") / "parcels")


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
        source, warehouse = server.dsn(READER, "carrier"), server.dsn(LOADER, "warehouse")
        stack.lakehouse("up", "--source", source, "--warehouse", warehouse)
        try:
            yield stack
        finally:
            stack.lakehouse("down")


def change(server: EmbeddedPostgres, *statements: str) -> None:
    with server.connect("carrier") as source:
        for statement in statements:
            source.execute(statement.encode())


def in_warehouse(server: EmbeddedPostgres, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn(LOADER, "warehouse")) as warehouse:
        return warehouse.execute(query.encode()).fetchall()


@pytest.mark.parametrize("engine", ["embedded", pytest.param("spark", marks=pytest.mark.slow)])
def test_rows_of_every_kind_of_key_change_and_go_and_all_sides_stay_equal(
    stack: Stack, server: EmbeddedPostgres, engine: str
) -> None:
    stack.lakehouse("run", "--engine", engine)
    change(
        server,
        "UPDATE depot.scan SET note = 'dented' WHERE scan_no = 1 AND parcel_id = md5('7')::uuid",
        "DELETE FROM depot.scan WHERE parcel_id IN (md5('8')::uuid, md5('9')::uuid)",
        "DELETE FROM depot.parcel WHERE parcel_id = md5('8')::uuid",
        "UPDATE depot.shift SET line = line + 10 WHERE hub_code = 'A/1~' AND line = 1",
        "UPDATE depot.hub SET hub_name = hub_name || '!' WHERE hub_code IN ('', 'A/1')",
        "UPDATE depot.parcel SET posted_at = posted_at + interval '63 days' WHERE weight = 2.75",
    )
    stack.lakehouse("run", "--engine", engine)
    assert stack.told("reconcile")["verdict"] == "equal"
    assert stack.told("record", "scan", f"{uuid(server, 7)}/1")["versions"][-1]["operation"] == "update"
    gone = stack.told("record", "scan", f"{uuid(server, 8)}/2")["versions"]
    assert [one["operation"] for one in gone][-1] == "delete"


def uuid(server: EmbeddedPostgres, number: int) -> str:
    with server.connect("carrier") as source:
        (found,) = source.execute(f"SELECT md5('{number}')::uuid".encode()).fetchall()
    return str(found[0])


def test_the_record_numbers_of_a_fact_are_dense_and_its_key_is_unique(
    stack: Stack, server: EmbeddedPostgres
) -> None:
    for fact, key in (("scan", "parcel_id, scan_no"), ("parcel", "parcel_id")):
        query = f"SELECT count(*), min({fact}_record_id), max({fact}_record_id) FROM fact_{fact}"
        ((rows, first, last),) = in_warehouse(server, query)
        assert (first, last) == (1, rows)
        twice = f"SELECT {key} FROM fact_{fact}_current GROUP BY {key} HAVING count(*) > 1"
        assert in_warehouse(server, twice) == []


def test_a_rejected_change_is_told_by_its_key_marked_in_the_star_and_resolved(
    stack: Stack, server: EmbeddedPostgres
) -> None:
    number = uuid(server, 12)
    change(
        server, f"UPDATE depot.parcel SET posted_at = '1999-01-01', weight = 77 WHERE parcel_id = '{number}'"
    )
    stack.lakehouse("run")
    (letter,) = stack.told("dead-letters")
    assert (letter["table"], letter["key"]) == ("parcel", number)
    marked = "SELECT parcel_id FROM fact_parcel_current WHERE has_rejected_change"
    assert in_warehouse(server, marked) == [(number,)]
    shown = json.loads(stack.lakehouse("sql", marked, "--format", "json"))
    assert [row["parcel_id"] for row in shown] == [number]
    assert stack.told("reconcile")["verdict"] == "equal"

    change(server, f"UPDATE depot.parcel SET posted_at = '2026-02-01' WHERE parcel_id = '{number}'")
    stack.lakehouse("run")
    assert stack.told("dead-letters") == []
    assert in_warehouse(server, marked) == []


def test_a_mass_delete_waits_for_a_person_who_lets_exactly_these_keys_go(
    stack: Stack, server: EmbeddedPostgres
) -> None:
    change(server, "DELETE FROM depot.scan WHERE scan_no = 2")
    stack.lakehouse("run", expect=1)
    (held,) = stack.told("status")["held_deletions"]
    assert (held["table"], held["missing"]) == ("scan", 298)
    assert in_warehouse(server, "SELECT count(*) FROM fact_scan_current WHERE scan_no = 2") == [(298,)]
    stack.lakehouse("release", "--table", "scan")
    stack.lakehouse("run")
    assert in_warehouse(server, "SELECT count(*) FROM fact_scan_current WHERE scan_no = 2") == [(0,)]
    assert stack.told("reconcile")["verdict"] == "equal"
