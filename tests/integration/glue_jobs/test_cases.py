"""Cases that are data: what is captured, what the star then holds, what rules say of rows.

A case is a folder, ``tests/cases/<what>/<project>/<case>/``, of `totesys` or one of `tests/projects`:

    1.yaml, 2.yaml …    what each capture brings: rows by raw table, with what the case is about, and plain
                        values elsewhere. ``operation: delete`` makes a row that is nothing but its key.
                        ``_live`` lists keys that the source holds, ``_paused`` tables that it did not show
    1.expect.yaml …     what the lake shows after that capture
    expect.yaml         what it shows in the end, however captures come together in runs

An expectation states, each by table, and of rows those columns that the case is about:

    rows          a star table's rows, by key and batch
    changed       what the newest commit added to it
    counts        of the newest commit of its stage
    rejected      of a raw table, by key, of several columns as one text, the rules that its row breaks, as
                  the newest validation says
    broken        of a raw table, by batch, how many rows break which rule
    unresolved    how many dead letters of a raw table are unresolved
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.catalogue import Catalogue, read_catalogue
from catalog.keys import is_number, key_text
from catalog.types import MOMENTS
from expectations.rules import suites
from glue_jobs.lake.validation_state import ValidationState
from tests.lake import Lake, Row, embedded, lake, plain_row
from tests.projects import lay_out
from tests.spark import on_spark

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = sorted(path.parent for path in (ROOT / "tests" / "cases").glob("*/*/*/1.yaml"))


def read(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def named(folder: Path) -> str:
    return "/".join(folder.parts[-3:])


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """From a project's name to its folder and its catalogue."""

    @functools.cache
    def project(name: str) -> tuple[Path, Catalogue]:
        folder = ROOT
        if name != "totesys":
            folder = lay_out(ROOT / "tests" / "projects" / name, ROOT, tmp_path_factory.mktemp(name) / name)
        return folder, read_catalogue(folder / "catalog" / "contracts")

    return project


class Case:
    """A case on a lake of its own."""

    def __init__(self, folder: Path, lake: Lake) -> None:
        self.captures = sorted(folder.glob("[0-9].yaml"))
        self._folder = folder
        self._lake = lake

    def run(self) -> None:
        """Run what it takes to show what is expected."""
        star, tables = self._lake.catalogue.star, set()
        for path in self._folder.glob("*expect.yaml"):
            stated = read(path)
            tables |= {table for what in ("rows", "changed", "counts") for table in stated.get(what, {})}
        kinds = {star[table].kind == "fact" for table in tables & star.keys()}
        assert self._lake.validate() == 0
        for is_fact, build in ((False, self._lake.dimensions), (True, self._lake.facts)):
            assert is_fact not in kinds or build() == 0

    def capture(self, path: Path) -> None:
        stated = read(path)
        live, paused = stated.pop("_live", None), stated.pop("_paused", ())
        tables = {table: [self._row(table, row) for row in rows] for table, rows in stated.items()}
        self._lake.capture(tables, live=live, paused=paused)

    def expect(self, name: str, *only: str) -> None:
        expected = read(self._folder / name)
        for what in only or ("rows", "changed", "counts", "rejected", "broken", "unresolved"):
            for table, wanted in expected.get(what, {}).items():
                told = getattr(self, f"_{what}")(table, wanted)
                assert told == wanted, f"{named(self._folder)}/{name}: {what} of {table}"

    def _row(self, table: str, stated: Mapping[str, Any]) -> Row:
        contract = self._lake.catalogue.raw[table]
        types = {column.name: column.type.name for column in contract.columns}
        row = {name: _typed(types.get(name, ""), value) for name, value in stated.items()}
        return row if row.get("operation") == "delete" else {**plain_row(contract), **row}

    def _rows(self, table: str, wanted: list[Row]) -> list[Row]:
        return _told(self._lake.rows(table), wanted)

    def _changed(self, table: str, wanted: list[Row]) -> list[Row]:
        return _told(self._lake.changed(table), wanted)

    def _counts(self, table: str, wanted: Mapping[str, int]) -> dict[str, int]:
        kinds = {name: contract.kind for name, contract in self._lake.catalogue.star.items()}
        raw = dict.fromkeys(self._lake.catalogue.raw, "raw")
        stage = {"raw": "validate", "fact": "facts"}.get(str({**raw, **kinds}.get(table)), "dimensions")
        counts = self._lake.commit(stage).tables[table].counts
        return {name: counts[name] for name in wanted}

    def _rejected(self, table: str, _: Any) -> dict[int | str, list[str]]:
        contract = self._lake.catalogue.raw[table]
        return {
            row[contract.key[0]] if is_number(contract) else key_text(contract, row): [
                rule["rule"] for rule in json.loads(row["broken_rules"])
            ]
            for row in self._lake.dead_letters(table)
        }

    def _broken(self, table: str, _: Any) -> dict[int, dict[str, int]]:
        results = ValidationState.of(self._lake.commit("validate")).results.get(table, {})
        return {batch: dict(result.broken) for batch, result in results.items()}

    def _unresolved(self, table: str, _: Any) -> int:
        return self._lake.open_dead_letters().get(table, 0)


def _typed(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "decimal":
        return Decimal(str(value))
    return dt.datetime.fromisoformat(value) if kind in MOMENTS and isinstance(value, str) else value


def _told(rows: list[Row], wanted: list[Row]) -> list[Row]:
    """Of each row what the expected one at its place states; all of it where there is no such."""
    names = [list(row) for row in wanted]
    shown = [{**row, **{n: float(v) for n, v in row.items() if isinstance(v, Decimal)}} for row in rows]
    return [{name: row[name] for name in names[i]} if i < len(names) else row for i, row in enumerate(shown)]


@pytest.fixture
def case(
    request: pytest.FixtureRequest, projects: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    folder, engine = request.param
    if engine is on_spark:
        request.getfixturevalue("spark_home")
    project, catalogue = projects(folder.parent.name)
    with lake(tmp_path, monkeypatch, engine, catalogue) as one:
        one.suites = lambda registered: suites(registered, project / "expectations" / "rules")
        yield Case(folder, one)


@pytest.mark.parametrize("case", [pytest.param((f, embedded), id=named(f)) for f in FOLDERS], indirect=True)
def test_a_case_ends_as_expected_run_by_run(case: Case) -> None:
    for path in case.captures:
        case.capture(path)
        case.run()
        if (path.parent / f"{path.stem}.expect.yaml").exists():
            case.expect(f"{path.stem}.expect.yaml")
    case.expect("expect.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        pytest.param((folder, engine), id=f"{named(folder)} {engine.__name__}")
        for engine in (embedded, on_spark)
        for folder in FOLDERS
    ],
    indirect=True,
)
def test_a_case_ends_the_same_in_one_run_on_either_engine(case: Case) -> None:
    for path in case.captures:
        case.capture(path)
    case.run()
    case.expect("expect.yaml", "rows", "unresolved")


def test_there_are_cases_of_both_kinds_and_of_both_projects() -> None:
    assert {named(folder).rpartition("/")[0] for folder in FOLDERS} >= {
        "star/ferries",
        "star/totesys",
        "rules/ferries",
        "rules/totesys",
    }
