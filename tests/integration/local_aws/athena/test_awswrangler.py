"""awswrangler, which nobody here wrote, reads through the stack as it reads through AWS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.local_aws.athena.lake import RESULTS, Lake, orders_of

OUTPUT = f"s3://{RESULTS}/wrangler/"
QUERY = (
    "SELECT order_id, price, created_at, agreed_date, is_deleted, units * price AS value "
    "FROM orders ORDER BY order_id"
)
# awswrangler itself uses what its newest pandas calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
EXPECTED = [
    (o["order_id"], o["price"], o["created_at"], o["agreed_date"], o["is_deleted"], o["units"] * o["price"])
    for month in (1, 2, 3)
    for o in orders_of(month)
]


@pytest.fixture
def wrangler(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """awswrangler with the endpoint in its environment; it polls often, so that tests do not wait."""
    for name, value in lake.endpoint.environment().items():
        monkeypatch.setenv(name, value)
    import awswrangler
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    awswrangler.config.athena_query_wait_polling_delay = 0.05
    yield awswrangler.athena
    awswrangler.config.reset()


def rows_of(frame: Any) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for order, price, created, agreed, deleted, value in frame.itertuples(index=False):
        assert isinstance(price, Decimal)
        day = agreed if isinstance(agreed, dt.date) else None
        found.append((order, price, created.to_pydatetime(), day, deleted, value))
    return found


@pytest.mark.parametrize(
    "approach", [{}, {"ctas_approach": False}, {"ctas_approach": False, "unload_approach": True}]
)
def test_a_query_reads_the_same_rows_by_every_approach(
    wrangler: Any, lake: Lake, approach: dict[str, bool]
) -> None:
    output = f"{OUTPUT}{len(approach)}/"
    frame = wrangler.read_sql_query(QUERY, database="shop", s3_output=output, **approach)
    assert (
        sorted(rows_of(frame)) == EXPECTED if approach.get("unload_approach") else rows_of(frame) == EXPECTED
    )
    assert [name for (name,) in lake.values("SHOW TABLES 'temp_table*'")] == []


@pytest.mark.parametrize("approach", [True, False])
def test_chunks_together_are_the_whole(wrangler: Any, *, approach: bool) -> None:
    chunks = list(
        wrangler.read_sql_query(
            QUERY, database="shop", s3_output=OUTPUT, ctas_approach=approach, chunksize=50
        )
    )
    assert [len(chunk) for chunk in chunks] == [50, 50, 20]
    assert [row for chunk in chunks for row in rows_of(chunk)] == EXPECTED


def test_parameters_and_metadata_calls_work(wrangler: Any) -> None:
    frame = wrangler.read_sql_query(
        "SELECT count(*) AS n FROM orders WHERE currency = ?",
        database="shop",
        ctas_approach=False,
        params=["'EUR'"],
        paramstyle="qmark",
        s3_output=OUTPUT,
    )
    assert frame["n"].tolist() == [39]
    described = wrangler.describe_table("orders", "shop", s3_output=OUTPUT)
    assert described["Column Name"].tolist()[-1] == "created_month"
    assert described["Partition"].tolist()[-2:] == [False, True]
    assert "CREATE EXTERNAL TABLE `shop`.`orders`" in wrangler.show_create_table(
        "orders", "shop", s3_output=OUTPUT
    )


def test_an_empty_answer_keeps_its_columns(wrangler: Any) -> None:
    for approach in (True, False):
        frame = wrangler.read_sql_query(
            "SELECT order_id, price FROM orders WHERE order_id < 0",
            database="shop",
            s3_output=OUTPUT,
            ctas_approach=approach,
        )
        assert (list(frame.columns), len(frame)) == (["order_id", "price"], 0)


def test_a_failed_query_is_an_exception_with_the_reason(wrangler: Any) -> None:
    import awswrangler

    with pytest.raises(awswrangler.exceptions.QueryFailed, match="Column 'nope' cannot be resolved"):
        wrangler.read_sql_query(
            "SELECT nope FROM orders", database="shop", ctas_approach=False, s3_output=OUTPUT
        )


def test_prepared_statements_and_unload_work(wrangler: Any, lake: Lake) -> None:
    wrangler.create_prepared_statement("SELECT count(*) AS n FROM orders WHERE units > ?", "wrangled")
    assert [kept["StatementName"] for kept in wrangler.list_prepared_statements("primary")] == ["wrangled"]
    frame = wrangler.read_sql_query(
        'EXECUTE "wrangled"',
        database="shop",
        ctas_approach=False,
        params=["1010"],
        paramstyle="qmark",
        s3_output=OUTPUT,
    )
    assert frame["n"].tolist() == [sum(o["units"] > 1010 for month in (1, 2, 3) for o in orders_of(month))]
    wrangler.delete_prepared_statement("wrangled")
    lake.athena.create_work_group(
        Name="wrangled", Configuration={"ResultConfiguration": {"OutputLocation": OUTPUT}}
    )
    written = wrangler.unload(
        "SELECT order_id, price FROM orders", f"s3://{RESULTS}/unloaded/", "shop", workgroup="wrangled"
    )
    assert written.raw_payload["Status"]["State"] == "SUCCEEDED"
    assert len(lake.s3.list_objects_v2(Bucket=RESULTS, Prefix="unloaded/")["Contents"]) > 0


def test_a_table_is_made_by_a_query(wrangler: Any, lake: Lake) -> None:
    made = wrangler.create_ctas_table(
        "SELECT order_id, created_month FROM orders",
        "shop",
        ctas_table="wrangled",
        s3_output=OUTPUT,
        wait=True,
    )
    assert made["ctas_table"] == "wrangled"
    assert made["ctas_query_metadata"].raw_payload["SubstatementType"] == "CREATE_TABLE_AS_SELECT"
    assert lake.values("SELECT count(*) FROM wrangled") == [("120",)]
    lake.ask("DROP TABLE wrangled")


def test_the_catalogue_calls_tell_what_is_there(wrangler: Any) -> None:
    import awswrangler

    catalog = awswrangler.catalog
    assert "shop" in catalog.databases()["Database"].tolist()
    assert catalog.does_table_exist("shop", "orders")
    assert {"price": "decimal(10,2)"}.items() <= (catalog.get_table_types("shop", "orders") or {}).items()
    assert sorted(value for (value,) in catalog.get_partitions("shop", "orders").values()) == [
        "2024-01",
        "2024-02",
        "2024-03",
    ]
    assert {"orders", "currencies"} <= set(catalog.tables(database="shop")["Table"])
    assert {"price": "the price"}.items() <= catalog.get_columns_comments("shop", "orders").items()
