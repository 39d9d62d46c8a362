"""What happens in the business is what its acts say, and happens in business hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from lakehouse.embedded_postgres import EmbeddedPostgres
from totesys import business, database, generator
from totesys.business import Act, Change, Tick

State = dict[str, dict[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def template(totesys_server: EmbeddedPostgres) -> Iterator[str]:
    """The name of a database with a generated totesys."""
    totesys_server.ensure_database("generated", owner="totesys_owner")
    dsn = totesys_server.dsn(user="totesys_owner", database="generated")
    database.create(dsn)
    generator.generate(dsn)
    yield "generated"
    with totesys_server.connect("postgres") as connection:
        connection.execute("DROP DATABASE generated WITH (FORCE)")


@pytest.fixture
def totesys(totesys_server: EmbeddedPostgres, template: str) -> str:
    """The DSN of a fresh copy of it."""
    with totesys_server.connect("postgres") as connection:
        connection.execute("DROP DATABASE IF EXISTS living WITH (FORCE)")
        connection.execute(
            sql.SQL("CREATE DATABASE living TEMPLATE {} OWNER totesys_owner").format(sql.Identifier(template))
        )
    return totesys_server.dsn(user="totesys_owner", database="living")


def state(dsn: str) -> State:
    """Every row, by table and key."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return {
            table: {
                row[f"{table}_id"]: row
                for row in connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
            }
            for table in database.TABLES
        }


def changes(before: State, after: State) -> set[Change]:
    """What differs between two states."""
    found = set()
    for table in database.TABLES:
        old, new = before[table], after[table]
        found |= {Change("insert", table, key) for key in new.keys() - old.keys()}
        found |= {Change("delete", table, key) for key in old.keys() - new.keys()}
        found |= {Change("update", table, key) for key in new.keys() & old.keys() if new[key] != old[key]}
    return found


def observe(dsn: str, act: Act, before: State) -> State:
    """The state after an act, which did exactly what it says."""
    after = state(dsn)
    assert changes(before, after) == set(act.changes)
    assert len(set(act.changes)) == len(act.changes)
    return after


def newest(rows: State) -> datetime:
    latest: datetime = max(row["last_updated"] for table in rows.values() for row in table.values())
    return latest


def test_new_orders_come_with_their_transaction_and_payment(totesys: str) -> None:
    before = state(totesys)
    act = business.place_orders(totesys, 40)
    after = observe(totesys, act, before)

    inserted = {table: [c.key for c in act.changes if c.table == table] for table in database.TABLES}
    assert len(inserted["sales_order"]) + len(inserted["purchase_order"]) == len(inserted["payment"]) == 40
    assert inserted["sales_order"]
    assert inserted["purchase_order"]
    for payment, transaction in zip(inserted["payment"], inserted["transaction"], strict=True):
        paid, booked = after["payment"][payment], after["transaction"][transaction]
        kind = "sales_order" if booked["transaction_type"] == "SALE" else "purchase_order"
        order = after[kind][booked[f"{kind}_id"]]
        names = ("units_sold", "unit_price")
        if kind == "purchase_order":
            names = ("item_quantity", "item_unit_price")
        assert paid["transaction_id"] == transaction
        assert paid["payment_amount"] == order[names[0]] * order[names[1]]
        assert order["created_at"] == order["last_updated"] == booked["created_at"] == paid["created_at"]
        assert order["created_at"] > newest(before)
        assert order["created_at"].weekday() < 5
        assert time(8) <= order["created_at"].time() < time(19)
        assert paid["paid"] is False


def test_the_morning_batch_marks_what_is_due_with_one_stamp(totesys: str) -> None:
    before = state(totesys)
    act = business.morning_paid_batch(totesys)
    after = observe(totesys, act, before)

    stamps = {after["payment"][change.key]["last_updated"] for change in act.changes}
    assert len(act.changes) > 3
    assert len(stamps) == 1
    stamp = stamps.pop()
    # The generated data end on a Friday afternoon; the next working day is Monday.
    assert stamp.replace(microsecond=0) == datetime.fromisoformat("2024-11-18T07:55:11")
    assert all(after["payment"][c.key]["payment_date"] == "2024-11-18" for c in act.changes)
    assert all(after["payment"][c.key]["paid"] for c in act.changes)


