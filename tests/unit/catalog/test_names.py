"""The names that help shows are those of the contracts and questions, which are not read for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bi.questions import load_questions
from catalog.catalogue import load_catalogue
from catalog.names import captured_table, question, star_table
from catalog.project import VARIABLE, contracts_folder
from tests.projects import FERRIES, PARCELS, SHOP, lay_out


@pytest.fixture(params=[None, FERRIES, PARCELS, SHOP], ids=lambda project: project.name if project else "own")
def _project(
    request: pytest.FixtureRequest, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project that came with the code, and those of the tests, one after the other."""
    if request.param is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, str(lay_out(request.param, root, tmp_path / request.param.name)))


@pytest.mark.usefixtures("_project")
def test_names_are_those_of_the_contracts_and_questions() -> None:
    catalogue = load_catalogue()
    assert captured_table() == min(catalogue.captured)
    facts = [contract.table for contract in catalogue.star_of_kind("fact")]
    assert star_table() == min(facts or catalogue.star)
    assert question() == min(load_questions(), default=None)


def test_without_a_fact_any_table_of_the_star_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contracts = shutil.copytree(contracts_folder(), tmp_path / "catalog" / "contracts")
    for path in (contracts / "star").glob("fact_*.yaml"):
        path.unlink()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert star_table() == min(path.stem for path in (contracts / "star").glob("*.yaml"))


def test_a_contract_that_cannot_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "catalog" / "contracts" / "raw"
    raw.mkdir(parents=True)
    (raw / "a_broken.yaml").write_text("table: [")
    (raw / "a_list.yaml").write_text("- table")
    (raw / "no_text.yaml").write_bytes(b"\xff\xfe\xff")
    (raw / "brought.yaml").write_text("table: brought\norigin: http\n")
    (raw / "shown.yaml").write_text("table: shown\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert captured_table() == "shown"
    assert (star_table(), question()) == (None, None)
