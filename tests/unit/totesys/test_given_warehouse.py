"""The warehouse of totesys holds what warehouse_schema.sql gives, then what was added, then the lineage."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from catalog import warehouse
from catalog.catalogue import load_catalogue
from catalog.model import UNRESOLVED

# The given columns, in the words of the database that asked for them.
GIVEN = {
    "dim_date": (
        "date_id date pk, year integer, month integer, day integer, day_of_week integer, day_name varchar, "
        "month_name varchar, quarter integer"
    ),
    "dim_staff": (
        "staff_id integer pk, first_name varchar, last_name varchar, department_name varchar, "
        "location varchar, email_address varchar"
    ),
    "dim_location": (
        "location_id integer pk, address_line_1 varchar, address_line_2 varchar null, district varchar null, "
        "city varchar, postal_code varchar, country varchar, phone varchar"
    ),
    "dim_currency": "currency_id integer pk, currency_code varchar, currency_name varchar",
    "dim_design": "design_id integer pk, design_name varchar, file_location varchar, file_name varchar",
    "dim_counterparty": (
        "counterparty_id integer pk, counterparty_legal_name varchar, "
        "counterparty_legal_address_line_1 varchar, counterparty_legal_address_line_2 varchar null, "
        "counterparty_legal_district varchar null, "
        "counterparty_legal_city varchar, counterparty_legal_postal_code varchar, "
        "counterparty_legal_country varchar, counterparty_legal_phone_number varchar"
    ),
    "dim_transaction": (
        "transaction_id integer pk, transaction_type varchar, sales_order_id integer null, "
        "purchase_order_id integer null"
    ),
    "dim_payment_type": "payment_type_id integer pk, payment_type_name varchar",
    "fact_sales_order": (
        "sales_record_id serial pk, sales_order_id integer, created_date date > dim_date, created_time time, "
        "last_updated_date date > dim_date, last_updated_time time, sales_staff_id integer > dim_staff, "
        "counterparty_id integer > dim_counterparty, units_sold integer, unit_price numeric(10,2), "
        "currency_id integer > dim_currency, design_id integer > dim_design, "
        "agreed_payment_date date > dim_date, agreed_delivery_date date > dim_date, "
        "agreed_delivery_location_id integer > dim_location"
    ),
    "fact_purchase_orders": (
        "purchase_record_id serial pk, purchase_order_id integer, created_date date > dim_date, "
        "created_time time, last_updated_date date > dim_date, last_updated_time time, "
        "staff_id integer > dim_staff, counterparty_id integer > dim_counterparty, item_code varchar, "
        "item_quantity integer, item_unit_price numeric, currency_id integer > dim_currency, "
        "agreed_delivery_date date > dim_date, agreed_payment_date date > dim_date, "
        "agreed_delivery_location_id integer > dim_location"
    ),
    "fact_payment": (
        "payment_record_id serial pk, payment_id integer, created_date date > dim_date, created_time time, "
        "last_updated_date date > dim_date, last_updated_time time, "
        "transaction_id integer > dim_transaction, counterparty_id integer > dim_counterparty, "
        "payment_amount numeric, "
        "currency_id integer > dim_currency, payment_type_id integer > dim_payment_type, paid boolean, "
        "payment_date date > dim_date"
    ),
}
LINEAGE = "batch_sequence bigint, captured_at timestamp(3), is_deleted boolean"
OF_DIMENSIONS = ", is_inferred boolean"

CATALOGUE = load_catalogue()
TABLES = warehouse.metadata(CATALOGUE)
DIALECT = PGDialect()
WORDS = {"TIME WITHOUT TIME ZONE": "time", "TIMESTAMP(3) WITHOUT TIME ZONE": "timestamp(3)"}


def said(column: sa.Column[Any]) -> str:
    kind = column.type.compile(DIALECT)
    text = WORDS.get(kind, kind.lower().replace(", ", ","))
    if column.autoincrement is True:
        text = text.replace("integer", "serial")
    words = [column.name, text]
    words += ["pk"] if column.primary_key else []
    words += ["null"] if column.nullable else []
    words += [f"> {key.column.table.name}" for key in column.foreign_keys]
    return " ".join(words)


@pytest.mark.parametrize("table", GIVEN)
def test_a_table_is_declared_as_given_with_the_lineage_after_it(table: str) -> None:
    declared = ", ".join(said(column) for column in warehouse.table_of(TABLES, table).columns)
    further = OF_DIMENSIONS if CATALOGUE.star[table].kind == "dimension" else ""
    assert f"{declared}, ".startswith(f"{GIVEN[table]}, ")
    assert declared.endswith(f", {LINEAGE}{further}")


def test_the_warehouse_holds_the_given_tables_the_rejected_changes_and_the_load_s_own_two() -> None:
    own = {UNRESOLVED, "load_offset", "load_audit"}
    assert GIVEN.keys() <= CATALOGUE.star.keys()
    assert {table.name for table in TABLES.sorted_tables} == {*CATALOGUE.star, *own}
