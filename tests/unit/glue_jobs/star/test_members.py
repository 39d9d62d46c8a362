from __future__ import annotations

import datetime as dt

import pyarrow as pa

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import load_catalogue
from catalog.types import TYPE_TABLE, LogicalType, placeholder, sql_type
from glue_jobs.engine.protocol import Engine
from glue_jobs.star import members, projection
from tests.lake import at, deletion, raw_row

CATALOG = load_catalogue()
STAR, RAW = CATALOG.star, CATALOG.raw
SEEN = at("2024-03-31 23:59:59.999")


def test_accepted_rows_refer_to_the_keys_of_dimensions_and_deletions_to_nothing(engine: Engine) -> None:
    rows = [
        raw_row("payment", 1, transaction_id=7, counterparty_id=8, currency_id=9, payment_type_id=None),
        deletion("payment", 2, transaction_id=70),
    ]
    lineage = {"operation": "insert", "version_id": 1, "captured_at": SEEN, "batch": 4}
    contract = RAW["payment"]
    schema = pa.schema([*arrow_schema(contract), partition_schema(contract).field("batch")])
    engine.rows("raw", schema, [{**lineage, **row} for row in rows])
    engine.view("incoming", projection.incoming(STAR["fact_payment"], CATALOG, "raw"))
    names = ("dim_transaction", "dim_counterparty", "dim_currency", "dim_payment_type")
    named = {name: STAR[name] for name in names}
    text = members.references(STAR["fact_payment"], "incoming", named)
    assert text.count("incoming") == 1, "a fact is read once, however many dimensions it refers to"
    found = engine.fetch(text)
    assert sorted(tuple(row.values()) for row in found) == [
        ("dim_counterparty", 8, 4, SEEN),
        ("dim_currency", 9, 4, SEEN),
        ("dim_transaction", 7, 4, SEEN),
    ]


def test_an_inferred_member_says_so_and_holds_placeholders_where_it_may_not_be_empty(
    engine: Engine,
) -> None:
    schema = pa.schema(
        [
            ("dimension", pa.string()),
            ("member_key", pa.int64()),
            ("batch_sequence", pa.int64()),
            ("captured_at", pa.timestamp("ms")),
        ]
    )
    keys = [
        {"dimension": "dim_transaction", "member_key": 7, "batch_sequence": 4, "captured_at": SEEN},
        {"dimension": "dim_design", "member_key": 8, "batch_sequence": 4, "captured_at": SEEN},
    ]
    engine.rows("keys", schema, keys)
    dimension = STAR["dim_transaction"]
    columns = ", ".join(projection.spec_of(dimension, CATALOG).columns)
    (row,) = engine.fetch(f"SELECT {columns} FROM ({members.members(dimension, CATALOG, 'keys')}) AS made")
    assert row == {
        "transaction_id": 7,
        "transaction_type": "Not yet known",
        "sales_order_id": None,
        "purchase_order_id": None,
        "created_month": "2024-03",
        "is_inferred": True,
        "batch_sequence": 4,
        "captured_at": SEEN,
        "is_deleted": False,
    }


def test_every_type_has_a_placeholder_that_is_a_value_of_it(engine: Engine) -> None:
    types = [LogicalType(name, *((10, 2) if name == "decimal" else ())) for name in TYPE_TABLE]
    cells = [f"CAST('{placeholder(kind)}' AS {sql_type(kind)}) AS \"of_{kind.name}\"" for kind in types]
    (values,) = engine.fetch(f"SELECT {', '.join(cells)}")
    assert None not in values.values()
    assert (values["of_text"], values["of_boolean"], values["of_date"]) == (
        "Not yet known",
        False,
        dt.date(1970, 1, 1),
    )
