"""The rate of every day: the last one that was published; none of a currency that is published no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.catalogue import load_catalogue
from catalog.star_views import StarView, athena_views, calendar_of, warehouse_views
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.rates_server import RateHistory, shipped_history
from totesys.demo import daily_rates

FACT = load_catalogue().star["fact_exchange_rate"]
Row = tuple[date, str, Decimal | None, date | None, bool]
ASK = "SELECT date_id, currency_code, units_per_base, rate_date, is_final FROM ({}) AS shown ORDER BY 2, 1"
RATES = "rate_date DATE, currency_code TEXT, provider TEXT, base_currency TEXT, units_per_base NUMERIC(18, 9)"
TABLES = (
    "CREATE TABLE dim_date (date_id DATE)",
    f"CREATE TABLE fact_exchange_rate_current ({RATES})",
)


def daily(views: Sequence[StarView]) -> str:
    (view,) = [one for one in views if one.name == "fact_exchange_rate_daily"]
    return view.sql


IN_THE_LAKE = daily(athena_views(FACT, "fact_exchange_rate")).replace("totesys_star.", "")
IN_THE_WAREHOUSE = daily(warehouse_views(FACT, "fact_exchange_rate", "none", "dim_date"))

Published = Mapping[tuple[str, date], str]


def rows_of(published: Published) -> list[tuple[date, str, str, str, str]]:
    return [(of, code, "ecb", "EUR", units) for (code, of), units in published.items()]


def in_duckdb(published: Published, days: Sequence[date]) -> list[Row]:
    with duckdb.connect() as session:
        for table in TABLES:
            session.execute(table)
        session.executemany("INSERT INTO dim_date VALUES (?)", [(day,) for day in days])
        if published:
            session.executemany(
                "INSERT INTO fact_exchange_rate_current VALUES (?, ?, ?, ?, ?)", rows_of(published)
            )
        return session.execute(ASK.format(IN_THE_LAKE)).fetchall()


def oracle(published: Published, days: Sequence[date]) -> list[Row]:
    """Day by day, looking back."""
    newest_of_all = max((of for _, of in published), default=date.min)
    found: list[Row] = []
    for code in sorted({code for code, _ in published}):
        for day in sorted(days):
            own = max((of for one, of in published if one == code and of <= day), default=None)
            newest = max((of for _, of in published if of <= day), default=None)
            if own is not None and newest is not None and newest - own <= timedelta(days=7):
                found.append((day, code, Decimal(published[code, own]), own, day <= newest_of_all))
            else:
                found.append((day, code, None, None, day <= newest_of_all))
    return found


FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(40)]
published_rates = st.dictionaries(
    st.tuples(st.sampled_from(["GBP", "RUB", "USD"]), st.sampled_from(DAYS[:35])),
    st.decimals("0.1", "99", places=4).map(str),
    max_size=30,
)


@settings(max_examples=60)
@given(published_rates)
def test_whatever_is_published_each_day_has_the_last_rate_or_none(published: Published) -> None:
    assert in_duckdb(published, DAYS) == oracle(published, DAYS)


def stopped() -> Iterator[tuple[str, date, date]]:
    """A currency, the last day that still has a rate, and the first one that has none."""
    yield "RUB", date(2022, 3, 8), date(2022, 3, 9)
    yield "HRK", date(2023, 1, 8), date(2023, 1, 9)
    yield "BGN", date(2026, 1, 7), date(2026, 1, 8)


@pytest.fixture(scope="module")
def shown() -> tuple[list[date], Published, list[Row]]:
    """The real history of some years, as the lake shows it."""
    history = shipped_history().rates
    published = {
        (code, of): rates[code]
        for of, rates in history.items()
        for code in ("BGN", "HRK", "RUB", "USD")
        if of >= date(2022, 2, 1) and code in rates
    }
    days = [date(2022, 2, 1) + timedelta(days=number) for number in range(1740)]
    return days, published, in_duckdb(published, days)


@pytest.mark.parametrize(("currency", "last", "none"), list(stopped()))
def test_a_currency_that_the_bank_has_stopped_has_no_rate_from_the_eighth_day_on(
    shown: tuple[list[date], Published, list[Row]], currency: str, last: date, none: date
) -> None:
    _, _, rows = shown
    by_day = {row[0]: row[2:4] for row in rows if row[1] == currency}
    assert by_day[last][0] is not None
    assert by_day[none] == (None, None)
    assert all(rate == (None, None) for day, rate in by_day.items() if day >= none)


def test_the_real_history_reads_the_same_in_duckdb_and_postgresql_and_by_plain_means(
    shown: tuple[list[date], Published, list[Row]], totesys_server: EmbeddedPostgres
) -> None:
    days, published, rows = shown
    with psycopg.connect(totesys_server.dsn(database="postgres")) as session:
        for table in TABLES:
            session.execute(table.replace("CREATE", "CREATE TEMP", 1).encode())
        with session.cursor() as cursor:
            cursor.executemany("INSERT INTO dim_date VALUES (%s)", [(day,) for day in days])
            cursor.executemany(
                "INSERT INTO fact_exchange_rate_current VALUES (%s, %s, %s, %s, %s)", rows_of(published)
            )
            in_postgres = cursor.execute(ASK.format(IN_THE_WAREHOUSE).encode()).fetchall()
    assert in_postgres == rows
    rates: dict[date, dict[str, str]] = {}
    for (code, of), units in published.items():
        rates.setdefault(of, {})[code] = units
    history = RateHistory(dict(sorted(rates.items())), max(rates))
    # The demonstration's own means, which begins with the feed's first day.
    since = [day for day in days if day >= date(2023, 2, 1)]
    by_plain_means = [
        (day, code, rate, of)
        for code in ("BGN", "HRK", "RUB", "USD")
        for day, rate, of in daily_rates(history, code, since)
    ]
    assert [row[:4] for row in rows if row[0] >= since[0]] == by_plain_means


def test_the_view_is_over_the_calendar_that_its_day_refers_to() -> None:
    assert calendar_of(FACT) == "dim_date"
    assert calendar_of(load_catalogue().star["fact_payment"]) is None
    (view,) = [one for one in athena_views(FACT) if one.name == "fact_exchange_rate_daily"]
    assert [column.name for column in view.columns if not column.nullable] == [
        "date_id",
        "provider",
        "currency_code",
        "is_final",
    ]
    assert "totesys_star.dim_date" in view.sql
    assert dataclasses.asdict(view)["name"] == view.name
