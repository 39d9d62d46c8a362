"""What the measurement of a batch's cost stands on: like histories, batches of a hundred, honest ratios."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.cost_of_change import TIMES_LARGER, History, batch, by_day, histories, table
from catalog.catalogue import load_catalogue, read_catalogue
from catalog.project import contracts_folder


@pytest.mark.parametrize("rows", [1, 20_000, 2_000_000])
def test_the_larger_history_has_the_same_days_and_larger_partitions(rows: int) -> None:
    smaller, larger = histories(rows)
    assert larger.days == smaller.days
    assert larger.a_day == TIMES_LARGER * smaller.a_day
    assert smaller.a_day * smaller.days == smaller.orders


def test_two_million_rows_mean_one_and_twenty_million_orders() -> None:
    assert [history.orders for history in histories(2_000_000)] == [1_000_000, 20_000_000]


def test_a_batch_has_a_hundred_rows_and_another_one_has_others() -> None:
    history = History(10_000, 50)
    first, second = (batch(load_catalogue(), history, number) for number in (0, 1))
    assert sum(len(rows) for rows in first.values()) == 100
    for name in ("sales_order", "payment"):
        keys = [set(made[name].column(0).to_pylist()) for made in (first, second)]
        assert len(keys[0]) == len(first[name])
        assert not keys[0] & keys[1]


def test_a_batch_keeps_the_rules_that_reject() -> None:
    transactions = batch(load_catalogue(), History(10_000, 50), 0)["transaction"]
    assert transactions["purchase_order_id"].null_count == len(transactions)
    assert transactions["sales_order_id"].null_count == 0


def test_the_large_tables_are_cut_by_day(tmp_path: Path) -> None:
    shutil.copytree(contracts_folder(), tmp_path / "contracts")
    by_day(tmp_path / "contracts")
    cut = read_catalogue(tmp_path / "contracts").star["fact_sales_order"].partition
    assert cut is not None
    assert (cut.name, cut.granularity) == ("created_day", "day")


def test_the_report_states_what_is_promised_and_a_broken_promise() -> None:
    sizes = histories(20_000)

    def taken(cpu_seconds: float) -> dict[str, float]:
        return {"seconds": 4.5, "cpu_seconds": cpu_seconds, "peak_mb": 250, "load": 0.5}

    rows = table(sizes, [[taken(3.0), taken(9.0), taken(3.0)], [taken(3.9)]], ["yes", "yes"])
    assert [row.name.partition(": ")[2] for row in rows] == ["transform", "load"] * 2
    assert [row.cpu_seconds for row in rows] == [3.0, None, 3.9, None]
    assert rows[2].note == (
        "3.90 CPU seconds of 4: kept; 4.50 s of 5: kept; 250.00 MB of 300: kept; "
        "1.30 times the smaller history's CPU seconds of 1.2: NOT KEPT"
    )
