"""What analysts read of the lake, asked through Athena, against what they read of the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from glue_jobs.reconciliation.reconciliation_report import (
    DIFFERENT,
    EQUAL,
    UNREAD,
    WAITING,
    Comparison,
    Report,
)
from glue_jobs.reconciliation.views import ShownView, compare_views
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.integration.glue_jobs.reconciliation.world import World
from tests.night import by_day

from .conftest import new_world

STAR = "shop_star"
PAYMENT = {"DatabaseName": STAR, "TableName": "fact_payment"}
CURRENT = (
    "CREATE OR REPLACE VIEW fact_payment_current AS SELECT *, false AS has_rejected_change FROM fact_payment"
)
SEVEN = "WHERE payment_id = 7"
MOVED = "first_name = first_name || left(last_name, 1), last_name = substr(last_name, 2)"
REST = "currency_code, currency_name, batch_sequence, captured_at, is_deleted, is_inferred"

PLANTS = {
    "a view that leaves a row out": (f"{CURRENT} WHERE payment_id <> 7", "fact_payment", "missing"),
    "a view that shows a row twice": (
        f"{CURRENT} UNION ALL SELECT *, false FROM fact_payment {SEVEN}",
        "fact_payment",
        "repeated",
    ),
    "a cent": (
        f"UPDATE fact_payment SET payment_amount = payment_amount + 0.01 {SEVEN}",
        "fact_payment",
        "different",
    ),
    "less than the lake's type has room for": (
        f"UPDATE fact_payment SET created_time = created_time + interval '1 microsecond' {SEVEN}",
        "fact_payment",
        "different",
    ),
    "letters read in another encoding": (
        "UPDATE dim_staff SET first_name = convert_from('São'::bytea, 'LATIN1') WHERE staff_id = 3",
        "dim_staff",
        "different",
    ),
    "letters that look alike": (
        "UPDATE dim_staff SET first_name = normalize(first_name || 'ã', NFD) WHERE staff_id = 3",
        "dim_staff",
        "different",
    ),
    "a blank": (
        "UPDATE dim_staff SET first_name = first_name || ' ' WHERE staff_id = 3",
        "dim_staff",
        "different",
    ),
    "an empty text where there was none": (
        "UPDATE dim_location SET district = '' WHERE district IS NULL",
        "dim_location",
        "different",
    ),
    "a letter moved to the next column": (
        f"UPDATE dim_staff SET {MOVED} WHERE staff_id = 3",
        "dim_staff",
        "different",
    ),
    "a row too many": (
        f"INSERT INTO dim_currency SELECT 9999, {REST} FROM dim_currency WHERE currency_id = 1",
        "dim_currency",
        "extra",
    ),
    "a day": ("DELETE FROM dim_date WHERE date_id = '2022-01-01'", "dim_date", "missing"),
    "a deletion": ("UPDATE dim_design SET is_deleted = true WHERE design_id = 12", "dim_design", "different"),
}
"""By what is wrong in the warehouse: the statement, the table, and as what it is found."""


@pytest.fixture(scope="module")
def shown(server: EmbeddedPostgres, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all: what a test changes it takes back, but for the last one."""
    with new_world(server, tmp_path_factory.mktemp("shown"), base, with_athena=True) as made:
        yield made


def compared(world: World, table: str, statement: str = "") -> Comparison:
    """One table, after a statement that the warehouse takes back afterwards."""
    with psycopg.connect(world.warehouse) as connection:
        if statement:
            connection.execute(statement.encode())
        assert world.athena is not None
        comparison, _ = compare_views(
            ShownView.of(world.catalogue.star[table]),
            world.athena.ask,
            lambda sql: connection.execute(sql.encode()).fetchall(),
            "public",
        )
        connection.rollback()
    return comparison


def seen(report: Report, name: str) -> Comparison:
    """What Athena and the warehouse show of a table."""
    found = next(table for table in report.tables if table.table == name)
    return next(c for c in found.comparisons if c.left == "athena")


