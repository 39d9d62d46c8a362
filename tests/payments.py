"""A warehouse of payments that a test states, and the function that answers over it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
import sqlalchemy as sa

from catalog import warehouse
from catalog.catalogue import load_catalogue
from glue_jobs.warehouse import schema
from lakehouse.embedded_postgres import EmbeddedPostgres
from lakehouse.payments import grants_of
from local_aws.gateway.http_api import GatewayRequest, HttpApi
from payments_api.schedule import DIRECTIONS

OWNER, READER = "warehouse_loader", "payments_reader"

REPORTING = "GBP"
CURRENCIES = {1: "GBP", 2: "EUR", 3: "USD", 4: "RUB"}
TYPES = dict(enumerate(DIRECTIONS, start=1))
COUNTERPARTIES = {number: f"Counterparty {number}" for number in range(1, 4)}


FIRST_DAY, LAST_DAY = dt.date(2023, 1, 1), dt.date(2027, 12, 31)
"""The calendar's."""

_PLAIN: Mapping[str, Any] = {
    "bigint": 1,
    "boolean": False,
    "date": dt.date(2024, 11, 14),
    "decimal": Decimal("2.50"),
    "integer": 1,
    "text": "text",
    "time": dt.time(9, 30),
    "timestamp": dt.datetime(2024, 11, 14, 9, 30),  # noqa: DTZ001 - the lake's times have no zone
}


@dataclass(frozen=True)
class Rate:
    """What a provider published: so many units of a currency for one euro."""

    day: dt.date
    currency: str
    units: Decimal


@dataclass(frozen=True)
class Version:
    """One version of a payment, as the star holds it.

    Attributes:
        id: The payment.
        due: The day on which it is due.
        batch: Orders the versions.
    """

    id: int
    due: dt.date
    batch: int = 1
    amount: Decimal = Decimal("10.00")
    currency: str = "GBP"
    type: str = "SALES_RECEIPT"
    counterparty: int = 1
    paid: bool = False
    deleted: bool = False


class PaymentsWarehouse:
    """The star's tables in a database, and the role that reads the payments.

    Attributes:
        dsn: Of the role that reads.
    """

    def __init__(self, server: EmbeddedPostgres, database: str) -> None:
        server.ensure_role(OWNER)
        server.ensure_role(READER)
        server.ensure_database(database, OWNER)
        self.dsn = server.dsn(READER, database)
        self.owner = server.dsn(OWNER, database)
        self.superuser = server.dsn(database=database)
        self.catalogue = load_catalogue()
        self._tables = warehouse.metadata(self.catalogue)
        engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(self.owner))
        with engine.begin() as connection:
            schema.install(connection, self._tables, warehouse.views(self.catalogue, self._tables))
        engine.dispose()
        with psycopg.connect(self.owner) as owner:
            for statement in grants_of(READER):
                owner.execute(statement.encode())
        for table, column, values in (
            ("dim_currency", "currency_code", CURRENCIES),
            ("dim_payment_type", "payment_type_name", TYPES),
            ("dim_counterparty", "counterparty_legal_name", COUNTERPARTIES),
        ):
            key = self.catalogue.star[table].key[0]
            self.insert(table, [{key: number, column: text} for number, text in values.items()])
        days = (FIRST_DAY + dt.timedelta(number) for number in range((LAST_DAY - FIRST_DAY).days + 1))
        self.insert("dim_date", [{"date_id": day} for day in days])

    def publish(self, rates: Iterable[Rate]) -> None:
        """Have these rates, and no others."""
        with psycopg.connect(self.owner) as connection:
            connection.execute("DELETE FROM fact_exchange_rate")
        rows = [
            {
                "rate_record_id": number,
                "rate_id": number,
                "rate_date": rate.day,
                "currency_code": rate.currency,
                "provider": "ecb",
                "base_currency": "EUR",
                "units_per_base": rate.units,
            }
            for number, rate in enumerate(rates, start=1)
        ]
        if rows:
            self.insert("fact_exchange_rate", rows)

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows; what one leaves out gets a plain value."""
        contract = self.catalogue.star[table]
        plain = {column.name: _PLAIN[column.type.name] for column in contract.all_columns}
        whole = [{**plain, **row} for row in rows]
        names = ", ".join(f'"{name}"' for name in plain)
        values = ", ".join(f"%({name})s" for name in plain)
        with psycopg.connect(self.superuser) as connection, connection.cursor() as cursor:
            # What rows refer to is none of these tests' business.
            cursor.execute("SET session_replication_role = replica")
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})".encode(), whole)

    def put(self, versions: Iterable[Version]) -> None:
        """Have these versions, and no others."""
        numbers = {text: number for known in (CURRENCIES, TYPES) for number, text in known.items()}
        with psycopg.connect(self.owner) as connection:
            connection.execute("DELETE FROM fact_payment")
        rows = [
            {
                "payment_record_id": number,
                "payment_id": one.id,
                "payment_date": one.due,
                "payment_amount": one.amount,
                "currency_id": numbers[one.currency],
                "payment_type_id": numbers[one.type],
                "counterparty_id": one.counterparty,
                "paid": one.paid,
                "batch_sequence": one.batch,
                "is_deleted": one.deleted,
            }
            for number, one in enumerate(versions, start=1)
        ]
        if rows:
            self.insert("fact_payment", rows)

    def loaded(self, last_batch: int, lake: str | None = None) -> None:
        """Say how far the warehouse is."""
        with psycopg.connect(self.owner) as connection:
            connection.execute("DELETE FROM load_offset")
            for stage in ("dimensions", "facts"):
                connection.execute(
                    "INSERT INTO load_offset (stage, sequence, last_batch, loaded_at, lake) "
                    "VALUES (%s, %s, %s, now(), %s)",
                    [stage, last_batch, last_batch, lake],
                )


@dataclass(frozen=True)
class Asked:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: Any


def ask(api: HttpApi, target: str, method: str = "GET", **headers: str) -> Asked:
    """What the function behind a gateway answers to a path and its query."""
    path, _, query = target.partition("?")
    stated = [
        ("Host", "payments.example"),
        *((name.replace("_", "-"), text) for name, text in headers.items()),
    ]
    said = api.answer(GatewayRequest(method, path, query, stated))
    kind = said.headers.get("content-type", "")
    return Asked(
        said.status, said.headers, json.loads(said.body) if "json" in kind and said.body else said.body
    )


def ids(asked: Asked) -> list[int]:
    """The payments that were answered, in their order."""
    assert asked.status == 200, asked.body
    return [payment["payment_id"] for payment in asked.body["payments"]]
