"""Copies without personal columns, and indexes of partitions, follow from contracts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bi.questions import load_questions, redacted
from catalog.catalogue import load_catalogue, read_catalogue
from catalog.glue import partition_indexes, table_input
from catalog.project import contracts_folder
from catalog.redaction import copy_of, personal_columns
from catalog.yaml_lines import ContractError

CATALOGUE = load_catalogue()


def test_a_table_with_personal_columns_has_a_copy_and_no_other_has() -> None:
    copied = {(CATALOGUE.zones[copy.zone].copies, copy.table) for copy in CATALOGUE.copies}
    tables = [*CATALOGUE.raw.values(), *CATALOGUE.star.values()]
    assert copied == {(one.zone, one.table) for one in tables if personal_columns(one)}


def test_a_copy_states_every_column_but_the_personal_ones() -> None:
    for copy in CATALOGUE.copies:
        original = CATALOGUE.copied(copy)
        assert not personal_columns(copy)
        left = [column.name for column in original.all_columns if not column.personal]
        assert [column.name for column in copy.all_columns] == left
        assert copy.partition_columns == original.partition_columns


def test_another_personal_column_moves_the_copy() -> None:
    raw, zone = CATALOGUE.raw["staff"], CATALOGUE.zones["redacted_raw"]
    columns = tuple(
        c.model_copy(update={"personal": c.personal or c.name == "department_id"}) for c in raw.columns
    )
    later = copy_of(raw.model_copy(update={"columns": columns}), zone)
    now = copy_of(raw, zone)
    assert now is not None
    assert later is not None
    assert later.prefix != now.prefix
    assert later.prefix.startswith(zone.prefix)


def test_a_key_that_is_personal_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(contracts_folder(), tmp_path / "contracts")
    path = folder / "raw" / "staff.yaml"
    path.write_text(path.read_text().replace("name: staff_id\n", "name: staff_id\n  personal: true\n"))
    with pytest.raises(ContractError, match=r"staff.yaml:\d+: staff_id is personal"):
        read_catalogue(folder)


def test_a_question_names_no_personal_column_to_whoever_sees_none() -> None:
    names = {name for copy in CATALOGUE.copies for name in personal_columns(CATALOGUE.copied(copy))}
    for question in load_questions().values():
        assert not [name for name in names if f".{name}" in redacted(question.sql)], question.name


def test_an_index_begins_with_each_column_that_a_look_up_may_name() -> None:
    for contract in CATALOGUE.tables:
        grows = contract.zone in ("raw", "redacted_raw")
        keys = [index["Keys"] for index in partition_indexes(contract)]
        assert keys == ([["captured_date", "batch"], ["batch"]] if grows else [])
        # Without this property Athena asks for all partitions, whatever indexes there are.
        stated = table_input(contract, "bucket")["Parameters"]
        assert (stated.get("partition_filtering.enabled") == "true") == grows
