"""Databases that nobody wrote contracts for, from `init` to an equal reconciliation, and through changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from catalog.project import VARIABLE
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.project_copy import load_copy
from lakehouse.stack_state import Paths, load_running
from tests.foreign import FREIGHT, LOADER, READER, WEBSHOP, Foreign, foreign_server, init, paste, take_out

from .stack_cli import Stack

pytestmark = pytest.mark.slow


class Story:
    """A database, its project and its stack."""

    def __init__(self, one: Foreign, server: EmbeddedPostgres, folder: Path) -> None:
        self.one, self.server = one, server
        self.project, self.stack = folder / one.name, Stack(folder / "state")

    def sql(self, statements: str) -> None:
        with self.server.connect(self.one.name) as source:
            source.execute(statements.encode())

    def contract(self, zone: str, table: str) -> Path:
        return self.project / "catalog" / "contracts" / zone / f"{table}.yaml"

    def edit(self, path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def check_equal(self) -> None:
        report = self.stack.told("reconcile")
        assert report["verdict"] == "equal", report

    def in_warehouse(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.dsn(LOADER, f"{self.one.name}_warehouse")) as warehouse:
            return warehouse.execute(query.encode()).fetchall()


@pytest.fixture(scope="module", params=[WEBSHOP, FREIGHT], ids=lambda one: one.name)
def story(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    one: Foreign = request.param
    folder = tmp_path_factory.mktemp(one.name)
    with foreign_server(root, folder / "pg", one) as server, pytest.MonkeyPatch.context() as patch:
        story = Story(one, server, folder)
        init(server, one, story.project)
        patch.setenv(VARIABLE, str(story.project))
        source, warehouse = server.dsn(READER, one.name), server.dsn(LOADER, f"{one.name}_warehouse")
        story.stack.lakehouse("up", "--source", source, "--warehouse", warehouse)
        try:
            yield story
        finally:
            story.stack.lakehouse("down")


@pytest.fixture(autouse=True)
def _is_chosen(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with the project that its file is about; these are about another one."""
    monkeypatch.setenv(VARIABLE, str(story.project))


def test_rows_are_captured_changed_and_deleted_and_all_sides_stay_equal(story: Story) -> None:
    story.stack.lakehouse("run")
    story.check_equal()
    story.sql(story.one.changes)
    story.stack.lakehouse("run")
    story.check_equal()


def test_a_row_that_breaks_a_tightened_rule_is_a_dead_letter_until_it_is_replayed(story: Story) -> None:
    table, loose, tight = story.one.rule
    path = story.contract("raw", table)
    story.edit(path, loose, tight)
    story.sql(story.one.breaks)
    story.stack.lakehouse("run")
    (letter,) = story.stack.told("dead-letters")
    assert (letter["table"], letter["key"]) == story.one.letter
    story.check_equal()
    story.edit(path, tight, loose)
    story.stack.lakehouse("run")
    assert len(story.stack.told("dead-letters")) == 1
    story.stack.lakehouse("replay")
    assert story.stack.told("dead-letters") == []
    story.check_equal()


def test_columns_values_and_tables_that_come_are_proposed_taken_up_and_added(story: Story) -> None:
    story.sql(story.one.structure)
    story.sql(story.one.uses)
    proposed = story.stack.lakehouse("contracts", "propose", "--write", *story.one.arguments)
    written = {path.name for path in story.project.rglob("*.yaml")}
    assert all(word in proposed or word in written for word in story.one.told), proposed
    paste(story.project, proposed)
    assert story.stack.lakehouse("contracts", "propose", *story.one.arguments) == ""
    before = load_copy(Paths.of(story.stack.state))
    refused = story.stack.lakehouse("run", expect=1)
    assert "lakehouse run --alter-warehouse takes it up" in refused
    assert all(f"{one} is added" in refused for one in story.one.altered), refused
    assert load_copy(Paths.of(story.stack.state)) == before
    story.stack.lakehouse("run", "--alter-warehouse")
    story.check_equal()
    for place in story.one.altered:
        table, column = place.split(".")
        assert story.in_warehouse(f"SELECT count(*) > 0 FROM {table} WHERE {column} IS NOT NULL") == [(True,)]


def test_a_column_that_goes_stays_in_the_warehouse(story: Story) -> None:
    raw, star, column = story.one.gone
    story.sql(story.one.drops)
    take_out(story.contract("raw", raw), column)
    take_out(story.contract("star", star), column)
    story.stack.lakehouse("run", "--alter-warehouse")
    story.check_equal()
    assert story.in_warehouse(f"SELECT count({column}) > 0 FROM {star}") == [(True,)]


def test_a_stack_that_is_killed_as_it_takes_a_contract_up_works_by_the_former_or_the_new_one(
    story: Story,
) -> None:
    table, loose, tight = story.one.rule
    story.edit(story.contract("raw", table), loose, tight)
    paths = Paths.of(story.stack.state)
    before, running = load_copy(paths), load_running(paths)
    assert running is not None
    command = [sys.executable, "-m", "lakehouse.cli", "run", "--state", str(paths.root)]
    process = subprocess.Popen(command, start_new_session=True)
    while running.alive:
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert load_copy(paths) is not None
    assert before is not None
    story.stack.lakehouse("up")
    now = load_copy(paths)
    assert now is not None
    assert now.digest != before.digest
    story.stack.lakehouse("run")
    story.check_equal()


def test_what_a_load_cannot_add_is_refused_and_a_rebuild_takes_it_up(story: Story) -> None:
    _, star, _ = story.one.gone
    path = story.contract("star", star)
    text = path.read_text(encoding="utf-8")
    key = next(line for line in text.splitlines() if line.startswith("- {name:"))
    name = key.partition("name: ")[2].partition(",")[0]
    shown = f"- {{name: shown, sql: CAST({name} AS STRING), type: text, nullable: true, description: It.}}\n"
    path.write_text(text + shown, encoding="utf-8")
    refused = story.stack.lakehouse("run", expect=1)
    assert f"star/{star}: column shown is new, of what is captured already" in refused
    assert "lakehouse rebuild takes it up" in refused
    story.stack.lakehouse("rebuild", "--alter-warehouse")
    story.check_equal()
    differs = f"SELECT count(*) FROM {star} WHERE shown IS DISTINCT FROM {name}::text"
    assert story.in_warehouse(differs) == [(0,)]

    story.edit(path, f"CAST({name} AS STRING), type: text", "CAST(1 AS INTEGER), type: integer")
    story.stack.lakehouse("run", expect=1)
    told = story.stack.lakehouse("rebuild", "--alter-warehouse", expect=1)
    assert f"public.{star}.shown is VARCHAR, its contract says INTEGER. A load changes no type" in told
    with story.server.connect(f"{story.one.name}_warehouse") as warehouse:
        warehouse.execute(f"DROP TABLE {star} CASCADE".encode())
    story.stack.lakehouse("rebuild")
    story.check_equal()
    assert story.in_warehouse(f"SELECT DISTINCT shown FROM {star}") == [(1,)]
