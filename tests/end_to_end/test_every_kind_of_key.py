"""Another database goes to the warehouse: keys that are no whole number, times to the microsecond, floats.

Keys are uuid, any text, several columns.
"""

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

LAST_OF_JUNE = "2024-06-30 23:59:59.9996+00"

LATE = "parcel_id = '9bf31c7f-f062-936a-96d3-c8bd1f8f2ff3'"
"""The parcel with the number 15, which is posted in that moment."""


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
            source.execute(f'GRANT USAGE ON SCHEMA "Places" TO {READER}'.encode())
            source.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "Places" TO {READER}'.encode())
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
        """UPDATE "Places"."Order of hubs" SET "HUB ""name\""" = 'New!' WHERE "hubCode" IN ('', 'A/1')""",
        "UPDATE depot.parcel SET posted_at = posted_at + interval '63 days' WHERE weight = 2.75",
        f"UPDATE depot.parcel SET posted_at = '{LAST_OF_JUNE}', volume = 0 WHERE {LATE}",
    )
    stack.lakehouse("run", "--engine", engine)
    assert stack.told("reconcile")["verdict"] == "equal"
    assert in_warehouse(server, "SELECT hub_name FROM dim_hub WHERE hub_code = 'A/1'") == [("New!",)]
    assert stack.told("record", "scan", f"{uuid(server, 7)}/1")["versions"][-1]["operation"] == "update"
    gone = stack.told("record", "scan", f"{uuid(server, 8)}/2")["versions"]
    assert [one["operation"] for one in gone][-1] == "delete"


def test_the_last_moment_of_a_month_is_of_that_month_in_every_column_that_is_made_of_it(
    stack: Stack, server: EmbeddedPostgres
) -> None:
    asked = f"SELECT posted_at, posted_on, volume, girth FROM fact_parcel_current WHERE {LATE}"
    ((posted_at, posted_on, volume, girth),) = in_warehouse(server, asked)
    assert (str(posted_at), str(posted_on)) == ("2024-06-30 23:59:59.999600", "2024-06-30")
    assert (volume, girth) == (0, 3.4028235e38)
    (shown,) = stack.sql(asked.replace("posted_at,", "posted_at, posted_month,"))
    assert (shown["posted_month"], shown["posted_on"]) == ("2024-06", "2024-06-30")
    # Athena rounds to three digits as it reads.
    assert shown["posted_at"] == "2024-07-01 00:00:00.000"


FURTHER = "posted_at = posted_at + interval '1 microsecond'"
MARKED = "SELECT parcel_id FROM fact_parcel_current WHERE has_rejected_change ORDER BY 1"


def uuid(server: EmbeddedPostgres, number: int) -> str:
    with server.connect("carrier") as source:
        (found,) = source.execute(f"SELECT md5('{number}')::uuid".encode()).fetchall()
    return str(found[0])


@pytest.fixture(scope="module")
def rejected(stack: Stack, server: EmbeddedPostgres, project: Path) -> list[str]:
    """The parcels of which a change is rejected, by their keys; another moves by a microsecond."""
    change(server, f"UPDATE depot.parcel SET {FURTHER} WHERE {LATE}")
    moments = {12: "1999-01-01", 13: "infinity", 14: "0044-03-15 10:00:00.000001+00 BC"}
    parcels = {uuid(server, number): moment for number, moment in moments.items()}
    for parcel, moment in parcels.items():
        change(server, f"UPDATE depot.parcel SET posted_at = '{moment}' WHERE parcel_id = '{parcel}'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(project))
        stack.lakehouse("run")
    return sorted(parcels)


@pytest.mark.slow
@pytest.mark.usefixtures("rejected")
def test_a_microsecond_makes_a_version_and_a_difference(stack: Stack, server: EmbeddedPostgres) -> None:
    asked = f"SELECT posted_at::text FROM fact_parcel WHERE {LATE} ORDER BY batch_sequence"
    moments = [("2024-06-30 23:59:59.9996",), ("2024-06-30 23:59:59.999601",)]
    assert in_warehouse(server, asked)[-2:] == moments
    with psycopg.connect(server.dsn(LOADER, "warehouse"), autocommit=True) as warehouse:
        warehouse.execute(f"UPDATE fact_parcel SET {FURTHER} WHERE {LATE}".encode())
        told = stack.lakehouse("reconcile", "--json", expect=1)
        warehouse.execute(f"UPDATE fact_parcel SET {FURTHER.replace('+', '-')} WHERE {LATE}".encode())
    tables = json.JSONDecoder().raw_decode(told)[0]["tables"]
    # What Athena shows is the same: both sides show it by three digits. Rejected changes are no difference.
    assert {
        (table["table"], one["left"], one["right"])
        for table in tables
        for one in table["comparisons"]
        if one["verdict"] == "different"
    } == {("fact_parcel", "source", "warehouse"), ("fact_parcel", "lake", "warehouse")}
    assert {table["table"] for table in tables if table["verdict"] != "equal"} == {"fact_parcel"}


def test_the_record_numbers_of_a_fact_are_dense_and_its_key_is_unique(
    stack: Stack, server: EmbeddedPostgres
) -> None:
    for fact, key in (("scan", "parcel_id, scan_no"), ("parcel", "parcel_id")):
        query = f"SELECT count(*), min({fact}_record_id), max({fact}_record_id) FROM fact_{fact}"
        ((rows, first, last),) = in_warehouse(server, query)
        assert (first, last) == (1, rows)
        twice = f"SELECT {key} FROM fact_{fact}_current GROUP BY {key} HAVING count(*) > 1"
        assert in_warehouse(server, twice) == []


@pytest.mark.slow
def test_a_rejected_change_is_told_by_its_key_and_marked_in_the_star(
    stack: Stack, server: EmbeddedPostgres, rejected: list[str]
) -> None:
    letters = {letter["key"]: letter["table"] for letter in stack.told("dead-letters")}
    assert letters == dict.fromkeys(rejected, "parcel")
    assert in_warehouse(server, MARKED) == [(found,) for found in rejected]
    shown = json.loads(stack.lakehouse("sql", MARKED, "--format", "json"))
    assert [row["parcel_id"] for row in shown] == rejected


@pytest.mark.slow
def test_corrected_it_is_resolved_and_a_mass_delete_beside_it_waits_for_a_person_who_lets_these_keys_go(
    stack: Stack, server: EmbeddedPostgres, rejected: list[str]
) -> None:
    corrected = f"UPDATE depot.parcel SET posted_at = '2026-02-01' WHERE parcel_id::text IN {tuple(rejected)}"
    change(server, corrected, "DELETE FROM depot.scan WHERE scan_no = 2")
    stack.lakehouse("run", expect=1)
    (held,) = stack.told("status")["held_deletions"]
    assert (held["table"], held["missing"]) == ("scan", 298)
    assert in_warehouse(server, "SELECT count(*) FROM fact_scan_current WHERE scan_no = 2") == [(298,)]
    stack.lakehouse("release", "--table", "scan")
    stack.lakehouse("run")
    assert in_warehouse(server, "SELECT count(*) FROM fact_scan_current WHERE scan_no = 2") == [(0,)]
    assert stack.told("dead-letters") == []
    assert in_warehouse(server, MARKED) == []
    assert stack.told("reconcile")["verdict"] == "equal"


def test_commands_and_variables_speak_of_the_project_that_is_chosen(stack: Stack) -> None:
    assert "PARCELS_SOURCE_DSN" in stack.lakehouse("env")
    assert "--full --table hub" in stack.lakehouse("capture", "--help")
    assert "totesys" not in stack.lakehouse("up", "--scale", "2", expect=1)
