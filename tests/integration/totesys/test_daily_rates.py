"""The rate of every day: the last one that was published; none of a currency that is published no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import duckdb
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.catalogue import load_catalogue
from catalog.functions import BY_NAME
from catalog.star_views import StarView, athena_views, warehouse_views
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.rates_server import RateHistory, shipped_history
from tests.cross_rates import CASES, chosen_pairs, cross_rate, in_views, wanted
from tests.examples import examples
from totesys.demo import daily_rates

FACT = load_catalogue().star["fact_exchange_rate"]
Row = tuple[date, str, Decimal | None, date | None, bool]
SHOWN = {"daily": "units_per_base", "gbp": "rate_to_gbp"}
"""By view, what it shows of each day."""
ASK = "SELECT date_id, currency_code, {}, rate_date, is_final FROM ({}) AS shown ORDER BY 2, 1"
NAMES = (
    "rate_record_id",
    "rate_id",
    "rate_date",
    "currency_code",
    "provider",
    "base_currency",
    "units_per_base",
)
COLUMNS = """rate_record_id INTEGER, rate_id BIGINT, rate_date DATE, currency_code TEXT, provider TEXT,
    base_currency TEXT, units_per_base NUMERIC(18, 9), batch_sequence BIGINT DEFAULT 1, captured_at TIMESTAMP,
    is_deleted BOOLEAN DEFAULT false, rate_month TEXT"""
TABLES = (
    "CREATE TABLE dim_date (date_id DATE)",
    "CREATE TABLE unresolved_dead_letters (table_name TEXT, row_key BIGINT)",
    f"CREATE TABLE fact_exchange_rate ({COLUMNS})",
)
MADE = cross_rate()
BY_LIBRARY = "cross_rate(ours * 0.000000001::DECIMAL(9, 9), theirs * 0.000000001::DECIMAL(9, 9))"


def asked(views: Sequence[StarView], kind: str) -> str:
    (view,) = [one for one in views if one.name == f"fact_exchange_rate_{kind}"]
    return ASK.format(SHOWN[kind], view.sql)


Published = Mapping[tuple[str, date], str]


def rows_of(published: Published) -> list[tuple[int, int, date, str, str, str, str]]:
    return [
        (number, number, of, code, "ecb", "EUR", units)
        for number, ((code, of), units) in enumerate(published.items(), start=1)
    ]


def in_duckdb(published: Published, days: Sequence[date]) -> dict[str, list[Row]]:
    """What the lake's views show, with the library's cross rates: DuckDB's own division is not exact."""
    views = athena_views(FACT, bare=True)
    with duckdb.connect() as session:
        session.execute(f"CREATE MACRO cross_rate(ours, theirs) AS {BY_NAME['cross_rate'].duckdb}")
        for table in TABLES:
            session.execute(table)
        session.execute(f"CREATE VIEW {views[0].name} AS {views[0].sql}")
        session.executemany("INSERT INTO dim_date VALUES (?)", [(day,) for day in days])
        if published:
            session.executemany(INSERT.format(", ".join("?" * len(NAMES))), rows_of(published))
        return {
            kind: session.execute(asked(views, kind).replace(MADE, BY_LIBRARY)).fetchall() for kind in SHOWN
        }


INSERT = f"INSERT INTO fact_exchange_rate ({', '.join(NAMES)}) VALUES ({{}})"


def oracle(published: Published, days: Sequence[date]) -> dict[str, list[Row]]:
    """Day by day, looking back; a cross rate of a day on which both were published."""
    with_base = {**published, **{("EUR", of): "1" for _, of in published}}
    crossed = {
        (code, of): (Decimal(with_base["GBP", of]) / Decimal(units)).quantize(Decimal("1e-12"), ROUND_HALF_UP)
        for (code, of), units in with_base.items()
        if ("GBP", of) in with_base
    }
    stated = {key: Decimal(units) for key, units in published.items()}
    return {"daily": _by_day(stated, stated, days), "gbp": _by_day(crossed, dict.fromkeys(with_base), days)}


