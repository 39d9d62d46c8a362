"""PyAthena, which nobody here wrote, reads through the stack as it reads through AWS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs
import pytest
import sqlalchemy as sa

from tests.integration.local_aws.athena.lake import RESULTS, Lake, orders_of

OUTPUT = f"s3://{RESULTS}/pyathena/"
COLUMNS = ("order_id", "units", "price", "currency", "created_at", "agreed_date", "is_deleted")
QUERY = f"SELECT {', '.join(COLUMNS)} FROM orders ORDER BY order_id"
ORDERS = [order for month in (1, 2, 3) for order in orders_of(month)]
EXPECTED = [tuple(order[name] for name in COLUMNS) for order in ORDERS]
Connect = Callable[..., Any]


@pytest.fixture
def connect(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Opens connections to the database `shop`, with the endpoint in the environment alone."""
    for name, value in lake.endpoint.environment().items():
        monkeypatch.setenv(name, value)
    import pyathena

    settings: dict[str, Any] = {"s3_staging_dir": OUTPUT, "schema_name": "shop", "poll_interval": 0.02}
    return lambda **more: pyathena.connect(**settings, **more)


def test_the_db_api_gives_every_type_page_by_page(connect: Connect) -> None:
    cursor = connect().cursor()
    cursor.arraysize = 50
    cursor.execute(QUERY)
    assert [(name, kind) for name, kind, *_ in cursor.description] == [
        ("order_id", "integer"),
        ("units", "integer"),
        ("price", "decimal"),
        ("currency", "varchar"),
        ("created_at", "timestamp"),
        ("agreed_date", "date"),
        ("is_deleted", "boolean"),
    ]
    assert cursor.fetchmany(2) == EXPECTED[:2]
    assert cursor.fetchall() == EXPECTED[2:]
    assert cursor.data_scanned_in_bytes > 0
    assert cursor.output_location.startswith(OUTPUT)


def test_parameters_are_bound_in_both_styles(connect: Connect) -> None:
    named = "SELECT count(*) FROM orders WHERE currency = %(currency)s AND price >= %(least)s"
    cursor = connect().cursor()
    expected = sum(o["currency"] == "EUR" and o["price"] >= Decimal("2.10") for o in ORDERS)
    assert cursor.execute(named, {"currency": "EUR", "least": Decimal("2.10")}).fetchone() == (expected,)
    marks = "SELECT count(*) FROM orders WHERE currency = ? AND created_at >= ?"
    cursor.execute(marks, ["'EUR'", "TIMESTAMP '2024-02-01 00:00:00.000'"], paramstyle="qmark")
    february = dt.datetime(2024, 2, 1)  # noqa: DTZ001  # the lake keeps no zone
    expected = sum(o["currency"] == "EUR" and o["created_at"] >= february for o in ORDERS)
    assert cursor.fetchone() == (expected,)


def test_a_failed_query_is_an_operational_error_with_the_reason(connect: Connect) -> None:
    import pyathena

    with pytest.raises(pyathena.error.OperationalError, match="line 1:8: Column 'nope' cannot be resolved"):
        connect().cursor().execute("SELECT nope FROM orders")
    with pytest.raises(pyathena.error.DatabaseError, match="mismatched input"):
        connect().cursor().execute("SELECT FROM WHERE")


# PyAthena itself asks pandas for what its newest release calls deprecated.
@pytest.mark.filterwarnings("ignore:engine='auto' is deprecated")
@pytest.mark.parametrize("unload", [False, True])
def test_the_pandas_cursor_gives_the_same_rows(connect: Connect, *, unload: bool) -> None:
    from pyathena.pandas.cursor import PandasCursor

    frame = connect(cursor_class=PandasCursor).cursor(unload=unload).execute(QUERY).as_pandas()
    assert list(frame.columns) == list(COLUMNS)
    frame = frame.sort_values("order_id")
    assert frame["order_id"].tolist() == [order["order_id"] for order in ORDERS]
    assert frame["price"].tolist() == [order["price"] for order in ORDERS]
    moments = [order["created_at"] for order in ORDERS]
    assert [moment.to_pydatetime() for moment in frame["created_at"]] == moments


@pytest.mark.parametrize("unload", [False, True])
def test_the_arrow_cursor_gives_the_same_rows(
    connect: Connect, lake: Lake, monkeypatch: pytest.MonkeyPatch, *, unload: bool
) -> None:
    from pyathena.arrow.cursor import ArrowCursor

    # Arrow's own S3 client takes no address from the environment, and PyAthena passes none on.
    address = urlsplit(lake.endpoint.url)
    there = partial(pa.fs.S3FileSystem, endpoint_override=address.netloc, scheme=address.scheme)
    monkeypatch.setattr(pa.fs, "S3FileSystem", there)
    table = connect(cursor_class=ArrowCursor).cursor(unload=unload).execute(QUERY).as_arrow()
    assert isinstance(table, pa.Table)
    assert table.schema.names == list(COLUMNS)
    rows = table.sort_by("order_id").to_pylist()
    for name in ("order_id", "units", "created_at", "is_deleted"):
        assert [row[name] for row in rows] == [order[name] for order in ORDERS]
    # From CSV, PyAthena leaves decimals as the texts that they are.
    assert [Decimal(row["price"]) for row in rows] == [order["price"] for order in ORDERS]


def test_the_sqlalchemy_dialect_reflects_and_asks(connect: Connect, lake: Lake) -> None:
    lake.ask("CREATE OR REPLACE VIEW sqlalchemy_view AS SELECT order_id, price FROM orders")
    engine = sa.create_engine("awsathena+rest://", creator=connect, poolclass=sa.pool.StaticPool)
    inspector = sa.inspect(engine)
    assert "shop" in inspector.get_schema_names()
    assert {"orders", "currencies"} <= set(inspector.get_table_names("shop"))
    assert "sqlalchemy_view" in inspector.get_view_names("shop")
    assert "SELECT order_id, price FROM orders" in inspector.get_view_definition("sqlalchemy_view", "shop")
    orders = sa.Table("orders", sa.MetaData(), autoload_with=engine, schema="shop")
    assert str(orders.c.price.type) == "DECIMAL(10, 2)"
    assert isinstance(orders.c.created_month.type, sa.String)
    value = sa.func.sum(orders.c.units * orders.c.price).label("value")
    query = (
        sa.select(orders.c.currency, value)
        .where(orders.c.created_month == "2024-02", sa.not_(orders.c.is_deleted))
        .group_by(orders.c.currency)
        .order_by(orders.c.currency)
    )
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(query)]
    expected: dict[str, Decimal] = {}
    for order in orders_of(2):
        if not order["is_deleted"]:
            expected[order["currency"]] = (
                expected.get(order["currency"], Decimal(0)) + order["units"] * order["price"]
            )
    assert found == sorted(expected.items())
    engine.dispose()
    lake.ask("DROP VIEW sqlalchemy_view")


def test_catalogue_calls_describe_tables(connect: Connect) -> None:
    cursor = connect().cursor()
    assert "shop" in [database.name for database in cursor.list_databases("AwsDataCatalog")]
    table = cursor.get_table_metadata("orders")
    assert (table.name, table.table_type) == ("orders", "EXTERNAL_TABLE")
    assert [key.name for key in table.partition_keys] == ["created_month"]
    assert table.location.endswith("/orders/")
    assert {"orders", "currencies"} <= {found.name for found in cursor.list_table_metadata()}
