"""What the measurement of a batch's cost stands on: like histories, batches of a hundred, honest ratios."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cost_of_change import PARTS, TIMES_LARGER, History, batch, by_day, histories, table
from catalog.catalogue import load_catalogue


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


def test_the_large_tables_are_cut_by_day(tmp_path: Path) -> None:
    cut = by_day(tmp_path / "contracts").star["fact_sales_order"].partition
    assert cut is not None
    assert (cut.name, cut.grain) == ("created_day", "day")


def test_the_report_states_the_ratio_and_a_broken_promise() -> None:
    sizes = histories(20_000)
    fast, slow = dict.fromkeys(PARTS, 1.0), dict.fromkeys(PARTS, 2.0)
    rows = table(sizes, [[fast, fast, slow], [slow]], ["yes", "yes"])
    assert [row.seconds for row in rows] == [1, 1, 1, 3, 2, 2, 2, 6]
    assert rows[-1].note == "2.00 times the smaller history's; promised: at most 1.5, NOT KEPT"
    kept = table(sizes, [[fast], [fast]], ["yes", "yes"])
    assert kept[-1].note.endswith("kept")
