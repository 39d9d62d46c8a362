"""When a day's rows are unusual: against the same day of the weeks before, and never where there are few."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from glue_jobs.reconciliation.volume import UnusualDay, read_counts, statement, unusual_days

MONDAY = date(2026, 11, 30)


def weeks(*rows: int, day: date = MONDAY) -> dict[tuple[str, date], int]:
    """By table and day the rows of a Monday and those before it, the latest first."""
    return {("payment", day - timedelta(days=7 * number)): count for number, count in enumerate(rows)}


@pytest.mark.parametrize(
    ("rows", "is_unusual"),
    [
        ((100, 100, 100, 100, 100), False),
        # Less than a quarter of the least, more than four times the most.
        ((0, 100, 100, 100, 100), True),
        ((24, 100, 100, 100, 100), True),
        ((25, 100, 100, 100, 100), False),
        ((400, 100, 100, 100, 100), False),
        ((401, 100, 100, 100, 100), True),
        # One quiet week, and quiet is usual; one flood, and so are floods.
        ((0, 100, 0, 100, 100), False),
        ((500, 100, 100, 100, 1000), False),
        # Few rows are no volume.
        ((0, 19, 19, 19, 19), False),
        ((0, 20, 20, 20, 20), True),
        ((19, 1, 1, 1, 1), False),
        ((20, 1, 1, 1, 1), True),
        # Nothing for four weeks, then a flood.
        ((20, 0, 0, 0, 0), True),
        # A table is not judged before it has four weeks.
        ((0, 100, 100, 100), False),
        ((1000,), False),
        ((), False),
    ],
)
def test_a_day_is_compared_with_the_same_day_of_four_weeks(rows: tuple[int, ...], is_unusual: bool) -> None:
    found = unusual_days(weeks(*rows), ["payment"], MONDAY)
    assert found == ([UnusualDay("payment", rows[0], rows[1:])] if is_unusual else [])


def test_a_weekend_is_compared_with_weekends() -> None:
    counts = weeks(0, 0, 0, 0, 0, day=MONDAY - timedelta(days=1)) | weeks(100, 100, 100, 100, 100)
    for day in (MONDAY, MONDAY - timedelta(days=1)):
        assert unusual_days(counts, ["payment"], day) == []


def test_each_table_is_judged_by_itself() -> None:
    counts = weeks(0, 100, 100, 100, 100) | {
        ("design", day): rows for (_, day), rows in weeks(5, 100, 100, 100, 100).items()
    }
    assert [one.table for one in unusual_days(counts, ["design", "payment", "staff"], MONDAY)] == [
        "design",
        "payment",
    ]


def test_counts_are_read_of_the_days_that_are_looked_at() -> None:
    asked: list[str] = []

    def ask(sql: str) -> list[tuple[str, str, str]]:
        asked.append(sql)
        return [("payment", "2026-11-30", "7")]

    assert read_counts(ask, "shop_ops", MONDAY) == {("payment", MONDAY): 7}
    assert asked == [statement("shop_ops", MONDAY)]
    assert "BETWEEN DATE '2026-11-02' AND DATE '2026-11-30'" in asked[0]
