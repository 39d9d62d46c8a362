"""Which payments are answered, by cases and by an oracle that shares nothing with the code."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.gateway.http_api import HttpApi
from payments_api.schedule import DIRECTIONS
from tests.examples import examples
from tests.integration.payments_api.conftest import Clock
from tests.payments import COUNTERPARTIES, CURRENCIES, PaymentsWarehouse, Rate, Version, ask, ids

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "edges.yaml").read_text("utf-8"))


def versions_of(payments: dict[int, list[dict[str, Any]]]) -> list[Version]:
    """The versions that a case states, each built on the one before."""
    found = []
    for number, stated in payments.items():
        version = Version(number, stated[0]["due"], batch=0)
        for change in stated:
            amount = Decimal(change.get("amount", version.amount))
            version = replace(version, **{**change, "amount": amount, "batch": version.batch + 1})
            found.append(version)
    return found


def rates_of(stated: dict[dt.date, dict[str, str]]) -> list[Rate]:
    return [
        Rate(day, currency, Decimal(units))
        for day, legs in stated.items()
        for currency, units in legs.items()
    ]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_last_and_the_next_five_at_the_edges(
    api: HttpApi, ledger: PaymentsWarehouse, clock: Clock, case: dict[str, Any]
) -> None:
    clock.at = case["now"]
    ledger.put(versions_of(case["payments"]))
    ledger.publish(rates_of(case.get("rates", {})))
    last, following = ask(api, "/v1/payments/last5"), ask(api, "/v1/payments/next5")
    assert (ids(last), ids(following)) == (case["last5"], case["next5"])
    shown = [*last.body["payments"], *following.body["payments"]]
    overdue = sorted(one["payment_id"] for one in shown if one["overdue"])
    assert overdue == case.get("overdue", overdue)
    assert [one["amount"] for one in shown] == case.get("amounts", [one["amount"] for one in shown])
    reported = [[one["amount_gbp"], one["rate_date"], one["rate_is_final"]] for one in shown]
    assert reported == case.get("reported", reported)


# --- the oracle -------------------------------------------------------------------------------------

# The turns of summer time in Great Britain, as the government lists them.
SUMMERS = {2023: ("03-26", "10-29"), 2024: ("03-31", "10-27"), 2025: ("03-30", "10-26")}
TURNS = [
    dt.datetime.fromisoformat(f"{day}T00:00:00+00:00")
    for day in ("2024-02-29", "2024-03-31", "2024-06-30", "2024-10-27", "2024-12-31", "2025-02-28")
]


def day_in_london(now: dt.datetime) -> dt.date:
    begins, ends = (
        dt.datetime.fromisoformat(f"{now.year}-{day}T01:00:00+00:00") for day in SUMMERS[now.year]
    )
    return (now + dt.timedelta(hours=begins <= now < ends)).date()


def standing(history: list[Version]) -> list[Version]:
    """What stands of a history: the newest version of each payment, unless that says it was deleted."""
    newest: dict[int, Version] = {}
    for version in history:
        if version.id not in newest or version.batch > newest[version.id].batch:
            newest[version.id] = version
    return [version for version in newest.values() if not version.deleted]


def half_up(number: Fraction, digits: int) -> Decimal:
    """To so many digits, half up, of a number that no decimal has to hold."""
    whole, left = divmod(number * 10**digits, 1)
    return Decimal(int(whole) + (left >= Fraction(1, 2))).scaleb(-digits)


def in_pounds(version: Version, rates: list[Rate]) -> tuple[str | None, str | None, bool]:
    """The amount in pounds, the day of its rate, and whether that is final."""
    if version.currency == "GBP":
        return f"{version.amount:.2f}", None, True
    legs: dict[dt.date, dict[str, Decimal]] = {}
    for rate in rates:
        legs.setdefault(rate.day, {"EUR": Decimal(1)})[rate.currency] = rate.units
    is_known = any(version.currency in of_day for of_day in legs.values())
    final = is_known and version.due <= max(legs)
    until = sorted(day for day in legs if day <= version.due)
    both = [day for day in until if {"GBP", version.currency} <= legs[day].keys()]
    if not both or until[-1] - both[-1] > dt.timedelta(days=7):
        return None, None, final
    of_day = legs[both[-1]]
    pounds = half_up(Fraction(of_day["GBP"]) / Fraction(of_day[version.currency]), 12)
    amount = half_up(Fraction(version.amount) * Fraction(pounds), 2)
    return f"{amount:.2f}", both[-1].isoformat(), final


def expected(version: Version, today: dt.date, rates: list[Rate]) -> dict[str, Any]:
    reported, rate_date, final = in_pounds(version, rates)
    return {
        "payment_id": version.id,
        "payment_date": version.due.isoformat(),
        "amount": f"{version.amount:.2f}",
        "currency": version.currency,
        "amount_gbp": reported,
        "rate_date": rate_date,
        "rate_is_final": final,
        "type": version.type,
        "direction": "in" if version.type in ("SALES_RECEIPT", "PURCHASE_REFUND") else "out",
        "counterparty": {
            "counterparty_id": version.counterparty,
            "name": COUNTERPARTIES[version.counterparty],
        },
        "paid": version.paid,
        "overdue": version.due < today and not version.paid,
    }


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dt.datetime, list[Version], list[Rate]]:
    """A time, about midnight as often as not; versions of payments due about then; rates."""
    turn = draw(st.sampled_from(TURNS))
    now = turn + dt.timedelta(minutes=draw(st.integers(-150, 1590)))
    version = st.builds(
        Version,
        id=st.integers(1, 12),
        due=st.integers(-3, 4).map(lambda days: turn.date() + dt.timedelta(days)),
        batch=st.integers(1, 6),
        amount=st.decimals(0, 99_999_999, places=2),
        currency=st.sampled_from(sorted(CURRENCIES.values())),
        type=st.sampled_from(sorted(DIRECTIONS)),
        counterparty=st.sampled_from(sorted(COUNTERPARTIES)),
        paid=st.booleans(),
        deleted=st.sampled_from([False, False, False, True]),
    )
    rate = st.builds(
        Rate,
        day=st.integers(-12, 4).map(lambda days: turn.date() + dt.timedelta(days)),
        currency=st.sampled_from(["GBP", "GBP", "USD", "RUB"]),
        units=st.decimals(Decimal("0.5"), 200, places=4),
    )
    versions = st.lists(version, max_size=30, unique_by=lambda one: (one.id, one.batch))
    rates = st.lists(rate, max_size=15, unique_by=lambda one: (one.day, one.currency))
    return now, draw(versions), draw(rates)


@settings(max_examples=examples(30, 300))
@given(
    world=worlds(),
    kind=st.sampled_from([None, *DIRECTIONS]),
    currency=st.sampled_from([None, "GBP"]),
    limit=st.integers(1, 7),
)
def test_the_answers_are_those_of_an_oracle_over_random_payments(
    api: HttpApi,
    ledger: PaymentsWarehouse,
    clock: Clock,
    world: tuple[dt.datetime, list[Version], list[Rate]],
    kind: str | None,
    currency: str | None,
    limit: int,
) -> None:
    clock.at, history, rates = world
    ledger.put(history)
    ledger.publish(rates)
    today = day_in_london(clock.at)
    chosen = [
        one
        for one in standing(history)
        if (kind is None or one.type == kind) and (currency is None or one.currency == currency)
    ]
    in_order = sorted(chosen, key=lambda one: (one.due, one.id))
    last = [one for one in in_order if one.due < today or (one.due == today and one.paid)][-5:][::-1]
    following = [one for one in in_order if one.due >= today and not one.paid][:5]
    stated = {name: text for name, text in (("type", kind), ("currency", currency)) if text}
    question = "&".join(f"{name}={text}" for name, text in stated.items())
    for path, wanted in (("last5", last), ("next5", following)):
        answered = ask(api, f"/v1/payments/{path}?{question}")
        assert answered.status == 200
        assert answered.body["as_of"] == today.isoformat()
        assert answered.body["payments"] == [expected(one, today, rates) for one in wanted]
    found: list[Any] = []
    place: str | None = ""
    while place is not None:
        after = f"&after={place}" if place else ""
        answered = ask(api, f"/v1/payments?limit={limit}{after}{'&' if question else ''}{question}")
        assert answered.status == 200
        assert len(answered.body["payments"]) <= limit
        found += answered.body["payments"]
        place = answered.body["next"]
    assert found == [expected(one, today, rates) for one in in_order]
