"""Copies without personal columns: what of them is published, and when they are made again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import Catalogue, load_catalogue
from catalog.model import Contract
from glue_jobs.lake import layout, rebuilds
from glue_jobs.lake.catalog_check import check_partitions, check_tables, repair_partitions, repair_tables
from glue_jobs.lake.commits import REDACT, Commit, CommitLog
from glue_jobs.lake.redaction_state import RedactionState, copies_wait, live_copies
from glue_jobs.maintenance.reach import read
from glue_jobs.maintenance.retention import ABANDONED, SUPERSEDED, Listed, reason_to_remove
from glue_jobs.redaction import copies
from glue_jobs.redaction.copies import redact
from tests.lake import Lake, raw_row
from tests.lake import lake as make_lake

STAFF = [raw_row("staff", 1), raw_row("staff", 2)]
DEPARTMENT = [raw_row("department", 1, department_name="Sales", manager="Ann Other")]
CATALOGUE = load_catalogue()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with make_lake(tmp_path, monkeypatch) as made:
        repair_tables(made.clients, made.catalogue, made.catalogue.zones)
        yield made


def build(lake: Lake, **rows: Any) -> None:
    lake.capture(rows)
    lake.transform("dimensions")


def copy(lake: Lake, catalogue: Catalogue | None = None) -> Commit:
    assert redact(lake.clients, catalogue or lake.catalogue) == 0
    found = lake.log(REDACT).latest()
    assert found is not None
    return found


def contract_of(zone: str, table: str, catalogue: Catalogue = CATALOGUE) -> Contract:
    return next(one for one in catalogue.copies if (one.zone, one.table) == (zone, table))


def shown(lake: Lake, zone: str, table: str, catalogue: Catalogue = CATALOGUE) -> list[dict[str, Any]]:
    return lake.copied(contract_of(zone, table, catalogue))


def stages(lake: Lake, catalogue: Catalogue) -> dict[str, str | None]:
    """By key of a copy's object, why housekeeping would take it."""
    now = layout.utc_now()
    reachable = read(lake.clients, catalogue, now)
    return {
        entry["Key"]: reason_to_remove(
            Listed(entry["Key"], entry["Size"], now), reachable, layout.from_iso("2999-01-01")
        )
        for bucket in lake.buckets.values()
        for entry in lake.s3.list_objects_v2(Bucket=bucket, Prefix="redacted/").get("Contents", ())
    }


def personal(catalogue: Catalogue, table: str, column: str) -> Catalogue:
    """The contracts with one more column of a raw table personal."""
    raw = catalogue.raw[table]
    columns = tuple(c.model_copy(update={"personal": c.personal or c.name == column}) for c in raw.columns)
    changed = raw.model_copy(update={"columns": columns})
    return dataclasses.replace(catalogue, raw={**catalogue.raw, table: changed})


