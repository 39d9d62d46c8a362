"""What the contracts of totesys say."""

from __future__ import annotations

from jsonschema import Draft7Validator

from catalog.catalogue import load_catalogue
from catalog.glue import database_input
from catalog.json_schema import json_schema
from catalog.model import UNRESOLVED
from tools.published_contracts import check, published_folder

CATALOGUE = load_catalogue()
SOURCE_TABLES = {
    *("address", "counterparty", "currency", "department", "design", "payment", "payment_type"),
    *("purchase_order", "sales_order", "staff", "transaction"),
}
STAR_TABLES = {
    *("dim_counterparty", "dim_currency", "dim_date", "dim_design", "dim_location", "dim_payment_type"),
    *("dim_staff", "dim_transaction", "fact_payment", "fact_purchase_orders", "fact_sales_order"),
}


def test_the_catalogue_holds_the_eleven_source_tables_and_the_eleven_of_the_star() -> None:
    assert set(CATALOGUE.raw) >= SOURCE_TABLES
    assert set(CATALOGUE.star) >= {*STAR_TABLES, UNRESOLVED}
    assert {"batch_records", "heartbeats", "reconciliations"} <= set(CATALOGUE.ops)


def test_personal_data_of_the_source_is_personal_in_the_star() -> None:
    personal = {c.name for c in CATALOGUE.star["dim_staff"].columns if c.personal}
    assert personal == {"first_name", "last_name", "email_address"}


def test_account_numbers_never_reach_the_star() -> None:
    sources = {name for table in CATALOGUE.star.values() for c in table.columns for name in c.inputs}
    assert not {s for s in sources if "ac_number" in s}


def test_each_zone_is_a_database() -> None:
    names = [database_input(zone)["Name"] for zone in CATALOGUE.zones.values()]
    redacted = ["totesys_raw_redacted", "totesys_star_redacted"]
    assert names == ["totesys_raw", "totesys_dead_letter", "totesys_star", "totesys_ops", *redacted]


def test_the_json_schema_carries_the_rules_of_a_column() -> None:
    payment_type = Draft7Validator(
        json_schema(CATALOGUE.raw["payment_type"])["properties"]["payment_type_name"]
    )
    assert payment_type.is_valid("SALES_RECEIPT")
    assert not payment_type.is_valid("GIFT")
    units = Draft7Validator(json_schema(CATALOGUE.raw["sales_order"])["properties"]["units_sold"])
    assert units.is_valid(1000)
    assert not units.is_valid(999)
    district = Draft7Validator(json_schema(CATALOGUE.raw["address"])["properties"]["district"])
    assert district.is_valid(None)


def test_they_are_what_is_published() -> None:
    assert check(CATALOGUE, published_folder()) == []
