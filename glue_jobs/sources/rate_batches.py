"""What is new in answers: the rates that no version of is published yet, as rows of the raw zone.

Pure functions over rates and over what a feed knows of those before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Optional

import pyarrow as pa

from glue_jobs.sources.feeds import INSERT, UPDATE
from glue_jobs.sources.rate_forms import Rate, RateForm, rate_id

_VALUES = pa.schema(
    [
        ("provider", pa.string()),
        ("currency", pa.string()),
        ("day", pa.date32()),
        ("units", pa.decimal128(18, 9)),
    ]
)
_READINGS = pa.schema(
    [("provider", pa.string()), ("name", pa.string()), ("batch", pa.int64()), ("read_at", pa.timestamp("ms"))]
)

LOOKS_BACK = 5
"""How many publications before it a rate is judged by."""


def is_far(units: Decimal, other: Decimal) -> bool:
    """Whether a rate is too far from another to be believed, as the rule ``rate_is_plausible`` has it."""
    return units * 4 > other * 5 or units * 4 < other * 3


@dataclass
class KnownRates:
    """The newest published rate of each currency and day of one provider.

    Attributes:
        units: By currency and day, the rate.
    """

    units: dict[tuple[str, date], Decimal] = field(default_factory=dict)
    _days: dict[str, list[date]] = field(default_factory=lambda: defaultdict(list))

    def take(self, rate: Rate) -> bool:
        """Note a rate; whether that of its day was another, or none."""
        key = (rate.currency, rate.day)
        before = self.units.get(key)
        if before == rate.units:
            return False
        if before is None:
            insort(self._days[rate.currency], rate.day)
        self.units[key] = rate.units
        return True

    def reference(self, currency: str, day: date) -> Optional[Decimal]:
        """The rate that the one of a day is judged against.

        It is that of the publication before; where that one is far from the middle one of the last five, the
        middle one. So two wrong rates judge no other, and a new level is believed from its fourth day on.
        """
        days = self._days.get(currency, [])
        place = bisect_left(days, day)
        last = [self.units[currency, one] for one in days[max(place - LOOKS_BACK, 0) : place]]
        if not last:
            return None
        middle = sorted(last)[(len(last) - 1) // 2]
        # Of two nobody knows which is the wrong one.
        return middle if len(last) > 2 and is_far(last[-1], middle) else last[-1]

    def days_behind(self, currency: str, day: date) -> list[date]:
        """The days of the publications whose reference may depend on that of a day, known or not."""
        days = self._days.get(currency, [])
        place = bisect_right(days, day)
        return days[place : place + LOOKS_BACK]

    @property
    def newest(self) -> Optional[date]:
        """The newest day of any currency."""
        return max((days[-1] for days in self._days.values() if days), default=None)


def known_rates(provider: str, table: Optional[pa.Table]) -> KnownRates:
    """The rates of a provider that :func:`values_table` kept; none where nothing was kept."""
    known = KnownRates()
    for row in table.to_pylist() if table is not None else ():
        if row["provider"] == provider:
            known.take(Rate(row["currency"], row["day"], row["units"]))
    return known


def values_table(provider: str, known: KnownRates, before: Optional[pa.Table]) -> pa.Table:
    """The newest rates as a feed keeps them, those of other providers as they were."""
    others = [
        row for row in (before.to_pylist() if before is not None else ()) if row["provider"] != provider
    ]
    rows = [
        {"provider": provider, "currency": currency, "day": day, "units": units}
        for (currency, day), units in sorted(known.units.items())
    ]
    return pa.Table.from_pylist([*others, *rows], schema=_VALUES)


def readings_table(
    before: Optional[pa.Table], provider: str, names: Iterable[str], batch: int, read_at: datetime
) -> pa.Table:
    """Which answers were read, in order: those that were, and some more of a provider."""
    rows = [{"provider": provider, "name": name, "batch": batch, "read_at": read_at} for name in names]
    read = pa.Table.from_pylist(rows, schema=_READINGS)
    return read if before is None else pa.concat_tables([before, read])


@dataclass(frozen=True)
class NewRows:
    """What one batch takes of several answers.

    Attributes:
        rows: The rows of the raw zone, each key once.
        read: How many of the answers are in it whole.
    """

    rows: tuple[Mapping[str, Any], ...]
    read: int


def new_rows(form: RateForm, known: KnownRates, answers: Sequence[tuple[str, Sequence[Rate]]]) -> NewRows:
    """The rows of answers that are new, up to the answer that would bring a key again.

    A rate is judged against those before it. So where one is new or another, those behind it come again: a
    good rate that was rejected beside wrong ones is judged again once these are corrected.

    Args:
        form: The provider's form.
        known: The newest rates; takes what is read.
        answers: The answers in the order in which they came: the name of each, and its rates.
    """
    rows: dict[int, Mapping[str, Any]] = {}
    for place, (name, rates) in enumerate(answers):
        changed = {(r.currency, r.day): r for r in rates if known.units.get((r.currency, r.day)) != r.units}
        behind = {(code, other) for code, day in changed for other in known.days_behind(code, day)}
        touched = changed.keys() | behind
        keys = {one: rate_id(form, *one) for one in touched}
        if not rows.keys().isdisjoint(keys.values()):
            return NewRows(tuple(rows.values()), place)
        operations = {one: UPDATE if one in known.units else INSERT for one in touched}
        for rate in changed.values():
            known.take(rate)
        for currency, day in sorted(touched, key=lambda one: (one[1], one[0])):
            rows[keys[currency, day]] = {
                "rate_id": keys[currency, day],
                "rate_date": day,
                "currency_code": currency,
                "provider": form.name,
                "base_currency": form.base,
                "units_per_base": known.units[currency, day],
                "previous_units_per_base": known.reference(currency, day),
                "source_sha256": name,
                "operation": operations[currency, day],
            }
    return NewRows(tuple(rows.values()), len(answers))
