"""Ranges of days by name: what they are on a day, and what lies before them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bi.periods import EVERYTHING, OWN, PERIODS, Range, chosen_range

TODAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("name", "today", "first", "last"),
    [
        ("this_month", TODAY, "2026-11-01", "2026-11-30"),
        ("last_month", date(2026, 1, 31), "2025-12-01", "2025-12-31"),
        ("last_month", date(2024, 3, 30), "2024-02-01", "2024-02-29"),
        ("last_30_days", TODAY, "2026-11-01", "2026-11-30"),
        ("last_90_days", TODAY, "2026-09-02", "2026-11-30"),
        ("last_12_months", TODAY, "2025-12-01", "2026-11-30"),
        ("last_12_months", date(2026, 12, 1), "2026-01-01", "2026-12-01"),
        ("this_year", TODAY, "2026-01-01", "2026-11-30"),
        ("last_year", date(2025, 2, 28), "2024-01-01", "2024-12-31"),
    ],
)
def test_a_period_is_these_days(name: str, today: date, first: str, last: str) -> None:
    assert chosen_range(name, "", "", today) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("name", PERIODS)
def test_before_a_period_lie_as_many_days_and_none_is_in_both(name: str) -> None:
    for back in range(800):
        days = PERIODS[name].on(TODAY - timedelta(days=back))
        assert days.before.days == days.days
        assert days.before.last + timedelta(days=1) == days.first


def test_a_range_of_ones_own_has_both_its_days_and_everything_has_no_ends() -> None:
    assert chosen_range(OWN, "2024-09-01", "2024-09-01", TODAY) == Range(date(2024, 9, 1), date(2024, 9, 1))
    assert chosen_range(EVERYTHING, "2024-09-01", "", TODAY) is None


@pytest.mark.parametrize(
    ("name", "first", "last", "words"),
    [
        ("soon", "", "", "there is no period soon, but this_month"),
        (OWN, "", "2024-09-01", "two days such as 2026-11-30, not ''"),
        (OWN, "yesterday", "2024-09-01", "not 'yesterday'"),
        (OWN, "2024-09-02", "2024-09-01", "2024-09-02 is after 2024-09-01"),
        (OWN, "0001-01-01", "2024-09-01", "begins in the year 1900 or later"),
    ],
)
def test_a_range_that_is_none_is_refused_in_words(name: str, first: str, last: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chosen_range(name, first, last, TODAY)
