"""Glue and the ops zone show what was committed, however often and by whomever they are told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pyarrow.dataset as ds
import pytest

from glue_jobs.lake import publish
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog, DataObject, Partition, TableCommit
from glue_jobs.lake.partitions import PublishError, register_live, register_new

from .conftest import BUCKETS, Lake

STAMP = "2024-11-15T10:00:00.123Z"


def _locations(lake: Lake, database: str, table: str) -> dict[str, str]:
    found = lake.glue.get_partitions(DatabaseName=database, TableName=table)["Partitions"]
    return {"/".join(p["Values"]): p["StorageDescriptor"]["Location"] for p in found}


def _publish(lake: Lake, commit: Commit, *, committed: bool = True) -> None:
    if committed:
        CommitLog(lake.s3, BUCKETS["ingestion"], commit.stage).publish(commit)
    publish.publish(lake.clients, lake.catalogue, commit, 1.5)


def test_a_capture_registers_its_partition_once(lake: Lake) -> None:
    data = DataObject("raw/staff/captured_date=2024-11-15/batch=1/attempt=a/part-00000.parquet", 20, 900, "c")
    partition = Partition(
        {"captured_date": "2024-11-15", "batch": "1"},
        "raw/staff/captured_date=2024-11-15/batch=1/attempt=a/",
        (data,),
    )
    table = TableCommit({"read": 20, "accepted": 20, "new": 20}, (partition,))
    commit = Commit("capture", 1, "a", STAMP, 1, 1, {"staff": table}, {"captured_at": STAMP})
    _publish(lake, commit)
    _publish(lake, commit)
    assert _locations(lake, "shop_raw", "staff") == {
        "2024-11-15/1": "s3://an-ingestion/raw/staff/captured_date=2024-11-15/batch=1/attempt=a/"
    }


def test_an_ops_record_is_written_once_and_typed_by_contract(lake: Lake) -> None:
    table = TableCommit({"read": 7, "accepted": 6, "rejected": 1}, ())
    commit = Commit("validate", 1, "a", STAMP, 1, 2, {"staff": table, "design": table})
    _publish(lake, commit)
    _publish(lake, commit, committed=False)
    folder = lake.folder / "s3" / BUCKETS["ingestion"] / "ops/batch_records/stage=validate"
    rows = ds.dataset(folder).to_table().to_pylist()
    assert [(row["table_name"], row["rows_read"], row["rows_rejected"]) for row in rows] == [
        ("design", 7, 1),
        ("staff", 7, 1),
    ]
    assert {str(row["seconds"]) for row in rows} == {"1.500"}
    assert rows[0]["committed_at"].isoformat() == "2024-11-15T10:00:00.123000"
    assert "validate/2024-11-15" in _locations(lake, "shop_ops", "batch_records")


def _facts(sequence: int, versions: dict[str, str]) -> Commit:
    tables = {"fact_payment": TableCommit({}, versions=versions)}
    return Commit("facts", sequence, f"a{sequence}", STAMP, sequence, sequence, tables)


def test_partitions_are_swapped_to_their_live_version(lake: Lake) -> None:
    first = _facts(1, {"created_month=2024-10": "0000000001-a1", "created_month=2024-11": "0000000001-a1"})
    second = _facts(2, {"created_month=2024-10": "0000000001-a1", "created_month=2024-11": "0000000002-a2"})
    root = "s3://a-processed/star/fact_payment"
    _publish(lake, first)
    _publish(lake, second)
    live = {
        "2024-10": f"{root}/created_month=2024-10/version=0000000001-a1/",
        "2024-11": f"{root}/created_month=2024-11/version=0000000002-a2/",
    }
    assert _locations(lake, "shop_star", "fact_payment") == live

    # A stalled run wakes up after its successor: it must not put the old state back.
    _publish(lake, first, committed=False)
    assert _locations(lake, "shop_star", "fact_payment") == live

    # Whatever a stalled run did put back is set right by the next projection.
    contract = lake.catalogue.star["fact_payment"]
    register_live(lake.clients, contract, first.tables["fact_payment"])
    assert _locations(lake, "shop_star", "fact_payment") != live
    _publish(lake, second, committed=False)
    assert _locations(lake, "shop_star", "fact_payment") == live


def test_of_a_commit_that_was_just_made_only_what_it_wrote_is_compared(lake: Lake) -> None:
    contract = lake.catalogue.star["fact_payment"]
    months = ("2024-10", "2024-11")
    first = TableCommit({}, versions={f"created_month={month}": "v1" for month in months})
    register_live(lake.clients, contract, first)
    versions = {f"created_month={month}": "v2" for month in (*months, "2024-12")}
    written = {"created_month=2024-11", "created_month=2024-12"}
    asked: list[str] = []
    lake.glue.meta.events.register(
        "before-call.glue", lambda model, **_: asked.append(model.name), unique_id="spy"
    )
    register_live(lake.clients, contract, TableCommit({}, versions=versions), written)
    lake.glue.meta.events.unregister("before-call.glue", unique_id="spy")
    assert asked == ["BatchGetPartition", "BatchCreatePartition", "BatchUpdatePartition"]
    shown = _locations(lake, "shop_star", "fact_payment")
    labels = {month: location.rsplit("/", 2)[1] for month, location in shown.items()}
    assert labels == {"2024-10": "version=v1", "2024-11": "version=v2", "2024-12": "version=v2"}


def test_more_partitions_than_a_request_takes_are_all_registered(lake: Lake) -> None:
    contract = lake.catalogue.star["fact_sales_order"]
    months = [f"{year}-{month:02d}" for year in range(2010, 2030) for month in range(1, 13)]
    for label in ("v1", "v2"):
        table = TableCommit({}, versions={f"created_month={month}": label for month in months})
        register_live(lake.clients, contract, table)
        paginator = lake.glue.get_paginator("get_partitions")
        pages = paginator.paginate(DatabaseName="shop_star", TableName=contract.table)
        shown = {p["Values"][0]: p["StorageDescriptor"]["Location"] for q in pages for p in q["Partitions"]}
        assert sorted(shown) == months
        assert {location.rsplit("/", 2)[1] for location in shown.values()} == {f"version={label}"}


def test_a_table_without_partitions_moves_to_its_live_version(lake: Lake) -> None:
    for sequence in (1, 2):
        tables = {
            "dim_staff": TableCommit({}, versions={"": f"v{sequence}"}),
            "_current/staff": TableCommit({}, versions={"": f"v{sequence}"}),
        }
        _publish(lake, Commit("dimensions", sequence, "a", STAMP, sequence, sequence, tables))
        table = lake.glue.get_table(DatabaseName="shop_star", Name="dim_staff")["Table"]
        assert (
            table["StorageDescriptor"]["Location"] == f"s3://a-processed/star/dim_staff/version=v{sequence}/"
        )


def _refusing(code: str) -> LakeClients:
    """Glue as it answers a batch of which it refused one item."""
    answer = {"Errors": [{"PartitionValues": ["x"], "ErrorDetail": {"ErrorCode": code}}]}
    glue: Any = SimpleNamespace(batch_create_partition=lambda **_: answer)
    return LakeClients(glue, glue, "b")


def test_a_refused_partition_is_an_error_and_an_existing_one_is_not(lake: Lake) -> None:
    contract = lake.catalogue.raw["staff"]
    partition = Partition({"captured_date": "2024-11-15", "batch": "1"}, "raw/staff/x/", ())
    register_new(_refusing("AlreadyExistsException"), contract, [partition])
    with pytest.raises(PublishError, match="refused partitions of staff: InternalServiceException"):
        register_new(_refusing("InternalServiceException"), contract, [partition])


def test_the_projection_of_an_unchanged_commit_writes_nothing(lake: Lake) -> None:
    commit = replace(_facts(3, {"created_month=2024-11": "0000000003-a3"}))
    _publish(lake, commit)
    writes: list[str] = []
    lake.glue.meta.events.register(
        "before-call.glue", lambda model, **_: writes.append(model.name), unique_id="spy"
    )
    contract = lake.catalogue.star["fact_payment"]
    register_live(lake.clients, contract, commit.tables["fact_payment"])
    lake.glue.meta.events.unregister("before-call.glue", unique_id="spy")
    assert writes == ["GetPartitions"]
