"""A change that was rejected leaves its predecessor current: the star lists which rows that concerns."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.model import UNRESOLVED
from glue_jobs.lake import rebuilds
from glue_jobs.lake.catalog_check import CatalogFault, check_partitions, repair_partitions
from glue_jobs.lake.commits import Commit, to_json
from tests.integration.glue_jobs.conftest import BOTH_ENGINES, relax
from tests.lake import CAPTURE_INTERVAL, FIRST_CAPTURE, Lake, deletion, raw_row

PARTS = {"dimensions", "facts"}


def good(key: int = 1, **changes: Any) -> dict[str, Any]:
    return raw_row("payment", key, **changes)


def bad(key: int | None = 1, **changes: Any) -> dict[str, Any]:
    return raw_row("payment", 1, **{"payment_id": key, "created_at": None, **changes})


def listed(lake: Lake) -> list[tuple[Any, ...]]:
    """Table, its row, source table, its row, first batch, how many; and what readers are shown is right."""
    for stage in PARTS:
        commit = lake.log(stage).latest()
        if commit is not None and UNRESOLVED in commit.tables:
            ((path, label),) = commit.tables[UNRESOLVED].versions.items()
            assert path == f"stage={stage}"
            assert label in lake.shown(UNRESOLVED)[stage]
    names = ("table_name", "row_key", "source_table", "source_key", "first_batch", "dead_letters")
    rows = lake.rows(UNRESOLVED)
    for row in rows:
        assert row["since"] == FIRST_CAPTURE + row["first_batch"] * CAPTURE_INTERVAL
    assert len({row["entry"] for row in rows}) == len(rows)
    return [tuple(row[name] for name in names) for row in rows]


def faults(lake: Lake) -> list[CatalogFault]:
    """What the catalog shows of the list otherwise than commits state it."""
    found = check_partitions(lake.clients, lake.catalogue)
    return [fault for fault in found if fault.table == UNRESOLVED]


@BOTH_ENGINES
def test_a_row_is_listed_from_its_rejected_change_to_what_comes_after_it(star_lake: Lake) -> None:
    star_lake.capture({"payment": [good(1), good(2), good(3)]})
    star_lake.transform()
    assert listed(star_lake) == []
    star_lake.capture({"payment": [bad(1), bad(2), bad(3)]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(1), good(9)]})
    star_lake.transform()
    of = "fact_payment"
    assert listed(star_lake) == [
        (of, 1, "payment", 1, 3, 1),
        (of, 2, "payment", 2, 2, 1),
        (of, 3, "payment", 3, 2, 1),
    ]
    star_lake.capture({"payment": [good(1), deletion("payment", 2)]})
    star_lake.transform()
    assert listed(star_lake) == [(of, 3, "payment", 3, 2, 1)]
    star_lake.capture({"payment": [good(3, paid=True)]})
    star_lake.transform()
    assert listed(star_lake) == []
    assert faults(star_lake) == []


@pytest.mark.slow
@BOTH_ENGINES
def test_a_replay_that_sends_a_row_on_takes_it_off_the_list(star_lake: Lake) -> None:
    late = "2024-11-13"
    star_lake.capture({"payment": [good(1)]})
    star_lake.transform()
    star_lake.capture({"payment": [good(1, payment_date=late)]})
    star_lake.transform()
    assert listed(star_lake) == [("fact_payment", 1, "payment", 1, 2, 1)]
    relax(star_lake)
    assert star_lake.replay() == 0
    star_lake.transform()
    assert listed(star_lake) == []
    assert str(star_lake.rows("fact_payment")[-1]["payment_date"]) == late


@BOTH_ENGINES
def test_a_rejected_row_concerns_every_row_that_joins_it(star_lake: Lake) -> None:
    firms = [
        raw_row("counterparty", key, legal_address_id=address) for key, address in ((1, 5), (2, 5), (3, 6))
    ]
    star_lake.capture(
        {"address": [raw_row("address", 5), raw_row("address", 6)], "counterparty": firms},
        live={"address": [5, 6], "counterparty": [1, 2, 3]},
    )
    star_lake.transform()
    star_lake.capture(
        {"address": [raw_row("address", 5, created_at=None)]},
        live={"address": [5, 6], "counterparty": [1, 2, 3]},
    )
    star_lake.transform()
    own, joined = ("dim_location", 5, "address", 5, 2, 1), "dim_counterparty"
    assert listed(star_lake) == [(joined, 1, "address", 5, 2, 1), (joined, 2, "address", 5, 2, 1), own]
    # One moves to the address, one away from it: the list follows though the dead letter is the same.
    moved = [raw_row("counterparty", key, legal_address_id=address) for key, address in ((2, 6), (3, 5))]
    star_lake.capture({"counterparty": moved}, live={"address": [5, 6], "counterparty": [1, 2, 3]})
    star_lake.transform()
    assert listed(star_lake) == [(joined, 1, "address", 5, 2, 1), (joined, 3, "address", 5, 2, 1), own]


@pytest.mark.slow
@BOTH_ENGINES
def test_rejected_rows_without_a_key_are_listed_by_batch_and_of_no_row(star_lake: Lake) -> None:
    star_lake.capture({"payment": [good(1)]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(None), bad(None, version_id=5)]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(None)]})
    star_lake.transform()
    assert listed(star_lake) == [
        ("fact_payment", None, "payment", None, 2, 2),
        ("fact_payment", None, "payment", None, 3, 1),
    ]
    assert [row["entry"] for row in star_lake.rows(UNRESOLVED)] == [
        "fact_payment/payment/batch 2/-",
        "fact_payment/payment/batch 3/-",
    ]


@pytest.mark.slow
def test_a_stage_lists_what_its_own_commit_knows(star_lake: Lake) -> None:
    design = raw_row("design", 7)
    star_lake.capture({"payment": [good(1)], "design": [design]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(1)], "design": [{**design, "created_at": None}]})
    star_lake.transform("dimensions")
    assert [row[0] for row in listed(star_lake)] == ["dim_design"]
    star_lake.facts()
    assert [row[0] for row in listed(star_lake)] == ["dim_design", "fact_payment"]
    # The correction is seen where it is built, and the other stage's part stays as it is.
    star_lake.capture({"payment": [good(1, paid=True)], "design": [{**design, "design_name": "Steel"}]})
    star_lake.transform("facts")
    assert [row[0] for row in listed(star_lake)] == ["dim_design"]


@pytest.mark.slow
def test_what_changes_nothing_in_the_list_writes_and_reads_nothing_of_it(star_lake: Lake) -> None:
    star_lake.capture({"payment": [good(1)], "design": [raw_row("design", 7)]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(1)]})
    star_lake.transform()
    before = {stage: star_lake.commit(stage).tables[UNRESOLVED].versions for stage in PARTS}
    # Payments that have nothing to do with it, and another table.
    star_lake.capture({"payment": [good(2)], "design": [raw_row("design", 8)]})
    assert star_lake.validate() == 0
    asked: list[tuple[str, str]] = []

    def note(params: Any, model: Any, **_: Any) -> None:
        asked.append((model.name, str(params.get("url_path", ""))))

    star_lake.s3.meta.events.register("before-call.s3", note)
    star_lake.dimensions()
    star_lake.facts()
    star_lake.s3.meta.events.unregister("before-call.s3", note)
    assert {stage: star_lake.commit(stage).tables[UNRESOLVED].versions for stage in PARTS} == before
    assert not [path for _, path in asked if "unresolved" in path]


@pytest.mark.slow
@BOTH_ENGINES
def test_a_rebuild_lists_the_same_and_only_its_own_version_is_shown(star_lake: Lake) -> None:
    star_lake.capture({"payment": [good(1), good(2)]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(1)]})
    star_lake.transform()
    before = star_lake.rows(UNRESOLVED)
    rebuilds.request(star_lake.clients)
    star_lake.dimensions()
    star_lake.facts()
    assert star_lake.rows(UNRESOLVED) == before
    assert [row[:2] for row in listed(star_lake)] == [("fact_payment", 1)]
    assert faults(star_lake) == []


def test_a_part_that_the_catalog_lost_or_shows_elsewhere_is_set_right(star_lake: Lake) -> None:
    star_lake.capture({"payment": [bad(1)], "design": [raw_row("design", 7, created_at=None)]})
    star_lake.transform()
    right = star_lake.shown(UNRESOLVED)
    where = {"DatabaseName": "shop_star", "TableName": UNRESOLVED}
    star_lake.glue.delete_partition(**where, PartitionValues=["facts"])
    (fault,) = faults(star_lake)
    assert "1 partitions missing: facts" in str(fault)
    repair_partitions(star_lake.clients, star_lake.catalogue)
    assert star_lake.shown(UNRESOLVED) == right
    # A run sets right its own part, and leaves the other's alone.
    star_lake.glue.delete_partition(**where, PartitionValues=["dimensions"])
    star_lake.facts()
    assert set(star_lake.shown(UNRESOLVED)) == {"facts"}
    star_lake.dimensions()
    assert star_lake.shown(UNRESOLVED) == right


@pytest.mark.slow
def test_a_lake_of_an_earlier_release_lists_what_waits_in_it_with_its_next_batch(star_lake: Lake) -> None:
    star_lake.capture({"payment": [good(1)], "design": [raw_row("design", 7)]})
    star_lake.transform()
    star_lake.capture({"payment": [bad(1)]})
    star_lake.transform()
    for stage in PARTS:
        for commit in star_lake.log(stage).after(0):
            _as_before(star_lake, commit)
    _drop_times(star_lake)
    star_lake.capture({"payment": [good(2)]})
    star_lake.transform()
    assert listed(star_lake) == [("fact_payment", 1, "payment", 1, 2, 1)]


def _as_before(lake: Lake, commit: Commit) -> None:
    """A commit as the release before this one wrote it."""
    tables = {name: table for name, table in commit.tables.items() if name != UNRESOLVED}
    states = {name: state for name, state in commit.state["tables"].items() if name != UNRESOLVED}
    old = dataclasses.replace(commit, tables=tables, state={**commit.state, "tables": states})
    path = lake.folder("ingestion") / lake.log(commit.stage).key(commit.sequence)
    path.write_bytes(to_json(old))


def _drop_times(lake: Lake) -> None:
    """Lists of unresolved dead letters as the release before this one wrote them."""
    folder = lake.folder("ingestion")
    for path in (folder / "_commits" / "validate").glob("*.json"):
        document = json.loads(path.read_text())
        for objects in document["state"]["unresolved_dead_letters"].values():
            for data in objects:
                file = folder / data["key"]
                table = pq.ParquetFile(file).read().drop_columns(["captured_at"])
                pq.write_table(table, file)
                body = file.read_bytes()
                data.update(bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        path.write_text(json.dumps(document))
