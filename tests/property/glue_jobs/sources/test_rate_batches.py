"""Properties of what a feed of rates publishes, whatever its answers bring and in whatever order."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from statistics import median_low

from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.sources.rate_batches import KnownRates, new_rows
from glue_jobs.sources.rate_forms import RATE_FORMS, Rate

FORM = RATE_FORMS["ecb"]
RATES = st.builds(
    Rate,
    st.sampled_from(["GBP", "USD"]),
    st.integers(0, 8).map(lambda n: date(2026, 11, 20) + timedelta(days=n)),
    # 5 is near its neighbours, which are far from each other; 20 is far from all.
    st.sampled_from([4, 5, 6, 20]).map(Decimal),
)
ANSWERS = st.lists(st.lists(RATES, max_size=6, unique_by=lambda rate: (rate.currency, rate.day)), max_size=6)


@given(ANSWERS)
def test_each_published_rate_ends_beside_what_the_newest_of_those_before_say(
    answers: list[list[Rate]],
) -> None:
    known, waiting = KnownRates(), [(str(place), rates) for place, rates in enumerate(answers)]
    published: dict[tuple[str, date], tuple[Decimal, Decimal | None]] = {}
    while waiting:
        batch = new_rows(FORM, known, waiting)
        assert batch.read, "a batch that takes no answer is made again for ever"
        waiting = waiting[batch.read :]
        keys = [row["rate_id"] for row in batch.rows]
        assert len(keys) == len(set(keys))
        for row in batch.rows:
            key = (row["currency_code"], row["rate_date"])
            assert row["operation"] == ("update" if key in published else "insert")
            published[key] = (row["units_per_base"], row["previous_units_per_base"])
    newest = {(rate.currency, rate.day): rate.units for rates in answers for rate in rates}
    assert published == {
        (currency, day): (
            units,
            _judge([newest[currency, before] for before in _days(newest, currency) if before < day]),
        )
        for (currency, day), units in newest.items()
    }


def _judge(before: list[Decimal]) -> Decimal | None:
    if len(before) < 3:
        return before[-1] if before else None
    middle = median_low(before[-5:])
    return before[-1] if Decimal("0.75") <= before[-1] / middle <= Decimal("1.25") else middle


def _days(newest: dict[tuple[str, date], Decimal], currency: str) -> list[date]:
    return sorted(day for code, day in newest if code == currency)
