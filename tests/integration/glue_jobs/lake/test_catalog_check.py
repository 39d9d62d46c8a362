"""Whatever is missing in the catalog, or reads differently there, is told and made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalog.catalogue import Catalogue, load_catalogue
from glue_jobs.lake.catalog_check import (
    check_partitions,
    check_tables,
    repair_partitions,
    repair_tables,
)
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog, Partition, TableCommit
from glue_jobs.lake.publish import publish
from glue_jobs.runtime.errors import UserError
from lakehouse.local_deployment import deploy_tables
from local_aws.endpoint.app import create_endpoint
from tests.night import at_night

BUCKETS = {"ingestion": "check-ingestion", "processed": "check-processed"}
STAMP = "2024-11-15T10:00:00.123Z"
ALL = tuple(load_catalogue().zones)


@dataclass
class Shown:
    """A lake with a commit of every stage, and the catalog that shows it."""

    s3: Any
    glue: Any
    catalogue: Catalogue

    @property
    def clients(self) -> LakeClients:
        return LakeClients(self.s3, self.glue, **BUCKETS)

    def check(self) -> list[str]:
        faults = check_tables(self.clients, self.catalogue, ALL)
        return [str(f) for f in (*faults, *check_partitions(self.clients, self.catalogue))]

    def repair(self) -> list[str]:
        faults = repair_tables(self.clients, self.catalogue, ALL)
        faults += repair_partitions(self.clients, self.catalogue)
        return [str(fault) for fault in faults]

    def table(self, database: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.glue.get_table(DatabaseName=database, Name=name)["Table"]
        return found

    def everything(self) -> dict[tuple[str, str], Any]:
        """What the catalog shows, but for when it was made."""
        return {
            (zone.database, table["Name"]): (
                {k: v for k, v in table.items() if "Time" not in k and k != "VersionId"},
                self._partitions(zone.database, table),
            )
            for zone in self.catalogue.zones.values()
            for table in self.glue.get_tables(DatabaseName=zone.database)["TableList"]
        }

    def _partitions(self, database: str, table: dict[str, Any]) -> list[tuple[list[str], str]]:
        if not table.get("PartitionKeys"):
            return []
        found = self.glue.get_partitions(DatabaseName=database, TableName=table["Name"])["Partitions"]
        return sorted((p["Values"], p["StorageDescriptor"]["Location"]) for p in found)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder: Path = tmp_path_factory.mktemp("check")
    with create_endpoint(folder) as endpoint:
        lake = Shown(endpoint.client("s3"), endpoint.client("glue"), load_catalogue())
        for bucket in BUCKETS.values():
            lake.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": endpoint.region}
            )
        deploy_tables(lake.glue, lake.catalogue, BUCKETS)
        for batch in (1, 2):
            at = f"captured_date=2024-11-15/batch={batch}/attempt=a/"
            values = {"captured_date": "2024-11-15", "batch": str(batch)}
            staff = Partition(values, f"raw/staff/{at}", ())
            letters = Partition(values, f"dead_letter/staff/{at}", ())
            held = Partition(values, f"dead_letter/held_rows/{at}", ())
            capture = {
                "staff": TableCommit(partitions=(staff,)),
                "design": TableCommit(dead_letters=(held,)),
            }
            label = f"{batch:010d}-a"
            months = {f"created_month=2024-{month:02d}": label for month in (10, 11)}
            for stage, tables in (
                ("capture", capture),
                ("validate", {"staff": TableCommit(dead_letters=(letters,))}),
                ("dimensions", {"dim_staff": TableCommit(versions={"": label})}),
                ("facts", {"fact_payment": TableCommit(versions=months)}),
                ("load", {"fact_payment": TableCommit({"read": 1})}),
            ):
                commit = Commit(stage, batch, "a", STAMP, batch, batch, tables, {"captured_at": STAMP})
                CommitLog(lake.s3, BUCKETS["ingestion"], stage).publish(commit)
                publish(lake.clients, lake.catalogue, commit)
        yield lake


def test_what_is_deployed_and_published_has_no_fault(shown: Shown) -> None:
    assert shown.check() == []
    assert shown.repair() == []


def test_every_table_and_view_that_is_dropped_is_told_and_made_again_with_its_partitions(
    shown: Shown,
) -> None:
    before = shown.everything()
    for database, name in before:
        shown.glue.delete_table(DatabaseName=database, Name=name)
    told = {f"{database}.{name} is missing in the catalog" for database, name in before}

    assert set(shown.check()) == told
    assert set(shown.repair()) == told
    assert shown.everything() == before


CHANGES: dict[str, tuple[str, str, Callable[[dict[str, Any]], object], str]] = {
    "a column of another type": (
        "shop_star",
        "fact_payment",
        lambda t: t["StorageDescriptor"]["Columns"][3].update(Type="binary"),
        "StorageDescriptor",
    ),
    "a column less": (
        "shop_raw",
        "staff",
        lambda t: t["StorageDescriptor"]["Columns"].pop(),
        "StorageDescriptor",
    ),
    "a column more": (
        "shop_dead_letter",
        "staff",
        lambda t: t["StorageDescriptor"]["Columns"].append({"Name": "x", "Type": "int"}),
        "StorageDescriptor",
    ),
    "another format": (
        "shop_star",
        "dim_staff",
        lambda t: t["StorageDescriptor"]["SerdeInfo"].update(SerializationLibrary="org.other"),
        "StorageDescriptor",
    ),
    "other properties": ("shop_ops", "heartbeats", lambda t: t["Parameters"].clear(), "Parameters"),
    "a view of another text": (
        "shop_star",
        "fact_payment_current",
        lambda t: t.update(ViewOriginalText="/* Presto View: e30= */"),
        "ViewOriginalText",
    ),
    "a table in a view's place": (
        "shop_star",
        "fact_payment_history",
        lambda t: t.update(TableType="EXTERNAL_TABLE"),
        "TableType",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_table_or_view_that_reads_differently_is_told_and_set_right(shown: Shown, name: str) -> None:
    database, table, change, where = CHANGES[name]
    before = shown.everything()
    stated = {
        key: value
        for key, value in shown.table(database, table).items()
        if "Time" not in key and key not in ("DatabaseName", "VersionId", "CatalogId", "CreatedBy")
    }
    change(stated)
    shown.glue.update_table(DatabaseName=database, TableInput=stated)

    told = [f"{database}.{table} is not in the catalog as it should be: {where}"]
    assert shown.check() == told
    assert shown.repair() == told
    assert shown.everything() == before


@pytest.mark.parametrize(
    ("database", "table", "values"),
    [
        ("shop_raw", "staff", ["2024-11-15", "1"]),
        at_night("shop_dead_letter", "staff", ["2024-11-15", "2"]),
        at_night("shop_dead_letter", "held_rows", ["2024-11-15", "1"]),
        ("shop_star", "fact_payment", ["2024-10"]),
        ("shop_ops", "batch_records", ["load", "2024-11-15"]),
    ],
)
def test_a_partition_that_is_missing_elsewhere_or_of_no_commit_is_told_and_set_right(
    shown: Shown, database: str, table: str, values: list[str]
) -> None:
    before, where = shown.everything(), {"DatabaseName": database, "TableName": table}
    place = f"{database}.{table} is not in the catalog as it should be: 1 partitions"
    partition = shown.glue.get_partition(**where, PartitionValues=values)["Partition"]
    stated = {"Values": values, "StorageDescriptor": partition["StorageDescriptor"]}

    shown.glue.delete_partition(**where, PartitionValues=values)
    assert shown.check() == shown.repair() == [f"{place} missing: {'/'.join(values)}"]
    assert shown.everything() == before

    moved = {**stated["StorageDescriptor"], "Location": f"s3://{BUCKETS['ingestion']}/elsewhere/"}
    shown.glue.update_partition(
        **where, PartitionValueList=values, PartitionInput={**stated, "StorageDescriptor": moved}
    )
    assert shown.check() == shown.repair() == [f"{place} elsewhere: {'/'.join(values)}"]
    assert shown.everything() == before

    if database == "shop_ops":
        return
    more = [*values[:-1], "2031-01" if table == "fact_payment" else "77"]
    shown.glue.create_partition(**where, PartitionInput={**stated, "Values": more})
    assert shown.check() == shown.repair() == [f"{place} of no commit: {'/'.join(more)}"]
    assert shown.everything() == before


def test_a_dimension_that_points_to_another_version_is_told_and_set_right(shown: Shown) -> None:
    before = shown.everything()
    old = shown.table("shop_star", "dim_staff")["StorageDescriptor"]
    stated = {
        "Name": "dim_staff",
        "StorageDescriptor": {**old, "Location": old["Location"].replace("2-a", "1-a")},
    }
    for key in ("Description", "Owner", "TableType", "Parameters", "PartitionKeys"):
        stated[key] = shown.table("shop_star", "dim_staff")[key]
    shown.glue.update_table(DatabaseName="shop_star", TableInput=stated)

    (told,) = shown.check()

    assert told.endswith("1 partitions elsewhere: the whole table")
    assert shown.repair() == [told]
    assert shown.everything() == before


@pytest.mark.parametrize(
    ("stage", "database", "table"),
    [
        ("capture", "shop_raw", "staff"),
        ("capture", "shop_star", "fact_payment_current"),
        ("validate", "shop_dead_letter", "staff"),
        ("dimensions", "shop_star", "dim_staff"),
        ("facts", "shop_star", "fact_payment"),
        ("load", "shop_ops", "batch_records"),
    ],
)
def test_a_run_makes_again_what_it_needs_before_it_publishes(
    shown: Shown, stage: str, database: str, table: str
) -> None:
    before = shown.everything()
    shown.glue.delete_table(DatabaseName=database, Name=table)
    latest = CommitLog(shown.s3, BUCKETS["ingestion"], stage).latest()
    assert latest is not None

    publish(shown.clients, shown.catalogue, latest)

    assert shown.everything() == before


def test_a_database_that_is_missing_is_told_in_words(shown: Shown) -> None:
    shown.glue.delete_database(Name="shop_star")
    with pytest.raises(UserError, match="The catalog has no database shop_star"):
        shown.check()
