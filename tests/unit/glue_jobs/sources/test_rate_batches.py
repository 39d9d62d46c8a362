"""Which rate a rate is judged by."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from glue_jobs.sources.rate_batches import KnownRates, is_far
from glue_jobs.sources.rate_forms import Rate

GOOD, WRONG, OTHER = Decimal("1.16"), Decimal("11.6"), Decimal("0.116")


@pytest.mark.parametrize(
    ("published", "believed"),
    [
        ([WRONG, WRONG, GOOD, GOOD], [GOOD, GOOD]),
        ([WRONG, GOOD, GOOD, GOOD], [GOOD, GOOD, GOOD]),
        ([WRONG, GOOD, WRONG, GOOD], [GOOD, GOOD]),
        ([WRONG, OTHER, GOOD, WRONG], [GOOD]),
        # Three days may pass before a new level is believed; then the old one is not.
        ([WRONG, WRONG, WRONG, WRONG, WRONG, GOOD], [WRONG, WRONG]),
    ],
)
def test_after_five_good_rates_no_wrong_one_judges_another(
    published: list[Decimal], believed: list[Decimal]
) -> None:
    known, found = KnownRates(), []
    for number, units in enumerate([GOOD] * 5 + published):
        day = date(2026, 11, 2) + timedelta(days=number)
        known.take(Rate("USD", day, units))
        reference = known.reference("USD", day)
        if reference is None or not is_far(units, reference):
            found.append(units)
    assert found == [GOOD] * 5 + believed


def test_of_the_first_rates_each_is_judged_by_the_one_before() -> None:
    known = KnownRates()
    for number, units in enumerate([GOOD, WRONG, GOOD], start=2):
        known.take(Rate("USD", date(2026, 11, number), units))
    references = [known.reference("USD", date(2026, 11, number)) for number in (2, 3, 4, 5)]
    assert references == [None, GOOD, WRONG, GOOD]