@contextmanager
def without(world: World, name: str) -> Iterator[dict[str, Any]]:
    """The catalog without a table or view, for a moment; gives what it was."""
    stated = world.glue.get_table(DatabaseName=STAR, Name=name)["Table"]
    partitions = (
        []
        if "ViewOriginalText" in stated
        else world.glue.get_partitions(DatabaseName=STAR, TableName=name)["Partitions"]
    )
    assert not partitions
    kept: tuple[str, ...] = (
        "Name",
        "Description",
        "Owner",
        "TableType",
        "Parameters",
        "PartitionKeys",
        "StorageDescriptor",
    )
    kept += ("ViewOriginalText", "ViewExpandedText")
    table = {key: stated[key] for key in kept if key in stated}
    world.glue.delete_table(DatabaseName=STAR, Name=name)
    yield table
    world.glue.create_table(DatabaseName=STAR, TableInput=table)


def test_athena_and_the_warehouse_show_the_same(shown: World) -> None:
    report = shown.reconcile()

    assert report.verdict == EQUAL, report.as_text()
    assert report.catalog_faults == ()
    for table in (table for table in report.tables if table.zone == "star"):
        assert seen(report, table.table).verdict == EQUAL
        assert table.athena >= table.lake


@pytest.mark.parametrize(
    "name", by_day(["a view that leaves a row out", "a cent", "a deletion"], PLANTS.keys())
)
def test_what_is_not_the_same_is_found(shown: World, name: str) -> None:
    statement, table, kind = PLANTS[name]

    found = compared(shown, table, statement)

    assert found.verdict == DIFFERENT
    assert {example.kind for example in found.examples} == {kind}
    assert getattr(found, kind) == found.total


def test_a_partition_that_the_catalog_does_not_show_is_found(shown: World) -> None:
    (partition,) = shown.glue.get_partitions(**PAYMENT)["Partitions"]
    shown.glue.delete_partition(**PAYMENT, PartitionValues=partition["Values"])

    found = compared(shown, "fact_payment")

    assert (found.extra, found.missing, found.verdict) == (60, 0, DIFFERENT)
    stated = {key: partition[key] for key in ("Values", "StorageDescriptor")}
    shown.glue.create_partition(**PAYMENT, PartitionInput=stated)
    assert compared(shown, "fact_payment").verdict == EQUAL


def test_a_view_of_the_lake_that_says_something_else_is_found(shown: World) -> None:
    with without(shown, "fact_payment_current") as right:
        wrong = shown.glue.get_table(DatabaseName=STAR, Name="fact_sales_order_current")["Table"]
        shown.glue.create_table(
            DatabaseName=STAR,
            TableInput={**right, "ViewOriginalText": wrong["ViewOriginalText"]},
        )
        report = shown.reconcile()
        shown.glue.delete_table(DatabaseName=STAR, Name="fact_payment_current")

    assert {t.table: t.verdict for t in report.tables if t.verdict != EQUAL} == {"fact_payment": UNREAD}
    (fault,) = report.catalog_faults
    assert "fact_payment_current is not in the catalog as it should be: ViewOriginalText" in fault


@pytest.mark.slow
def test_a_table_that_the_catalog_lacks_keeps_no_other_from_being_compared(shown: World) -> None:
    with without(shown, "dim_staff"):
        report = shown.reconcile()

    assert {t.table: t.verdict for t in report.tables if t.verdict != EQUAL} == {"dim_staff": UNREAD}
    assert "star.dim_staff: not compared: Athena does not answer" in report.as_text()
    assert report.catalog_faults == ("shop_star.dim_staff is missing in the catalog",)
    assert report.verdict == DIFFERENT


def test_what_the_load_has_yet_to_bring_is_waiting(shown: World) -> None:
    rows = shown.star_rows()["dim_staff"]
    shown.build({"dim_staff": [{**rows[0], "location": "Leeds", "batch_sequence": 2}, *rows[1:]]})

    found = seen(shown.reconcile(), "dim_staff")

    assert (found.verdict, found.different, found.waiting) == (WAITING, 1, 1)
