from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import load_catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.star import projection
from tests.lake import Row, at, deletion, raw_row

CATALOG = load_catalogue()
STAR = CATALOG.star
LINEAGE = {"batch": 7, "operation": "update", "version_id": 1, "captured_at": at("2024-11-15 10:00:00.001")}


def raw(engine: Engine, table: str, *rows: Row) -> str:
    contract = CATALOG.raw[table]
    schema = pa.schema([*arrow_schema(contract), partition_schema(contract).field("batch")])
    engine.rows("raw", schema, [{**LINEAGE, **row} for row in rows])
    return "raw"


def projected(engine: Engine, star: str, table: str, *rows: Row) -> list[Row]:
    return engine.fetch(projection.incoming(STAR[star], CATALOG, raw(engine, table, *rows)))


def test_a_fact_takes_dates_times_and_exact_decimals_from_its_contract(engine: Engine) -> None:
    order = raw_row(
        "sales_order",
        5,
        staff_id=9,
        unit_price=Decimal("3.94"),
        created_at=at("2022-11-03 14:20:52.100"),
        last_updated=at("2022-12-31 23:59:59.999"),
        agreed_payment_date="2024-02-29",
    )
    (row,) = projected(engine, "fact_sales_order", "sales_order", order)
    assert row["sales_staff_id"] == 9
    assert row["unit_price"] == Decimal("3.94")
    assert (row["created_date"], row["created_time"]) == (dt.date(2022, 11, 3), "14:20:52.100")
    assert (row["last_updated_date"], row["last_updated_time"]) == (dt.date(2022, 12, 31), "23:59:59.999")
    assert row["agreed_payment_date"] == dt.date(2024, 2, 29)
    assert row["created_month"] == "2022-11"
    assert (row["batch_sequence"], row["is_deleted"]) == (7, False)
    assert row["captured_at"] == at("2024-11-15 10:00:00.001")
    assert "sales_record_id" not in row


def test_only_whole_iso_dates_are_read_and_others_are_flagged(engine: Engine) -> None:
    stated = ["2024-02-30", "2024-2-1", "01/02/2024", "", "2024-02-01 ", "2024-02-01", None]
    rows = [raw_row("payment", key, payment_date=text) for key, text in enumerate(stated, start=1)]
    found = projected(engine, "fact_payment", "payment", *rows)
    flag = "_flag_unreadable_payment_date"
    by_key = {row["payment_id"]: (row["payment_date"], row[flag]) for row in found}
    assert by_key == {
        **dict.fromkeys(range(1, 6), (None, True)),
        6: (dt.date(2024, 2, 1), False),
        7: (None, False),
    }


def test_a_deletion_brings_its_key_alone(engine: Engine) -> None:
    (row,) = projected(engine, "fact_payment", "payment", deletion("payment", 3))
    assert (row["payment_id"], row["is_deleted"], row["paid"], row["created_month"]) == (3, True, None, None)
    assert row["_flag_unreadable_payment_date"] is False


def test_currencies_have_their_iso_4217_names_and_unknown_codes_are_labelled(engine: Engine) -> None:
    rows = [
        raw_row("currency", key, currency_code=code) for key, code in enumerate(["GBP", "USD", "EUR", "QQQ"])
    ]
    names = {
        row["currency_code"]: row["currency_name"]
        for row in projected(engine, "dim_currency", "currency", *rows)
    }
    assert names == {"GBP": "Pound Sterling", "USD": "US Dollar", "EUR": "Euro", "QQQ": "Unknown (QQQ)"}


def test_a_snapshot_takes_every_source_column_as_it_is(engine: Engine) -> None:
    staff = raw_row("staff", 1, first_name="Irving", last_name="O'Keefe")
    (row,) = engine.fetch(projection.source_versions(CATALOG.raw["staff"], raw(engine, "staff", staff)))
    assert {**row, **staff} == row


def test_only_the_columns_that_a_table_is_made_of_are_read() -> None:
    columns = projection.source_columns(STAR["dim_payment_type"], CATALOG)
    assert columns == ("payment_type_id", "payment_type_name", "captured_at", "operation", "version_id")


def test_of_a_table_of_which_some_columns_are_wanted_nothing_else_is_read() -> None:
    wanted = ["created_date", "currency_id"]
    columns = projection.source_columns(STAR["fact_sales_order"], CATALOG, wanted)
    assert columns == ("created_at", "currency_id", "captured_at", "operation", "version_id")


def test_wanted_columns_are_those_of_the_whole_table(engine: Engine) -> None:
    order = raw_row("sales_order", 1, created_at=at("2024-02-29 23:59:59.999"))
    relation, wanted = raw(engine, "sales_order", order), ("created_date", "currency_id")
    (whole,) = engine.fetch(projection.incoming(STAR["fact_sales_order"], CATALOG, relation))
    (some,) = engine.fetch(projection.incoming(STAR["fact_sales_order"], CATALOG, relation, wanted))
    lineage = {"batch_sequence", "captured_at", "is_deleted", "version_id"}
    assert some == {name: whole[name] for name in (*wanted, *lineage)}
