"""The real business data goes from CSV files through the whole pipeline and arrives to row and penny."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from .stack_cli import Stack

pytestmark = pytest.mark.slow

TABLES = {
    "fact_sales_order": 11_187,
    "fact_purchase_orders": 4_649,
    "fact_payment": 15_836,
    "dim_transaction": 15_836,
    "dim_design": 473,
    "dim_counterparty": 20,
    "dim_staff": 20,
    "dim_location": 30,
    "dim_currency": 3,
    "dim_payment_type": 4,
}


@pytest.fixture(scope="module")
def stack(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("real") / "state")
    stack.lakehouse("up", "--data", str(shared_data))
    try:
        stack.lakehouse("run")
        yield stack
    finally:
        stack.lakehouse("down")


def _rows(shared_data: Path, table: str) -> list[dict[str, str]]:
    with gzip.open(shared_data / f"{table}.csv.gz", "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("table", TABLES)
def test_every_row_arrives_in_lake_and_warehouse(stack: Stack, table: str) -> None:
    (lake,) = stack.sql(f"SELECT count(*) AS n FROM {table}")
    with stack.warehouse() as warehouse:
        stored = warehouse.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert (lake["n"], stored) == (TABLES[table], (TABLES[table],))


def test_sales_by_currency_are_right_to_the_penny(stack: Stack) -> None:
    query = (
        "SELECT c.currency_code AS code, sum(f.units_sold * f.unit_price) AS revenue FROM {f} f "
        "JOIN dim_currency c ON c.currency_id = f.currency_id GROUP BY c.currency_code"
    )
    expected = {
        "GBP": Decimal("543550705.50"),
        "USD": Decimal("575687991.30"),
        "EUR": Decimal("567792732.95"),
    }
    lake = {row["code"]: row["revenue"] for row in stack.sql(query.format(f="fact_sales_order"))}
    assert lake == expected
    with stack.warehouse() as warehouse:
        rows = warehouse.execute(query.format(f="fact_sales_order_current")).fetchall()
    assert dict(rows) == expected


def test_no_row_of_it_is_rejected(stack: Stack) -> None:
    assert stack.told("dead-letters") == []
    (judged,) = stack.sql("SELECT sum(rows_rejected) AS n FROM totesys_ops.batch_records")
    assert judged == {"n": 0}


def test_each_value_of_a_sales_order_equals_the_file(stack: Stack, shared_data: Path) -> None:
    names = ["sales_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time"]
    names += ["sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id"]
    names += ["agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id"]
    expected = {}
    for row in _rows(shared_data, "sales_order"):
        created, updated = row["created_at"].split(), row["last_updated"].split()
        expected[int(row["sales_order_id"])] = (
            *(row["sales_order_id"], created[0], _millis(created[1]), updated[0], _millis(updated[1])),
            *(row["staff_id"], row["counterparty_id"], row["units_sold"], row["unit_price"]),
            *(row["currency_id"], row["design_id"], row["agreed_payment_date"]),
            *(row["agreed_delivery_date"], row["agreed_delivery_location_id"]),
        )
    lake = {
        row["sales_order_id"]: tuple(str(row[name]) for name in names)
        for row in stack.sql(f"SELECT {', '.join(names)} FROM fact_sales_order")
    }
    assert lake == expected
    with stack.warehouse() as warehouse:
        text = ", ".join(f"{name}::text" for name in names)
        stored = {
            int(row[0]): (*row[:2], _millis(row[2]), row[3], _millis(row[4]), *row[5:])
            for row in warehouse.execute(f"SELECT {text} FROM fact_sales_order").fetchall()
        }
    assert stored == expected


def _millis(time: str) -> str:
    """A time of day with exactly three digits, however many zeros were left out."""
    whole, _, fraction = time.partition(".")
    return f"{whole}.{fraction.ljust(3, '0')}"


def test_source_lake_and_warehouse_are_reconciled_to_the_row(stack: Stack) -> None:
    told = stack.told("reconcile")
    assert told["verdict"] == "equal"
    assert {t["table"] for t in told["tables"]} >= {*TABLES, "dim_date", "sales_order", "payment"}


def test_the_same_run_again_gives_nothing(stack: Stack) -> None:
    before = stack.told("status")
    stack.lakehouse("run")
    after = stack.told("status")
    assert [s["last_batch"] for s in after["stages"]] == [s["last_batch"] for s in before["stages"]]


def test_what_happens_in_the_business_is_seen_once(stack: Stack) -> None:
    """A silent amendment, a changed department and a deletion, each captured by the next run."""
    with stack.source() as source:
        source.execute("UPDATE sales_order SET design_id = design_id % 400 + 1 WHERE sales_order_id = 17")
        source.execute("UPDATE department SET location = 'York' WHERE department_name = 'Purchasing'")
        source.execute("DELETE FROM payment WHERE payment_id = 15836")
    stack.lakehouse("run")

    versions = stack.sql(
        "SELECT design_id, is_deleted FROM fact_sales_order WHERE sales_order_id = 17 ORDER BY batch_sequence"
    )
    assert len(versions) == 2
    assert versions[1]["design_id"] == versions[0]["design_id"] % 400 + 1
    (staff,) = stack.sql("SELECT count(*) AS n FROM dim_staff WHERE location = 'York'")
    assert staff["n"] == 5
    payment = stack.sql(
        "SELECT is_deleted FROM fact_payment WHERE payment_id = 15836 ORDER BY batch_sequence"
    )
    assert [row["is_deleted"] for row in payment] == [False, True]

    with stack.warehouse() as warehouse:
        for query, expected in [
            ("SELECT count(*) FROM fact_sales_order WHERE sales_order_id = 17", 2),
            ("SELECT count(*) FROM fact_sales_order_current WHERE sales_order_id = 17", 1),
            ("SELECT count(*) FROM fact_sales_order_current", 11_187),
            ("SELECT count(*) FROM fact_sales_order", 11_188),
            ("SELECT count(*) FROM fact_payment_current", 15_835),
            ("SELECT count(*) FROM dim_staff WHERE location = 'York'", 5),
        ]:
            assert warehouse.execute(query).fetchone() == (expected,), query
    assert stack.told("reconcile")["verdict"] == "equal"


def test_the_stack_that_was_taken_down_comes_back_with_everything(stack: Stack) -> None:
    (before,) = stack.sql("SELECT count(*) AS n FROM fact_sales_order")
    stack.lakehouse("down")
    stack.lakehouse("up")
    (after,) = stack.sql("SELECT count(*) AS n FROM fact_sales_order")
    assert after == before
    assert stack.told("reconcile")["verdict"] == "equal"
