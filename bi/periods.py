"""Ranges of days that a reader of the dashboard chooses by name, and the range before each.

The range before has the same number of days and ends on the day before the first, on the laptop and in
QuickSight alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple, Optional

OWN = "own"
"""The name of a range that the reader states by its two days."""

EVERYTHING = "everything"
"""The name of the range without ends, which has none before it."""

_DAY = timedelta(days=1)


class Range(NamedTuple):
    """Days from the first to the last, both of them in it."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Range:
        """As many days, up to the day before the first."""
        return Range(self.first - _DAY * self.days, self.first - _DAY)


@dataclass(frozen=True)
class Period:
    """A range that is chosen by its name.

    Attributes:
        title: What readers call it.
        on: The range on a day.
        first: QuickSight's expression for its first day.
        last: QuickSight's expression for its last day.
    """

    title: str
    on: Callable[[date], Range]
    first: str
    last: str = "truncDate('DD', now())"


def _month(day: date, back: int = 0) -> date:
    """The first day of a month, so many months before that of a day."""
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


_TODAY = "truncDate('DD', now())"
_MONTH = "truncDate('MM', now())"
_YEAR = "truncDate('YYYY', now())"

PERIODS: Mapping[str, Period] = {
    "this_month": Period("This month", lambda day: Range(_month(day), day), _MONTH),
    "last_month": Period(
        "Last month",
        lambda day: Range(_month(day, 1), _month(day) - _DAY),
        f"addDateTime(-1, 'MM', {_MONTH})",
        f"addDateTime(-1, 'DD', {_MONTH})",
    ),
    "last_30_days": Period(
        "Last 30 days", lambda day: Range(day - _DAY * 29, day), f"addDateTime(-29, 'DD', {_TODAY})"
    ),
    "last_90_days": Period(
        "Last 90 days", lambda day: Range(day - _DAY * 89, day), f"addDateTime(-89, 'DD', {_TODAY})"
    ),
    "last_12_months": Period(
        "Last 12 months", lambda day: Range(_month(day, 11), day), f"addDateTime(-11, 'MM', {_MONTH})"
    ),
    "this_year": Period("This year", lambda day: Range(date(day.year, 1, 1), day), _YEAR),
    "last_year": Period(
        "Last year",
        lambda day: Range(date(day.year - 1, 1, 1), date(day.year, 1, 1) - _DAY),
        f"addDateTime(-1, 'YYYY', {_YEAR})",
        f"addDateTime(-1, 'DD', {_YEAR})",
    ),
}
"""By name. Twelve months are this one and the eleven before it, so that no month but this one is cut."""


def chosen_range(name: str, first: str, last: str, today: date) -> Optional[Range]:
    """The range that a reader chose; nothing for everything.

    Args:
        name: One of `PERIODS`, `OWN` or `EVERYTHING`.
        first: Of a range of the reader's own, its first day (ISO 8601).
        last: Its last day.
        today: The day today (UTC).

    Raises:
        ValueError: Says what is wrong with it.
    """
    if name == EVERYTHING:
        return None
    if name in PERIODS:
        return PERIODS[name].on(today)
    if name != OWN:
        raise ValueError(f"there is no period {name}, but {', '.join((*PERIODS, OWN, EVERYTHING))}")
    try:
        own = Range(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError:
        raise ValueError(f"a period has two days such as 2026-11-30, not {first!r} and {last!r}") from None
    if own.last < own.first:
        raise ValueError(f"a period ends on its first day or later: {first} is after {last}")
    if own.first.year < _EARLIEST_YEAR:
        raise ValueError(f"a period begins in the year {_EARLIEST_YEAR} or later, not in {own.first.year}")
    return own


_EARLIEST_YEAR = 1900
