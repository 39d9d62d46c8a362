"""The living business: what staff and the nightly job of totesys do to its rows, one act at a time.

Each act is one transaction by the application's own role and happens in business time: after the last stamp
that the database holds, on working days between 08:00 and 18:59, so it is the same whenever it is run. What
is chosen follows from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from glue_jobs.runtime.connections import ENCODING
from totesys import seed_rows
from totesys.database import key_of

OPENS = time(8)
CLOSES = time(19)
PAID_AT = time(7, 55, 11)
LONGEST_BREAK_MINUTES = 25

AMENDED = ("design_id", "staff_id", "agreed_delivery_date", "agreed_delivery_location_id")
"""The columns of a sales order that are edited in silence."""

ORDERS_A_TICK = 12
ADDRESS_TICK = 2
DELETION_TICK = 3
"""From these ticks on, every third tick has such an act."""

_STREETS = ("Spindle", "Treadle", "Raglan", "Gabardine", "Organza", "Chenille")
_CITIES = ("Amberwick", "Thistleford", "Copperhaven", "Larkmoor", "Windle St Mary")
_PLACES = ("Leeds", "Bradford", "Halifax", "Wakefield", "Huddersfield")


@dataclass(frozen=True)
class Change:
    """One row that an act touched.

    Attributes:
        operation: ``insert``, ``update`` or ``delete``.
        table: The source table.
        key: The row's id.
    """

    operation: str
    table: str
    key: int


@dataclass(frozen=True)
class Act:
    """One thing that happened.

    Attributes:
        kind: The name of the function that did it.
        words: What happened, as a sentence.
        changes: Every row that it touched, once.
        column: The column that an edit changed.
    """

    kind: str
    words: str
    changes: tuple[Change, ...]
    column: str = ""


@dataclass(frozen=True)
class Tick:
    """What happened between two runs of the pipeline.

    Attributes:
        number: From 1.
        acts: In the order in which they happened.
    """

    number: int
    acts: tuple[Act, ...]

    def rows(self) -> dict[str, int]:
        """How many rows a capture after this tick finds changed, by table.

        A row that several acts touched is captured once; one that came and went in between, never.
        """
        touched: dict[tuple[str, int], list[str]] = {}
        for change in (change for act in self.acts for change in act.changes):
            touched.setdefault((change.table, change.key), []).append(change.operation)
        counts: dict[str, int] = {}
        for (table, _), operations in touched.items():
            if not (operations[0] == "insert" and operations[-1] == "delete"):
                counts[table] = counts.get(table, 0) + 1
        return counts


def place_orders(dsn: str, count: int, seed: int = 1) -> Act:
    """Make orders, sales and purchases in their usual mix, each with its transaction and its payment."""
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        chance = random.Random(f"orders {seed}")  # noqa: S311 - no secret hangs on it
        moment = _now(connection)
        changes: list[Change] = []
        for _ in range(count):
            moment = _later(moment, chance)
            sale = chance.random() < 0.7
            changes += _place_order(connection, moment, sale, chance)
    sales = sum(change.table == "sales_order" for change in changes)
    return Act(
        "place_orders",
        f"{sales} sales and {count - sales} purchases came in, each with its transaction and payment",
        tuple(changes),
    )


def morning_paid_batch(dsn: str) -> Act:
    """Mark, at 07:55:11 of the next working day, every payment due that day as paid, in one statement."""
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        day = _next_working_day(_now(connection).date())
        stamp = datetime.combine(day, PAID_AT) + timedelta(milliseconds=day.toordinal() * 7 % 1_000)
        paid = connection.execute(
            "UPDATE payment SET paid = true, last_updated = %s"
            " WHERE NOT paid AND payment_date = %s AND created_at < %s RETURNING payment_id",
            [stamp, day.isoformat(), datetime.combine(day, time())],
        ).fetchall()
    return Act(
        "morning_paid_batch",
        f"{stamp:%A}, 07:55:11: {len(paid)} payments that are due were marked paid",
        tuple(Change("update", "payment", key) for (key,) in sorted(paid)),
    )


def change_address(dsn: str, seed: int = 1) -> Act:
    """Move an address that a counterparty is registered at; last_updated says so."""
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        chance = random.Random(f"address {seed}")  # noqa: S311 - no secret hangs on it
        used = connection.execute("SELECT DISTINCT legal_address_id FROM counterparty ORDER BY 1").fetchall()
        key = chance.choice(used)[0]
        line = f"{chance.randint(1, 9_999)} {chance.choice(_STREETS)} Street"
        connection.execute(
            "UPDATE address SET address_line_1 = %s, city = %s, last_updated = %s WHERE address_id = %s",
            [line, chance.choice(_CITIES), _later(_now(connection), chance), key],
        )
    return Act(
        "change_address",
        f"the registered address {key} moved to another street and town",
        (Change("update", "address", key),),
        "address_line_1",
    )


def change_department(dsn: str, seed: int = 1) -> Act:
    """Move a department that has staff to another town; no row of staff changes."""
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        chance = random.Random(f"department {seed}")  # noqa: S311 - no secret hangs on it
        staffed = connection.execute(
            "SELECT department_id, department_name, location, count(*) FROM department JOIN staff"
            " USING (department_id) GROUP BY 1 ORDER BY 1"
        ).fetchall()
        key, name, location, people = chance.choice(staffed)
        new = chance.choice([place for place in _PLACES if place != location])
        connection.execute(
            "UPDATE department SET location = %s, last_updated = %s WHERE department_id = %s",
            [new, _later(_now(connection), chance), key],
        )
    return Act(
        "change_department",
        f"the department {name} ({people} staff) moved to {new}",
        (Change("update", "department", key),),
        "location",
    )


def silent_amendment(dsn: str, seed: int = 1) -> Act:
    """Edit one column of some sales order of the past and leave last_updated as it was."""
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        chance = random.Random(f"amendment {seed}")  # noqa: S311 - no secret hangs on it
        column = AMENDED[seed % len(AMENDED)]
        key = _some_key(connection, "sales_order", chance)
        current = _one(
            connection.execute(
                sql.SQL("SELECT {} FROM sales_order WHERE sales_order_id = %s").format(
                    sql.Identifier(column)
                ),
                [key],
            )
        )
        connection.execute(
            sql.SQL("UPDATE sales_order SET {} = %s WHERE sales_order_id = %s").format(
                sql.Identifier(column)
            ),
            [_amended(connection, column, current, chance), key],
        )
    return Act(
        "silent_amendment",
        f"sales order {key} was amended ({column}), and last_updated was left as it was",
        (Change("update", "sales_order", key),),
        column,
    )


def delete_an_order(dsn: str, seed: int = 1) -> Act:
    """Take a sales order away, with the payment and the transaction that hang on it."""
    with psycopg.connect(dsn, client_encoding=ENCODING) as connection:
        chance = random.Random(f"deletion {seed}")  # noqa: S311 - no secret hangs on it
        key = _some_key(connection, "sales_order", chance)
        transaction = _one(
            connection.execute("SELECT transaction_id FROM transaction WHERE sales_order_id = %s", [key])
        )
        payment = _one(
            connection.execute(
                "DELETE FROM payment WHERE transaction_id = %s RETURNING payment_id", [transaction]
            )
        )
        connection.execute("DELETE FROM transaction WHERE transaction_id = %s", [transaction])
        connection.execute("DELETE FROM sales_order WHERE sales_order_id = %s", [key])
    return Act(
        "delete_an_order",
        f"sales order {key} was deleted, with its transaction and its payment",
        (
            Change("delete", "payment", payment),
            Change("delete", "transaction", transaction),
            Change("delete", "sales_order", key),
        ),
    )


def live_one_tick(dsn: str, number: int, seed: int = 1) -> Tick:
    """Let one business day pass.

    Every tick has the morning's paid batch, new orders and a silent amendment; the second of three has a
    changed address and department, the third a deletion.

    Args:
        dsn: totesys, as the application's role.
        number: The tick, from 1.
        seed: Names the course of events.
    """
    ours = seed * 1_000 + number
    acts: list[Callable[[], Act]] = [
        lambda: morning_paid_batch(dsn),
        lambda: place_orders(dsn, ORDERS_A_TICK, ours),
        lambda: silent_amendment(dsn, ours),
    ]
    if number % 3 == ADDRESS_TICK:
        acts += [lambda: change_address(dsn, ours), lambda: change_department(dsn, ours)]
    if number % 3 == DELETION_TICK % 3:
        acts.append(lambda: delete_an_order(dsn, ours))
    return Tick(number, tuple(act() for act in acts))


# ---------------------------------------------------------------------- parts


def _place_order(
    connection: psycopg.Connection, moment: datetime, sale: bool, chance: random.Random
) -> list[Change]:
    order = {
        "created_at": moment,
        "last_updated": moment,
        "staff_id": chance.randint(1, len(seed_rows.STAFF)),
        "counterparty_id": chance.randint(1, len(seed_rows.COUNTERPARTIES)),
        "currency_id": chance.randint(1, len(seed_rows.CURRENCY_CODES)),
        "agreed_delivery_date": (moment + timedelta(days=7) * chance.random()).date().isoformat(),
        "agreed_payment_date": (moment + timedelta(days=6) * chance.random()).date().isoformat(),
        "agreed_delivery_location_id": chance.randint(1, len(seed_rows.ADDRESSES)),
    }
    if sale:
        table = "sales_order"
        units, price = chance.randint(1_001, 99_973), Decimal(chance.randint(200, 400)) / 100
        order |= {
            "design_id": _some_key(connection, "design", chance),
            "units_sold": units,
            "unit_price": price,
        }
    else:
        table = "purchase_order"
        units, price = chance.randint(1, 999), Decimal(chance.randint(332, 99_907)) / 100
        code = "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=7))
        order |= {"item_code": code, "item_quantity": units, "item_unit_price": price}
    order_id = _insert(connection, table, order)
    stamps = {"created_at": moment, "last_updated": moment}
    transaction_id = _insert(
        connection,
        "transaction",
        {"transaction_type": "SALE" if sale else "PURCHASE", f"{table}_id": order_id, **stamps},
    )
    payment_id = _insert(
        connection,
        "payment",
        {
            "transaction_id": transaction_id,
            "counterparty_id": order["counterparty_id"],
            "payment_amount": units * price,
            "currency_id": order["currency_id"],
            "payment_type_id": seed_rows.SALES_RECEIPT if sale else seed_rows.PURCHASE_PAYMENT,
            "paid": False,
            "payment_date": order["agreed_payment_date"],
            "company_ac_number": chance.randint(10_000_000, 99_999_999),
            "counterparty_ac_number": chance.randint(10_000_000, 99_999_999),
            **stamps,
        },
    )
    return [
        Change("insert", table, order_id),
        Change("insert", "transaction", transaction_id),
        Change("insert", "payment", payment_id),
    ]


def _insert(connection: psycopg.Connection, table: str, row: dict[str, Any]) -> int:
    key = _one(
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                sql.Identifier(key_of(table)),
            ),
            list(row.values()),
        )
    )
    return int(key)


def _amended(connection: psycopg.Connection, column: str, current: Any, chance: random.Random) -> Any:
    """Another value for a column of a sales order."""
    if column == "agreed_delivery_date":
        day = _now(connection).date() + timedelta(days=chance.randint(1, 7))
        return (day if day.isoformat() != current else day + timedelta(days=7)).isoformat()
    table = {"design_id": "design", "staff_id": "staff", "agreed_delivery_location_id": "address"}[column]
    value = current
    while value == current:
        value = _some_key(connection, table, chance)
    return value


def _some_key(connection: psycopg.Connection, table: str, chance: random.Random) -> int:
    """The key of some row, all alike; deletions leave gaps, so it looks upwards and then from the start."""
    key, name = sql.Identifier(key_of(table)), sql.Identifier(table)
    newest = _one(connection.execute(sql.SQL("SELECT max({}) FROM {}").format(key, name)))
    if newest is None:
        raise ValueError(f"the table {table} is empty: there is nothing to choose")
    return int(
        _one(
            connection.execute(
                sql.SQL("SELECT {key} FROM {table} WHERE {key} >= %s ORDER BY {key} LIMIT 1").format(
                    key=key, table=name
                ),
                [chance.randint(1, int(newest))],
            )
        )
    )


def _now(connection: psycopg.Connection) -> datetime:
    """The last moment that the business's rows tell of."""
    moment = _one(
        connection.execute(
            "SELECT greatest((SELECT max(last_updated) FROM payment),"
            " (SELECT max(created_at) FROM transaction),"
            " (SELECT max(last_updated) FROM address), (SELECT max(last_updated) FROM department))"
        )
    )
    if moment is None:
        raise ValueError("totesys is empty: generate or load it first")
    return moment  # type: ignore[no-any-return]


def _later(moment: datetime, chance: random.Random) -> datetime:
    """A while later in working hours, or the next morning."""
    milliseconds = chance.randint(1_000, LONGEST_BREAK_MINUTES * 60_000)
    later = moment + timedelta(milliseconds=milliseconds)
    if later.time() < OPENS and _is_working_day(later.date()):
        return datetime.combine(later.date(), OPENS) + timedelta(milliseconds=milliseconds)
    if later.time() >= CLOSES or later.date() != moment.date() or not _is_working_day(later.date()):
        return datetime.combine(_next_working_day(moment.date()), OPENS) + timedelta(
            milliseconds=milliseconds
        )
    return later


def _next_working_day(day: date) -> date:
    day += timedelta(days=1)
    while not _is_working_day(day):
        day += timedelta(days=1)
    return day


def _is_working_day(day: date) -> bool:
    return day.weekday() < 5


def _one(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    return None if row is None else row[0]
