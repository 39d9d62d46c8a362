from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from catalog.catalogue import load_catalogue
from catalog.spark import spark_schema
from catalog.types import TYPE_TABLE, LogicalType, placeholder, spark_type
from glue_jobs.star import members
from glue_jobs.star.local import local_frame
from glue_jobs.star.shape import shape_of
from tests.spark_lake import at, deletion, raw_row

STAR = load_catalogue().star
RAW = load_catalogue().raw
SEEN = at("2024-03-31 23:59:59.999")


def test_accepted_rows_refer_to_the_keys_of_dimensions_and_deletions_to_nothing(spark: SparkSession) -> None:
    rows = [
        raw_row("payment", 1, transaction_id=7, counterparty_id=8, currency_id=9, payment_type_id=None),
        deletion("payment", 2, transaction_id=70),
    ]
    lineage = {"operation": "insert", "version_id": 1, "captured_at": SEEN, "batch": 4}
    schema = spark_schema(RAW["payment"], with_partitions=True)
    ddl = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in schema)
    raw = local_frame(spark, [{**lineage, **row} for row in rows], ddl)
    named = {"dim_transaction", "dim_counterparty", "dim_currency", "dim_payment_type"}
    found = members.references(STAR["fact_payment"], raw, named).orderBy("dimension").collect()
    assert [tuple(row) for row in found] == [
        ("dim_counterparty", 8, 4, SEEN),
        ("dim_currency", 9, 4, SEEN),
        ("dim_transaction", 7, 4, SEEN),
    ]


def test_an_inferred_member_says_so_and_holds_placeholders_where_it_may_not_be_empty(
    spark: SparkSession,
) -> None:
    keys = local_frame(
        spark,
        [
            {"dimension": "dim_transaction", "key": 7, "batch_sequence": 4, "captured_at": SEEN},
            {"dimension": "dim_design", "key": 8, "batch_sequence": 4, "captured_at": SEEN},
        ],
        "dimension string, key bigint, batch_sequence bigint, captured_at timestamp_ntz",
    )
    dimension = STAR["dim_transaction"]
    made = members.members(dimension, keys)
    (row,) = made.select(*shape_of(dimension).columns).collect()
    assert row.asDict() == {
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
    stated = {field.name: field.dataType for field in spark_schema(dimension)}
    assert {name: made.schema[name].dataType for name in stated} == stated


def test_every_type_has_a_placeholder_that_is_a_value_of_it(spark: SparkSession) -> None:
    types = [LogicalType(name, *((10, 2) if name == "decimal" else ())) for name in TYPE_TABLE]
    cells = [F.lit(placeholder(kind)).cast(spark_type(kind)).alias(kind.name) for kind in types]
    row = spark.range(1).select(*cells).first()
    assert row is not None
    values = row.asDict()
    assert None not in values.values()
    assert (values["text"], values["boolean"], values["date"]) == (
        "Not yet known",
        False,
        dt.date(1970, 1, 1),
    )
