"""A small lake written by pyarrow behind a stack's endpoint, and what tests ask of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.glue import PARQUET
from glue_jobs.runtime.athena import QueryResult, run_query
from local_aws.endpoint.app import Endpoint

LAKE = "lake"
RESULTS = "results"
ORDERS = pa.schema(
    [
        ("order_id", pa.int32()),
        ("units", pa.int32()),
        ("price", pa.decimal128(10, 2)),
        ("currency", pa.string()),
        ("created_at", pa.timestamp("ms")),
        ("agreed_date", pa.date32()),
        ("is_deleted", pa.bool_()),
    ]
)
HIVE = {
    "order_id": "int",
    "units": "int",
    "price": "decimal(10,2)",
    "currency": "string",
    "created_at": "timestamp",
    "agreed_date": "date",
    "is_deleted": "boolean",
}


def orders_of(month: int, count: int = 40) -> list[dict[str, Any]]:
    """The orders of a month in 2024: made by arithmetic, so that tests can expect exact values."""
    start = dt.datetime(2024, month, 1, 9, 30, 0, 125_000)  # noqa: DTZ001  # the lake keeps no zone
    return [
        {
            "order_id": month * 1000 + i,
            "units": 1000 + i * month,
            "price": Decimal(200 + i) / 100,
            "currency": ("GBP", "USD", "EUR")[i % 3],
            "created_at": start + dt.timedelta(hours=i * 7),
            "agreed_date": (start + dt.timedelta(days=i)).date() if i % 4 else None,
            "is_deleted": i % 10 == 9,
        }
        for i in range(count)
    ]


@dataclass
class Lake:
    """The endpoint and what a test does with it."""

    endpoint: Endpoint
    glue: Any
    s3: Any
    athena: Any
    scratch: Path

    def ask(self, sql: str, database: str | None = "shop", **more: Any) -> QueryResult:
        return run_query(self.athena, sql, database, output=f"s3://{RESULTS}/asked/", **more)

    def values(self, sql: str, **more: Any) -> list[tuple[str | None, ...]]:
        return self.ask(sql, **more).rows

    def put(self, table: pa.Table, key: str, **options: Any) -> Path:
        path = self.scratch / "upload.parquet"
        pq.write_table(table, path, **options)
        self.s3.upload_file(str(path), LAKE, key)
        return path

    def table(
        self, name: str, columns: dict[str, str], keys: dict[str, str] | None = None, database: str = "shop"
    ) -> None:
        self.glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in (keys or {}).items()],
                "StorageDescriptor": {
                    "Columns": [
                        {"Name": column, "Type": kind, "Comment": f"the {column}"}
                        for column, kind in columns.items()
                    ],
                    "Location": f"s3://{LAKE}/{name}/",
                    **PARQUET,
                },
            },
        )

    def partition(self, table: str, values: list[str], location: str, database: str = "shop") -> None:
        self.glue.create_partition(
            DatabaseName=database,
            TableName=table,
            PartitionInput={
                "Values": values,
                "StorageDescriptor": {"Columns": [], "Location": f"s3://{LAKE}/{location}", **PARQUET},
            },
        )


def register_orders(lake: Lake) -> None:
    """Make `orders`: three months in versioned folders, and files that the catalogue does not name."""
    lake.table("orders", HIVE, {"created_month": "string"})
    for month in (1, 2, 3):
        folder = f"orders/created_month=2024-{month:02d}/version=2-b/"
        lake.put(pa.Table.from_pylist(orders_of(month), ORDERS), folder + "part-0.parquet", row_group_size=16)
        lake.partition("orders", [f"2024-{month:02d}"], folder)
    # What the catalogue does not name is not read: the version before, and a month never registered.
    old = pa.Table.from_pylist(orders_of(1, 3), ORDERS)
    lake.put(old, "orders/created_month=2024-01/version=1-a/part-0.parquet")
    lake.put(old, "orders/created_month=2024-04/version=1-a/part-0.parquet")
