"""Every kind of change of a project, and what a stack with rows may do about it."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue, read_catalogue
from catalog.project import contracts_folder
from lakehouse.project_changes import compare_files, compare_projects

NEW_COLUMN = "columns:\n- {name: desk, type: text, nullable: true, description: A desk.}\n"

CASES: dict[str, tuple[list[tuple[str, str, str]], dict[str, str]]] = {
    "a new column of a captured table": (
        [("raw/design.yaml", "columns:\n", NEW_COLUMN)],
        {"told": "raw/design: column desk is new; the next capture reads the table in full"},
    ),
    "a new column of the star": (
        [
            ("raw/design.yaml", "columns:\n", NEW_COLUMN),
            ("star/dim_design.yaml", "columns:\n", "columns:\n- {name: desk, source: desk}\n"),
        ],
        {
            "told": "star/dim_design: column desk is new; rows that are there get it as they are",
            "to_alter": "dim_design.desk is added (text), empty at first",
        },
    ),
    "a new column of the star that is never empty": (
        [
            ("raw/design.yaml", "columns:\n", NEW_COLUMN.replace("true", "false")),
            ("star/dim_design.yaml", "columns:\n", "columns:\n- {name: desk, source: desk}\n"),
        ],
        {"refused": "star/dim_design: column desk is new and never empty, and rows that are there have no"},
    ),
    "a new column of the star of what is captured already": (
        [("star/dim_staff.yaml", "columns:\n", "columns:\n- {name: created_at, source: created_at}\n")],
        {"to_rebuild": "star/dim_staff: column created_at is new, of what is captured already"},
    ),
    "a column that is stated no more": (
        [("star/dim_design.yaml", "- name: file_name\n  source: file_name\n", "")],
        {
            "told": "star/dim_design: column file_name is gone; in the warehouse it stays",
            "to_alter": "dim_design.file_name stays, and may be empty from then on",
        },
    ),
    "a captured column that is stated no more": (
        [
            ("raw/department.yaml", "- name: manager\n  type: text\n  nullable: true\n", ""),
            ("raw/department.yaml", "  description: Full name of the person who leads it.\n", ""),
            ("raw/department.yaml", "  personal: true\n", ""),
        ],
        {"told": "raw/department: column manager is gone; what was captured of it stays"},
    ),
    "a column that is called otherwise in the lake": (
        [("star/dim_design.yaml", "- name: file_location\n", "- name: folder\n")],
        {
            "told": "star/dim_design: column file_location is gone; in the warehouse it stays",
            "to_alter": "dim_design.file_location stays, and may be empty from then on",
            "to_rebuild": "star/dim_design: column folder is new, of what is captured already",
        },
    ),
    "a column that the source calls otherwise": (
        [("raw/design.yaml", "- name: file_location\n", "- name: file_location\n  source: place\n")],
        {"told": "raw/design: column file_location is called otherwise at the source"},
    ),
    "other values": (
        [("raw/currency.yaml", "pattern: ^[A-Z]{3}$", "allowed_values: [GBP, USD]")],
        {"told": "raw/currency: column currency_code: allowed_values is asked for; rows that were"},
    ),
    "a tightened rule": (
        [("raw/design.yaml", "  minimum: 1\n", "  minimum: 2\n")],
        {"told": "raw/design: column design_id: minimum is another; rows that were accepted stay"},
    ),
    "a wider type of the source": (
        [("raw/design.yaml", "type: integer", "type: bigint")],
        {"to_rebuild": "star/dim_design: column design_id: integer becomes bigint"},
    ),
    "another type of the source": (
        [("raw/department.yaml", "  type: timestamp\n", "  type: text\n")],
        {"refused": "raw/department: column created_at: timestamp becomes text"},
    ),
    "another expression": (
        [("star/dim_design.yaml", "  source: file_name", "  source: file_location")],
        {"to_rebuild": "star/dim_design: column file_name is made otherwise"},
    ),
    "another description": (
        [("star/dim_design.yaml", "description: Material", "description: Stuff")],
        {"told": "star/dim_design: column design_name is stated otherwise; its values stay"},
    ),
    "another kind of zone": (
        [("zones.yaml", "prefix: star/", "prefix: stars/")],
        {"refused": "zones.yaml, star: every file of the zone would be another"},
    ),
}


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    return Path(shutil.copytree(contracts_folder(), tmp_path / "contracts"))


@pytest.mark.parametrize(("edits", "wanted"), CASES.values(), ids=CASES.keys())
def test_a_change_is_told_altered_rebuilt_or_refused(
    contracts: Path, edits: list[tuple[str, str, str]], wanted: dict[str, str]
) -> None:
    for file, old, new in edits:
        path = contracts / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
    if edits[0][0] == "raw/design.yaml" and "bigint" in edits[0][2]:
        for path in (contracts / "raw").glob("*.yaml"):
            whole = "- name: design_id\n  type: integer"
            path.write_text(path.read_text().replace(whole, whole.replace("integer", "bigint")))
    found = asdict(compare_projects(load_catalogue(), read_catalogue(contracts)))
    for kind in ("told", "to_alter", "to_rebuild", "refused"):
        listed = "\n".join(found[kind])
        if kind in wanted:
            assert wanted[kind] in listed
        elif kind != "told":
            assert listed == ""


def test_tables_that_come_and_go_are_told_and_one_of_what_is_captured_asks_for_a_rebuild(
    contracts: Path,
) -> None:
    raw = (contracts / "raw" / "department.yaml").read_text()
    (contracts / "raw" / "branch.yaml").write_text(raw.replace("table: department", "table: branch"))
    star = (contracts / "star" / "dim_design.yaml").read_text()
    (contracts / "star" / "dim_draft.yaml").write_text(star.replace("table: dim_design", "table: dim_draft"))
    grown = read_catalogue(contracts)
    found = compare_projects(load_catalogue(), grown)
    assert found.told == ("raw/branch: a new table, which the next capture reads in full",)
    assert found.to_rebuild == ("star/dim_draft: a new table of design, which is captured already",)
    back = compare_projects(grown, load_catalogue())
    assert back.told == (
        "raw/branch: captured no more; what was captured stays",
        "star/dim_draft: built no more; its table in the warehouse stays as it is",
    )
    assert (back.to_alter, back.to_rebuild, back.refused) == ((), (), ())


def test_what_changed_besides_contracts_is_named() -> None:
    old = {"expectations/rules/a.yaml": b"1", "bi/queries/q.sql": b"1", "catalog/contracts/raw/x.yaml": b"1"}
    new = {**old, "expectations/rules/a.yaml": b"2", "bi/queries/r.sql": b"1", "notebooks/n.ipynb": b"1"}
    rules, questions, notebooks = compare_files(old, new)
    assert notebooks == "notebooks: the lineage shows what they ask now"
    assert rules.startswith("rules: what is captured from now on")
    assert questions.startswith("questions:")
    assert compare_files(old, old) == ()