def test_an_address_and_a_department_change_and_say_when(totesys: str) -> None:
    before = state(totesys)
    address = business.change_address(totesys)
    between = observe(totesys, address, before)
    department = business.change_department(totesys)
    after = observe(totesys, department, between)

    key = address.changes[0].key
    assert key in {row["legal_address_id"] for row in after["counterparty"].values()}
    assert after["address"][key]["address_line_1"] != before["address"][key]["address_line_1"]
    key = department.changes[0].key
    assert key in {row["department_id"] for row in after["staff"].values()}
    assert after["department"][key]["location"] != before["department"][key]["location"]
    assert after["department"][key]["last_updated"] > newest(between)


@pytest.mark.slow
def test_a_silent_amendment_changes_one_column_and_not_last_updated(totesys: str) -> None:
    columns = set()
    for seed in range(4):
        before = state(totesys)
        act = business.silent_amendment(totesys, seed)
        after = observe(totesys, act, before)
        key = act.changes[0].key
        old, new = before["sales_order"][key], after["sales_order"][key]
        assert [name for name in old if old[name] != new[name]] == [act.column]
        columns.add(act.column)
    assert columns == set(business.AMENDED)


def test_a_deletion_takes_the_order_with_its_transaction_and_payment(totesys: str) -> None:
    before = state(totesys)
    act = business.delete_an_order(totesys)
    after = observe(totesys, act, before)

    assert [(c.operation, c.table) for c in act.changes] == [
        ("delete", "payment"),
        ("delete", "transaction"),
        ("delete", "sales_order"),
    ]
    # The business goes on after it.
    business.place_orders(totesys, 3)
    assert business.delete_an_order(totesys).changes != act.changes
    assert len(after["sales_order"]) == len(before["sales_order"]) - 1


def test_three_ticks_hold_everything_that_can_happen(totesys: str) -> None:
    ticks = []
    for number in (1, 2, 3):
        before = state(totesys)
        tick = business.live_one_tick(totesys, number)
        found = changes(before, state(totesys))
        assert tick.rows() == {
            table: sum(change.table == table for change in found)
            for table in database.TABLES
            if any(change.table == table for change in found)
        }
        ticks.append(tick)

    assert {act.kind for tick in ticks for act in tick.acts} == {
        "morning_paid_batch",
        "place_orders",
        "silent_amendment",
        "change_address",
        "change_department",
        "delete_an_order",
    }
    assert all(act.words for tick in ticks for act in tick.acts)


def test_the_same_seed_lives_the_same_life(
    totesys: str, totesys_server: EmbeddedPostgres, template: str
) -> None:
    first = [business.live_one_tick(totesys, number) for number in (1, 2, 3)]
    after = state(totesys)
    with totesys_server.connect("postgres") as connection:
        connection.execute("DROP DATABASE living WITH (FORCE)")
        connection.execute(
            sql.SQL("CREATE DATABASE living TEMPLATE {} OWNER totesys_owner").format(sql.Identifier(template))
        )

    assert [business.live_one_tick(totesys, number) for number in (1, 2, 3)] == first
    assert state(totesys) == after


def test_an_empty_totesys_has_no_business(empty: str) -> None:
    with pytest.raises(ValueError, match="totesys is empty"):
        business.morning_paid_batch(empty)
    with pytest.raises(ValueError, match="the table sales_order is empty"):
        business.delete_an_order(empty)


def test_rows_of_a_tick_count_a_row_once_and_forget_what_came_and_went() -> None:
    tick = Tick(
        1,
        (
            Act("a", "", (Change("insert", "design", 1), Change("insert", "design", 2))),
            Act("b", "", (Change("update", "design", 1), Change("delete", "design", 2))),
            Act("c", "", (Change("delete", "staff", 3),)),
        ),
    )
    assert tick.rows() == {"design": 1, "staff": 1}