def test_a_copy_holds_every_row_and_no_personal_column(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    copy(lake)
    assert sorted(row["staff_id"] for row in shown(lake, "redacted_raw", "staff")) == [1, 2]
    (row,) = shown(lake, "redacted_raw", "department")
    assert (row["department_name"], "manager" in row, "unrepresentable" in row) == ("Sales", False, False)
    members = shown(lake, "redacted_star", "dim_staff")
    assert [(row["staff_id"], row["department_name"]) for row in members] == [(1, "Sales"), (2, "Sales")]
    assert not {"first_name", "last_name", "email_address"} & members[0].keys()


def test_a_commit_names_exactly_the_objects_of_its_prefixes(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    commit = copy(lake)
    for name, table in commit.tables.items():
        bucket = lake.buckets["ingestion" if name.startswith("raw/") else "processed"]
        for partition in table.partitions:
            found = lake.s3.list_objects_v2(Bucket=bucket, Prefix=partition.location)["Contents"]
            assert [entry["Key"] for entry in found] == [data.key for data in partition.objects]


def test_a_run_copies_what_is_new_and_a_second_one_nothing(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    first = copy(lake)
    assert copy(lake).sequence == first.sequence
    build(lake, department=[{**DEPARTMENT[0], "department_name": "Trade"}])
    second = copy(lake)
    assert set(second.tables) == {"raw/department", "star/dim_staff"}
    assert len(shown(lake, "redacted_raw", "department")) == 2
    assert {row["department_name"] for row in shown(lake, "redacted_star", "dim_staff")} == {"Trade"}
    assert not copies_wait(lake.clients, lake.catalogue)


def test_a_long_history_is_copied_in_commits_of_some_captures_each(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "BATCHES_AT_ONCE", 2)
    for number in range(5):
        lake.capture({"currency": [raw_row("currency", number)]})
    assert copy(lake).sequence == 3
    assert sorted(row["currency_id"] for row in shown(lake, "redacted_raw", "currency")) == [0, 1, 2, 3, 4]


def test_a_run_that_dies_before_its_commit_leaves_what_the_next_does_and_housekeeping_takes(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    with monkeypatch.context() as patch:
        patch.setattr(CommitLog, "publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            copy(lake)
    left = set(stages(lake, lake.catalogue))
    copy(lake)
    reasons = stages(lake, lake.catalogue)
    assert {reasons[key] for key in left} == {ABANDONED}
    assert {reason for key, reason in reasons.items() if key not in left} == {None}
    assert len(shown(lake, "redacted_raw", "staff")) == 2


def test_a_rebuild_makes_every_copy_again_and_takes_the_place_of_what_was(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    before = copy(lake)
    rebuilds.request(lake.clients)
    assert lake.dimensions() == 0
    after = copy(lake)
    assert set(after.tables) == set(before.tables)
    reasons = stages(lake, lake.catalogue)
    replaced = {data.key for table in before.tables.values() for data in table.objects}
    raw = {key for key in replaced if key.startswith("redacted/raw/")}
    assert {reasons[key] for key in raw} == {SUPERSEDED}
    assert {reason for key, reason in reasons.items() if key not in replaced} == {None}
    assert len(shown(lake, "redacted_raw", "staff")) == 2


def test_a_column_that_becomes_personal_leaves_every_copy_for_a_prefix_of_its_own(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    copy(lake)
    later = personal(lake.catalogue, "department", "location")
    old, new = (contract_of("redacted_raw", "department", one) for one in (lake.catalogue, later))
    assert old.prefix != new.prefix
    copy(lake, later)
    (row,) = shown(lake, "redacted_raw", "department", later)
    assert "location" not in row
    reasons = stages(lake, later)
    assert {reason for key, reason in reasons.items() if key.startswith(old.prefix)} == {SUPERSEDED}
    assert {reason for key, reason in reasons.items() if key.startswith(new.prefix)} == {None}


def test_the_catalog_shows_copies_as_commits_state_them_whatever_somebody_took_away(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    copy(lake)
    raw, star = contract_of("redacted_raw", "staff"), contract_of("redacted_star", "dim_staff")
    lake.glue.delete_table(DatabaseName=raw.zone_info.database, Name="staff")
    lake.glue.delete_table(DatabaseName=star.zone_info.database, Name="dim_staff")
    lake.glue.delete_table(DatabaseName=star.zone_info.database, Name="fact_payment_current")
    found = check_tables(lake.clients, lake.catalogue, lake.catalogue.zones)
    assert {fault.table for fault in found} == {"staff", "dim_staff", "fact_payment_current"}
    copy(lake)
    assert check_tables(lake.clients, lake.catalogue, lake.catalogue.zones) == []
    assert len(shown(lake, "redacted_raw", "staff")) == 2
    assert len(shown(lake, "redacted_star", "dim_staff")) == 2
    (kept,) = lake.glue.get_partitions(DatabaseName=raw.zone_info.database, TableName="staff")["Partitions"]
    lake.glue.delete_partition(
        DatabaseName=raw.zone_info.database, TableName="staff", PartitionValues=kept["Values"]
    )
    # Captures of this lake are not shown in the raw zone.
    faults = check_partitions(lake.clients, lake.catalogue)
    of_copies = [(fault.database, fault.table) for fault in faults if fault.database.endswith("_redacted")]
    assert of_copies == [(raw.zone_info.database, "staff")]
    repair_partitions(lake.clients, lake.catalogue)
    assert check_partitions(lake.clients, lake.catalogue) == []


def test_a_commit_reads_again_what_it_states(lake: Lake) -> None:
    build(lake, department=DEPARTMENT, staff=STAFF)
    commit = copy(lake)
    state = RedactionState.of(commit)
    assert RedactionState.of(dataclasses.replace(commit, state=state.state)) == state
    live: Mapping[str, int] = {
        one.prefix: sum(partition.rows for partition in found)
        for one, found in live_copies(lake.clients, lake.catalogue)
    }
    assert live[contract_of("redacted_star", "dim_staff").prefix] == 2
