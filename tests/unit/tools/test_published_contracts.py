"""What is published and what the contracts say cannot part without a version that says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue, read_catalogue
from catalog.project import contracts_folder
from tools import published_contracts
from tools.published_contracts import check, publish


@pytest.fixture
def published(tmp_path: Path) -> Path:
    assert publish(load_catalogue(), tmp_path / "published") == []
    return tmp_path / "published"


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    return Path(shutil.copytree(contracts_folder(), tmp_path / "contracts"))


def edit(contracts: Path, table: str, old: str, new: str) -> None:
    path = contracts / "raw" / f"{table}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


NEW_COLUMN = "columns:\n- name: colour\n  type: text\n  nullable: true\n  description: Colour.\n"
REFUSED = {
    "a column is renamed": ("name: company_ac_number", "name: our_account", "is gone (breaks)", "2.0.0"),
    "a column is new": ("columns:\n", NEW_COLUMN, "column colour is new (adds)", "1.1.0"),
    "a rule is narrower": ("maximum: 99999999", "maximum: 999", "another (narrows)", "2.0.0"),
    "other words": ("Whether it has been paid.", "Paid?", "described otherwise (restates)", "1.0.1"),
}


@pytest.mark.parametrize(("old", "new", "said", "least"), REFUSED.values(), ids=REFUSED)
def test_a_change_is_published_under_a_version_that_says_what_it_does_and_under_no_other(
    contracts: Path, published: Path, old: str, new: str, said: str, least: str
) -> None:
    edit(contracts, "payment", old, new)
    before = (published / "payment.json").read_text()
    for command in (check, publish):
        (refusal,) = command(read_catalogue(contracts), published)
        assert refusal.startswith("catalog/contracts/raw/payment.yaml: ")
        assert said in refusal
        assert f"version {least} or later, and it states 1.0.0" in refusal
    assert (published / "payment.json").read_text() == before

    edit(contracts, "payment", "version: 1.0.0", f"version: {least}")
    (refusal,) = check(read_catalogue(contracts), published)
    assert "make publish-contracts" in refusal
    assert publish(read_catalogue(contracts), published) == []
    assert check(read_catalogue(contracts), published) == []
    assert (published / "payment.json").read_text() != before


def test_a_version_that_goes_back_is_refused(contracts: Path, published: Path) -> None:
    edit(contracts, "payment", "version: 1.0.0", "version: 0.9.0")
    (refusal,) = publish(read_catalogue(contracts), published)
    assert "version 0.9.0 is before 1.0.0" in refusal


def test_a_statement_without_a_contract_or_that_cannot_be_read_is_named(published: Path) -> None:
    (published / "ghost.json").write_text("{}")
    (published / "payment.json").write_text("{}")
    unreadable, ghost = check(load_catalogue(), published)
    assert "payment.yaml: what is published cannot be read" in unreadable
    assert "ghost.json: there is no such contract" in ghost


def test_a_table_that_is_new_is_published_as_it_is(contracts: Path, tmp_path: Path) -> None:
    catalogue = read_catalogue(contracts)
    assert len(check(catalogue, tmp_path / "none")) == len(catalogue.raw)
    assert publish(catalogue, tmp_path / "none") == []
    assert check(catalogue, tmp_path / "none") == []


def test_the_command_says_what_is_wrong_and_ends_with_it(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(published_contracts, "published_folder", lambda: published)
    assert published_contracts.main(["check"]) == 0
    (published / "staff.json").unlink()
    assert published_contracts.main(["check"]) == 1
    assert "catalog/contracts/raw/staff.yaml" in capsys.readouterr().err
    assert published_contracts.main(["publish"]) == 0
    assert published_contracts.main([]) == 2
    assert "usage" in capsys.readouterr().err