def _by_day(
    rates: Mapping[tuple[str, date], Decimal], published: Iterable[tuple[str, date]], days: Sequence[date]
) -> list[Row]:
    found: list[Row] = []
    published = list(published)
    newest_of_all = max((of for _, of in published), default=date.min)
    for code in sorted({code for code, _ in published}):
        for day in sorted(days):
            own = max((of for one, of in rates if one == code and of <= day), default=None)
            newest = max((of for _, of in published if of <= day), default=None)
            if own is not None and newest is not None and newest - own <= timedelta(days=7):
                found.append((day, code, rates[code, own], own, day <= newest_of_all))
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


@settings(max_examples=examples(25, 60))
@given(published_rates)
def test_whatever_is_published_each_day_has_the_last_rate_or_none(published: Published) -> None:
    assert in_duckdb(published, DAYS) == oracle(published, DAYS)


def stopped() -> Iterator[tuple[str, date, date]]:
    """A currency, the last day that still has a rate, and the first one that has none."""
    yield "RUB", date(2022, 3, 8), date(2022, 3, 9)
    yield "HRK", date(2023, 1, 8), date(2023, 1, 9)
    yield "BGN", date(2026, 1, 7), date(2026, 1, 8)


@pytest.fixture(scope="module")
def shown() -> tuple[list[date], Published, dict[str, list[Row]]]:
    """The real history of some years, as the lake shows it."""
    history = shipped_history().rates
    published = {
        (code, of): rates[code]
        for of, rates in history.items()
        for code in ("BGN", "GBP", "HRK", "RUB", "USD")
        if of >= date(2022, 2, 1) and code in rates
    }
    days = [date(2022, 2, 1) + timedelta(days=number) for number in range(1740)]
    return days, published, in_duckdb(published, days)


@pytest.mark.parametrize(("currency", "last", "none"), list(stopped()))
def test_a_currency_that_the_bank_has_stopped_has_no_rate_from_the_eighth_day_on(
    shown: tuple[list[date], Published, dict[str, list[Row]]], currency: str, last: date, none: date
) -> None:
    _, _, views = shown
    for rows in views.values():
        by_day = {row[0]: row[2:4] for row in rows if row[1] == currency}
        assert by_day[last][0] is not None
        assert by_day[none] == (None, None)
        assert all(rate == (None, None) for day, rate in by_day.items() if day >= none)


def test_the_real_history_reads_the_same_in_duckdb_and_postgresql_and_by_plain_means(
    shown: tuple[list[date], Published, dict[str, list[Row]]], totesys_server: EmbeddedPostgres
) -> None:
    days, published, views = shown
    with psycopg.connect(totesys_server.dsn(database="postgres")) as session, session.cursor() as cursor:
        for table in TABLES:
            session.execute(table.replace("CREATE", "CREATE TEMP", 1).encode())
        cursor.executemany("INSERT INTO dim_date VALUES (%s)", [(day,) for day in days])
        cursor.executemany(INSERT.format(", ".join(["%s"] * len(NAMES))).encode(), rows_of(published))
        for kind, rows in views.items():
            text = asked(warehouse_views(FACT, lambda name: name), kind)
            assert cursor.execute(text.encode()).fetchall() == rows
    rows = views["daily"]
    rates: dict[date, dict[str, str]] = {}
    for (code, of), units in published.items():
        rates.setdefault(of, {})[code] = units
    history = RateHistory(dict(sorted(rates.items())), max(rates))
    # The demonstration's own means, which begins with the feed's first day.
    since = [day for day in days if day >= date(2023, 2, 1)]
    by_plain_means = [
        (day, code, rate, of)
        for code in ("BGN", "GBP", "HRK", "RUB", "USD")
        for day, rate, of in daily_rates(history, code, since)
    ]
    assert [row[:4] for row in rows if row[0] >= since[0]] == by_plain_means


def test_cross_rates_are_python_s_own_in_postgresql(totesys_server: EmbeddedPostgres) -> None:
    with psycopg.connect(totesys_server.dsn(database="postgres")) as session:
        given = CASES + chosen_pairs()
        found = session.execute(in_views(given).encode()).fetchall()
    assert [rate for _, rate in found] == [wanted(ours, theirs) for ours, theirs in given]


def test_the_view_is_over_the_calendar_that_its_day_refers_to() -> None:
    (view,) = [one for one in athena_views(FACT) if one.name == "fact_exchange_rate_daily"]
    assert [column.name for column in view.columns if not column.nullable] == [
        "date_id",
        "provider",
        "currency_code",
        "is_final",
    ]
    assert "totesys_star.dim_date" in view.sql
