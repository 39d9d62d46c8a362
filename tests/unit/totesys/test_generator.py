"""The generator plays the real data: volumes, tempo, distributions, shapes."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from totesys import generator, seed_rows
from totesys.generator import CUSTOMERS_COME, CUSTOMERS_GO, History, last_finished_day, small_tables

Rows = list[dict[str, Any]]

LAST = datetime.fromisoformat("2024-11-15T14:40:00")


def rows_of(columns: dict[str, pa.Array]) -> Rows:
    rows: Rows = pa.table(columns).to_pylist()
    return rows


def arrow_of(history: History) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {}
    for batch in history.batches():
        for table, columns in batch.items():
            parts.setdefault(table, []).append(pa.table(columns))
    return {table: pa.concat_tables(found).combine_chunks() for table, found in parts.items()}


@pytest.fixture(scope="module")
def made() -> dict[str, pa.Table]:
    return arrow_of(History(1, 7))


@pytest.fixture(scope="module")
def tables(made: dict[str, pa.Table]) -> dict[str, Rows]:
    return {table: found.to_pylist() for table, found in made.items()}


@pytest.fixture(scope="module")
def small() -> dict[str, Rows]:
    return {table: rows_of(columns) for table, columns in small_tables().items()}


def share(rows: Rows, test: Any) -> float:
    return sum(map(bool, map(test, rows))) / len(rows)


def test_volumes_are_the_real_ones(tables: dict[str, Rows], small: dict[str, Rows]) -> None:
    assert {table: len(rows) for table, rows in (small | tables).items()} == {
        "currency": 3,
        "department": 8,
        "address": 30,
        "counterparty": 20,
        "staff": 20,
        "payment_type": 4,
        "design": 473,
        "sales_order": 11_187,
        "purchase_order": 4_649,
        "transaction": 15_836,
        "payment": 15_836,
    }


def test_ids_run_from_one_without_gaps(tables: dict[str, Rows], small: dict[str, Rows]) -> None:
    for table, rows in (small | tables).items():
        assert [row[f"{table}_id"] for row in rows] == list(range(1, len(rows) + 1)), table


def test_every_reference_is_there(tables: dict[str, Rows], small: dict[str, Rows]) -> None:
    everything = small | tables
    references = {
        ("counterparty", "legal_address_id"): "address",
        ("staff", "department_id"): "department",
        ("sales_order", "agreed_delivery_location_id"): "address",
        ("purchase_order", "agreed_delivery_location_id"): "address",
        **{
            (order, f"{target}_id"): target
            for order in ("sales_order", "purchase_order")
            for target in ("staff", "counterparty", "currency")
        },
        ("sales_order", "design_id"): "design",
        ("transaction", "sales_order_id"): "sales_order",
        ("transaction", "purchase_order_id"): "purchase_order",
        ("payment", "transaction_id"): "transaction",
        ("payment", "payment_type_id"): "payment_type",
    }
    for (table, column), target in references.items():
        found = {row[column] for row in everything[table]} - {None}
        assert found <= set(range(1, len(everything[target]) + 1)), (table, column)


def test_the_same_seed_gives_the_same_rows_and_another_one_others(made: dict[str, pa.Table]) -> None:
    assert arrow_of(History(1, 7)) == made
    assert arrow_of(History(1, 8))["sales_order"] != made["sales_order"]


def test_how_the_rows_are_cut_into_batches_does_not_change_them(
    made: dict[str, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_EVENTS_PER_BATCH", 500)
    history = History(1, 7)

    assert len(list(history.batches())) > 20
    assert arrow_of(history) == made


def test_nothing_happens_on_weekends_nor_at_night(tables: dict[str, Rows]) -> None:
    for table in ("sales_order", "purchase_order", "design"):
        for row in tables[table]:
            stamp = row["created_at"]
            if stamp.date() == date(2022, 11, 3):
                assert time(14, 20, 49) <= stamp.time() < time(14, 20, 53)
            else:
                assert stamp.weekday() < 5
                assert time(8) <= stamp.time() < time(19)


def test_the_business_pauses_after_the_seed_day_and_ramps_up(tables: dict[str, Rows]) -> None:
    sales = Counter(row["created_at"].date() for row in tables["sales_order"])
    seed, first = sorted(sales)[:2]

    assert (seed, sales[seed]) == (date(2022, 11, 3), 5)
    assert date(2022, 11, 16) <= first < date(2022, 11, 22)
    november = sum(count for day, count in sales.items() if date(2022, 11, 16) <= day < date(2022, 12, 1))
    assert november < 60
    full = [sales[day] for day in weekdays(date(2023, 2, 1), date(2024, 11, 14))]
    assert 21.5 < sum(full) / len(full) < 23.7
    assert max(sales) == date(2024, 11, 15)
    assert max(tables["payment"], key=lambda row: row["created_at"])["created_at"] < LAST


def test_the_business_grows_and_has_seasons(tables: dict[str, Rows]) -> None:
    sales = Counter(row["created_at"].date() for row in tables["sales_order"])

    def a_day(first: date, last: date) -> float:
        days = weekdays(first, last)
        return sum(sales[day] for day in days) / len(days)

    for month, last in ((3, 31), (5, 31), (9, 30)):
        before, after = (a_day(date(year, month, 1), date(year, month, last)) for year in (2023, 2024))
        assert 1.05 < after / before < 1.4
    assert a_day(date(2023, 11, 1), date(2023, 11, 30)) > 1.2 * a_day(date(2023, 8, 1), date(2023, 8, 31))


def test_customers_are_large_and_small_and_some_come_and_some_go(tables: dict[str, Rows]) -> None:
    orders: dict[int, list[date]] = {}
    for row in tables["sales_order"]:
        orders.setdefault(row["counterparty_id"], []).append(row["created_at"].date())
    assert set(orders) == set(range(1, 21))
    sizes = sorted(len(days) for days in orders.values())
    assert sizes[-1] > 3 * sizes[0]
    assert {key for key, days in orders.items() if min(days) > date(2023, 3, 1)} == set(CUSTOMERS_COME)
    assert {key for key, days in orders.items() if max(days) < date(2024, 10, 1)} == set(CUSTOMERS_GO)


@pytest.mark.parametrize(
    ("until", "last"),
    [
        (date(2026, 11, 29), date(2026, 11, 27)),
        (date(2024, 2, 29), date(2024, 2, 29)),
    ],
)
def test_a_business_lives_until_the_day_that_is_asked_for(until: date, last: date) -> None:
    history = arrow_of(History(1, 7, until))
    days = {stamp.date() for stamp in history["sales_order"]["created_at"].to_pylist()}
    assert history["sales_order"].num_rows == 11_187
    assert (min(days), max(days)) == (last - timedelta(days=743), last)
    assert {day.weekday() for day in days - {min(days)}} == {0, 1, 2, 3, 4}
    payments = history["payment"].select(["payment_date", "paid"]).to_pylist()
    # Around the last day there is what will be due, and what was due and is not paid.
    ahead = [row["paid"] for row in payments if row["payment_date"] > last]
    assert ahead
    assert not any(ahead)
    week = [row["paid"] for row in payments if last - timedelta(days=7) < row["payment_date"] <= last]
    assert not all(week)
    assert small_tables(until)["currency"]["created_at"].to_pylist()[0].date() == min(days)


@pytest.mark.parametrize(
    ("today", "last"),
    [
        (date(2026, 11, 30), date(2026, 11, 27)),
        (date(2026, 11, 29), date(2026, 11, 27)),
        (date(2026, 12, 1), date(2026, 11, 30)),
    ],
)
def test_the_last_day_that_is_over_is_a_working_day_before_today(today: date, last: date) -> None:
    assert last_finished_day(today) == last


def test_one_event_inserts_order_transaction_and_payment_with_one_stamp(tables: dict[str, Rows]) -> None:
    payments = {row["transaction_id"]: row for row in tables["payment"]}
    for transaction in tables["transaction"]:
        kind, amount = ("sales_order", "units_sold"), "unit_price"
        if transaction["transaction_type"] == "PURCHASE":
            kind, amount = ("purchase_order", "item_quantity"), "item_unit_price"
        order = tables[kind[0]][transaction[f"{kind[0]}_id"] - 1]
        payment = payments[transaction["transaction_id"]]
        assert (
            order["created_at"] == order["last_updated"] == transaction["created_at"] == payment["created_at"]
        )
        assert payment["payment_amount"] == order[kind[1]] * order[amount]
        assert (payment["counterparty_id"], payment["currency_id"], payment["payment_date"]) == (
            order["counterparty_id"],
            order["currency_id"],
            order["agreed_payment_date"],
        )
        assert payment["payment_type_id"] == (1 if kind[0] == "sales_order" else 3)
        assert (transaction["sales_order_id"] is None) != (transaction["purchase_order_id"] is None)


def test_what_is_due_on_a_weekday_is_paid_that_morning_and_nothing_else(tables: dict[str, Rows]) -> None:
    batches: dict[date, set[datetime]] = {}
    for row in tables["payment"]:
        due, created = row["payment_date"], row["created_at"]
        assert row["paid"] == (due.weekday() < 5 and due > created.date() and due <= date(2024, 11, 15))
        if row["paid"]:
            assert row["last_updated"].replace(microsecond=0) == datetime.combine(due, time(7, 55, 11))
            batches.setdefault(due, set()).add(row["last_updated"])
        else:
            assert row["last_updated"] == created
    assert all(len(stamps) == 1 for stamps in batches.values())
    past = [row for row in tables["payment"] if row["payment_date"] < date(2024, 11, 15)]
    assert 0.37 < share(past, lambda row: not row["paid"]) < 0.41
    assert 16 < sum(row["paid"] for row in tables["payment"]) / len(batches) < 20


def test_silent_amendments_move_delivery_dates_and_leave_last_updated(tables: dict[str, Rows]) -> None:
    late = [
        row
        for table in ("sales_order", "purchase_order")
        for row in tables[table]
        if (row["agreed_delivery_date"] - row["created_at"].date()).days > 7
    ]
    assert 40 <= len(late) <= 130
    assert max((row["agreed_delivery_date"] - row["created_at"].date()).days for row in late) <= 649
    assert all(row["last_updated"] == row["created_at"] for row in late)


def test_numbers_stay_in_their_ranges_and_fill_them(tables: dict[str, Rows]) -> None:
    ranges: dict[tuple[str, str], tuple[Any, Any]] = {
        ("sales_order", "units_sold"): (1_001, 99_973),
        ("sales_order", "unit_price"): (Decimal("2.00"), Decimal("4.00")),
        ("purchase_order", "item_quantity"): (1, 999),
        ("purchase_order", "item_unit_price"): (Decimal("3.32"), Decimal("999.07")),
        ("payment", "company_ac_number"): (10_000_000, 99_999_999),
        ("payment", "counterparty_ac_number"): (10_000_000, 99_999_999),
    }
    for (table, column), (low, high) in ranges.items():
        found = [row[column] for row in tables[table]]
        width = high - low
        assert low <= min(found) <= low + width / 50, column
        assert high - width / 50 <= max(found) <= high, column


def test_choices_are_uniform(tables: dict[str, Rows]) -> None:
    choices_of = {
        "currency_id": 3,
        "staff_id": 20,
        "agreed_delivery_location_id": 30,
    }
    for column, choices in choices_of.items():
        counts = Counter(row[column] for row in tables["sales_order"])
        assert len(counts) == choices
        assert max(counts.values()) < 1.3 * len(tables["sales_order"]) / choices, column


def test_delivery_and_payment_days_lie_as_far_ahead_as_the_real_ones(tables: dict[str, Rows]) -> None:
    sales = tables["sales_order"]
    ahead = Counter((row["agreed_payment_date"] - row["created_at"].date()).days for row in sales)
    assert set(ahead) == set(range(7))
    assert 0.05 < ahead[0] / len(sales) < 0.10
    delivery = Counter((row["agreed_delivery_date"] - row["created_at"].date()).days for row in sales)
    assert set(range(8)) <= set(delivery)


def test_an_order_takes_a_design_that_existed(tables: dict[str, Rows]) -> None:
    born = {row["design_id"]: row["created_at"] for row in tables["design"]}
    # A silent amendment may give an order a design that is younger than itself.
    younger = [row for row in tables["sales_order"] if born[row["design_id"]] > row["created_at"]]
    assert len(younger) <= 60


def test_texts_have_the_real_shapes(tables: dict[str, Rows], small: dict[str, Rows]) -> None:
    codes = [row["item_code"] for row in tables["purchase_order"]]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[A-Z0-9]{7}", code) for code in codes)
    for row in tables["design"]:
        assert row["design_name"] in seed_rows.DESIGN_NAMES
        assert re.fullmatch(rf"{row['design_name'].lower()}-[0-9]{{8}}-[a-z0-9]{{4}}\.json", row["file_name"])
        assert row["file_location"].startswith("/")
    assert {row["design_name"] for row in tables["design"]} == set(seed_rows.DESIGN_NAMES)
    for row in small["address"]:
        assert re.fullmatch(r"\d{4} \d{6}", row["phone"])
        assert re.fullmatch(r"\d{5}(-\d{4})?", row["postal_code"])
    for row in small["staff"]:
        assert row["email_address"] == f"{row['first_name']}.{row['last_name']}@terrifictotes.com".lower()


def test_texts_are_as_awkward_as_the_real_ones(small: dict[str, Rows]) -> None:
    addresses, partners = small["address"], small["counterparty"]
    assert sum(row["address_line_2"] is None for row in addresses) == 20
    assert sum(row["district"] is None for row in addresses) == 15
    assert any(row["postal_code"].startswith("0") for row in addresses)
    assert any(row["phone"].startswith("0") for row in addresses)
    assert len({row["legal_address_id"] for row in partners}) == 15
    texts = " ".join(str(value) for table in small.values() for row in table for value in row.values())
    assert all(sign in texts for sign in (",", "&", "(", ")", "'"))
    assert any("'" in row["email_address"] for row in small["staff"])
    assert "Leds" in {row["location"] for row in small["department"]}
    assert [row["currency_code"] for row in small["currency"]] == ["GBP", "USD", "EUR"]


def test_a_scale_multiplies_everything_that_grows() -> None:
    history = History(3, 7)
    counts: Counter[str] = Counter()
    for batch in history.batches():
        counts.update({table: len(columns[f"{table}_id"]) for table, columns in batch.items()})

    assert history.events == 3 * 15_836
    assert counts == {
        "design": 3 * 473,
        "sales_order": 3 * 11_187,
        "purchase_order": 3 * 4_649,
        "transaction": 3 * 15_836,
        "payment": 3 * 15_836,
    }


@pytest.mark.parametrize("until", [date(1999, 12, 31), date(2101, 1, 1)])
def test_a_last_day_out_of_range_is_refused(until: date) -> None:
    with pytest.raises(ValueError, match="the last day is"):
        History(1, 1, until)


@pytest.mark.parametrize("scale", [0, -1, 200_000])
def test_a_scale_out_of_range_is_refused(scale: int) -> None:
    with pytest.raises(ValueError, match="the scale is"):
        History(scale, 1)


def weekdays(first: date, last: date) -> list[date]:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]
