"""Which files a query reads: partitions of the catalogue, pruned; needed columns alone; types as declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.runtime.athena import QueryFailed
from tests.integration.local_aws.athena.lake import LAKE, Lake, orders_of

MONTHS = {"2024-01", "2024-02", "2024-03"}


def column_bytes(path: Path, columns: set[str]) -> int:
    """Compressed bytes of some columns of a parquet file, by pyarrow."""
    footer = pq.ParquetFile(path).metadata
    chunks = [
        footer.row_group(group).column(index)
        for group in range(footer.num_row_groups)
        for index in range(footer.num_columns)
    ]
    return sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in columns)


def month_file(lake: Lake, month: str) -> Path:
    return lake.endpoint.bucket_dir(LAKE) / f"orders/created_month={month}/version=2-b/part-0.parquet"


@pytest.mark.parametrize(
    ("condition", "months"),
    [
        ("created_month = '2024-02'", {"2024-02"}),
        ("created_month IN ('2024-01', '2024-03')", {"2024-01", "2024-03"}),
        ("created_month > '2024-01'", {"2024-02", "2024-03"}),
        ("created_month <= '2024-01'", {"2024-01"}),
        ("created_month BETWEEN '2024-02' AND '2024-09'", {"2024-02", "2024-03"}),
        ("created_month IS NULL", set()),
        ("created_month = '2024-01' OR created_month = '2024-03'", {"2024-01", "2024-03"}),
        ("created_month = '2024-01' AND units > 0", {"2024-01"}),
        ("created_month = '2031-01'", set()),
        ("NOT (created_month = '2024-02')", {"2024-01", "2024-03"}),
        ("created_month LIKE '2024-02%'", {"2024-02"}),
        ("created_month = (SELECT max(created_month) FROM orders)", {"2024-03"}),
        ("substr(created_month, 6) = '02'", {"2024-02"}),
        ("units > 0 AND created_month || 'x' <> '2024-03x'", {"2024-01", "2024-02"}),
        ("1 = 1", MONTHS),
    ],
)
def test_only_the_partitions_that_a_condition_leaves_are_read(
    lake: Lake, condition: str, months: set[str]
) -> None:
    result = lake.ask(f"SELECT sum(units), count(*) FROM orders WHERE {condition}")
    expected = sum(column_bytes(month_file(lake, month), {"units"}) for month in months)
    orders = [order for month in months for order in orders_of(int(month[-2:]))]
    assert result.bytes_scanned == expected
    assert result.rows == [(str(sum(o["units"] for o in orders)) if orders else None, str(len(orders)))]


def test_only_the_columns_that_are_used_are_read(lake: Lake) -> None:
    everything = {"order_id", "units", "price", "currency", "created_at", "agreed_date", "is_deleted"}
    for select, used in (("price", {"price"}), ("currency, price", {"currency", "price"}), ("*", everything)):
        result = lake.ask(f"SELECT {select} FROM orders WHERE created_month = '2024-01'")
        assert result.bytes_scanned == column_bytes(month_file(lake, "2024-01"), used)


def test_row_groups_whose_statistics_rule_them_out_are_not_read(lake: Lake) -> None:
    whole = lake.ask("SELECT order_id FROM orders WHERE created_month = '2024-01'").bytes_scanned
    few = lake.ask("SELECT order_id FROM orders WHERE created_month = '2024-01' AND order_id < 1003")
    assert len(few.rows) == 3
    assert 0 < few.bytes_scanned < whole


def test_an_outer_join_keeps_the_rows_that_find_no_partner(lake: Lake) -> None:
    rows = lake.values(
        "SELECT m.name FROM (VALUES '2024-02', '2031-01') AS m(name) "
        "LEFT JOIN orders o ON o.created_month = m.name WHERE o.created_month IS NULL"
    )
    assert rows == [("2031-01",)]


def test_each_mention_of_a_table_is_pruned_by_its_own_condition(lake: Lake) -> None:
    result = lake.ask(
        "SELECT (SELECT sum(units) FROM orders WHERE substr(created_month, 6) = '01') / 2, "
        "(SELECT sum(units) FROM orders WHERE substr(created_month, 6) = '03')"
    )
    sums = [sum(order["units"] for order in orders_of(month)) for month in (1, 3)]
    assert result.rows == [(str(sums[0] // 2), str(sums[1]))]
    files = [month_file(lake, month) for month in ("2024-01", "2024-03")]
    assert result.bytes_scanned == sum(column_bytes(file, {"units"}) for file in files)


def test_a_join_reads_only_the_partitions_of_its_other_side(lake: Lake) -> None:
    result = lake.ask(
        "SELECT count(o.units) FROM orders o JOIN (VALUES '2024-02') AS m(name) ON o.created_month = m.name"
    )
    assert result.rows == [("40",)]
    assert result.bytes_scanned == column_bytes(month_file(lake, "2024-02"), {"units"})


def test_a_swapped_location_is_what_the_next_query_reads(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.table(name, {"n": "int"}, {"p": "string"})
    for version in (1, 2):
        lake.put(
            pa.table({"n": pa.array([version], pa.int32())}), f"{name}/p=a/version={version}/part-0.parquet"
        )
    lake.partition(name, ["a"], f"{name}/p=a/version=1/")
    assert lake.values(f"SELECT n, p FROM {name}") == [("1", "a")]
    partition = lake.glue.get_partition(DatabaseName="shop", TableName=name, PartitionValues=["a"])[
        "Partition"
    ]
    storage = partition["StorageDescriptor"] | {"Location": f"s3://{LAKE}/{name}/p=a/version=2/"}
    lake.glue.update_partition(
        DatabaseName="shop",
        TableName=name,
        PartitionValueList=["a"],
        PartitionInput={"Values": ["a"], "StorageDescriptor": storage},
    )
    assert lake.values(f"SELECT n, p FROM {name}") == [("2", "a")]


def test_a_table_without_partitions_or_files_has_no_rows(lake: Lake, table_name: Callable[[], str]) -> None:
    partitioned, plain = table_name(), table_name()
    lake.table(partitioned, {"n": "int"}, {"p": "string"})
    lake.table(plain, {"n": "int"})
    for name in (partitioned, plain):
        assert lake.values(f"SELECT * FROM {name}") == []
        assert lake.values(f"SELECT count(*), sum(n) FROM {name}") == [("0", None)]


def test_partition_values_have_their_declared_types(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.table(name, {"n": "int"}, {"day": "date", "batch": "bigint"})
    for values in (["2024-11-15", "9"], ["2024-11-16", "10"], ["__HIVE_DEFAULT_PARTITION__", "11"]):
        folder = f"{name}/day={values[0]}/batch={values[1]}/"
        lake.put(pa.table({"n": pa.array([1], pa.int32())}), folder + "part-0.parquet")
        lake.partition(name, values, folder)
    assert lake.values(f"SELECT day, batch FROM {name} WHERE batch > 9 ORDER BY batch") == [
        ("2024-11-16", "10"),
        (None, "11"),
    ]
    assert lake.values(f"SELECT max(batch) + 1 FROM {name} WHERE day < DATE '2024-11-16'") == [("10",)]
    assert lake.values(f"SELECT count(*) FROM {name} WHERE day IS NULL") == [("1",)]


def test_many_partitions_are_read_whole(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.table(name, {"n": "int"}, {"batch": "bigint"})
    for batch in range(12):
        lake.put(
            pa.table({"n": pa.array([batch], pa.int32())}), f"{name}/batch={batch}/attempt=a/part-0.parquet"
        )
        lake.partition(name, [str(batch)], f"{name}/batch={batch}/")
    assert lake.values(f"SELECT sum(n), count(DISTINCT batch) FROM {name}") == [("66", "12")]


def test_columns_are_matched_by_name_and_a_missing_one_is_null(
    lake: Lake, table_name: Callable[[], str]
) -> None:
    name = table_name()
    lake.table(name, {"a": "bigint", "b": "decimal(10,2)", "later": "string"})
    older = pa.table({"b": pa.array([Decimal("1.50")], pa.decimal128(10, 2)), "a": pa.array([1], pa.int32())})
    lake.put(older, f"{name}/part-0.parquet")
    assert lake.values(f"SELECT * FROM {name}") == [("1", "1.50", None)]
    assert lake.values(f"SELECT count(*) FROM {name} WHERE later IS NULL") == [("1",)]


@pytest.mark.parametrize(
    "options", [{}, {"use_deprecated_int96_timestamps": True}, {"coerce_timestamps": "ms"}]
)
def test_timestamps_of_every_kind_are_read(
    lake: Lake, table_name: Callable[[], str], options: dict[str, object]
) -> None:
    name = table_name()
    lake.table(name, {"t": "timestamp"})
    moment = dt.datetime(2024, 11, 15, 10, 0, 0, 123_000)  # noqa: DTZ001  # the lake keeps no zone
    lake.put(pa.table({"t": pa.array([moment], pa.timestamp("us"))}), f"{name}/part-0.parquet", **options)
    assert lake.values(f"SELECT t FROM {name} WHERE t >= TIMESTAMP '2024-11-15 10:00:00.123'") == [
        ("2024-11-15 10:00:00.123",)
    ]


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_a_time_of_more_digits_is_rounded_as_it_is_read_and_then_compared(
    lake: Lake, table_name: Callable[[], str], unit: str
) -> None:
    name = table_name()
    lake.table(name, {"t": "timestamp", "many": "array<timestamp>"})
    rounded = {
        "2024-06-30 23:59:59.999600": "2024-07-01 00:00:00.000",
        "2024-06-30 23:59:59.999499": "2024-06-30 23:59:59.999",
        # Of two that are as near the later one, on either side of 1970.
        "1969-12-31 23:59:59.999500": "1970-01-01 00:00:00.000",
        "1970-01-01 00:00:00.000500": "1970-01-01 00:00:00.001",
    }
    times = [*map(dt.datetime.fromisoformat, rounded), None]
    held = pa.table(
        {"t": pa.array(times, pa.timestamp(unit)), "many": [[time] for time in times]},
        pa.schema([("t", pa.timestamp(unit)), ("many", pa.list_(pa.timestamp(unit)))]),
    )
    lake.put(held, f"{name}/part-0.parquet")
    wanted = [(shown, shown) for shown in sorted(rounded.values())]
    assert lake.values(f"SELECT t, many[1] FROM {name} WHERE t IS NOT NULL ORDER BY t") == wanted
    july = f"SELECT count(*) FROM {name} WHERE t >= TIMESTAMP '2024-07-01 00:00:00'"
    assert lake.values(july) == [("1",)]


@pytest.mark.parametrize(
    ("declared", "column", "told"),
    [
        ("int", pa.array(["x"]), "VARCHAR"),
        ("decimal(10,2)", pa.array([Decimal("1.5")], pa.decimal128(10, 1)), r"DECIMAL\(10,1\)"),
        ("int", pa.array([1], pa.int64()), "BIGINT"),
        ("string", pa.array([1], pa.int32()), "INTEGER"),
    ],
)
def test_a_file_of_another_type_is_bad_data(
    lake: Lake, table_name: Callable[[], str], declared: str, column: pa.Array, told: str
) -> None:
    name = table_name()
    lake.table(name, {"c": declared, "ok": "int"})
    lake.put(pa.table({"c": column, "ok": pa.array([7], pa.int32())}), f"{name}/part-0.parquet")
    with pytest.raises(
        QueryFailed, match=rf"HIVE_BAD_DATA: Field c's type {told} in parquet file s3://{LAKE}/{name}/"
    ):
        lake.ask(f"SELECT c FROM {name}")
    assert lake.values(f"SELECT ok FROM {name}") == [("7",)]  # the sound columns can still be read


def test_a_file_that_is_no_parquet_is_bad_data(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.table(name, {"c": "int"})
    lake.s3.put_object(Bucket=LAKE, Key=f"{name}/part-0.parquet", Body=b"not parquet")
    lake.s3.put_object(Bucket=LAKE, Key=f"{name}/_SUCCESS", Body=b"hidden files are no data")
    with pytest.raises(QueryFailed, match="HIVE_BAD_DATA: Not valid Parquet file"):
        lake.ask(f"SELECT c FROM {name}")


def test_a_table_with_a_time_of_day_is_refused(lake: Lake, table_name: Callable[[], str]) -> None:
    name = table_name()
    lake.table(name, {"c": "time"})
    with pytest.raises(QueryFailed, match="Unsupported Hive type: time"):
        lake.ask(f"SELECT c FROM {name}")


def test_nothing_but_the_catalogues_tables_can_be_read(lake: Lake) -> None:
    for sql in (
        "SELECT * FROM read_parquet('/x')",
        'SELECT * FROM "/etc/passwd"',
        "SELECT * FROM duckdb_tables()",
    ):
        with pytest.raises(QueryFailed, match="NOT_FOUND"):
            lake.ask(sql)


@pytest.mark.slow
def test_scans_of_one_query_do_not_mix_their_files(lake: Lake, table_name: Callable[[], str]) -> None:
    """Threads of one query ask for files at the same time, each for those of its own partitions."""
    names = [table_name() for _ in range(4)]
    for place, name in enumerate(names):
        lake.table(name, {"n": "int"}, {"p": "int"})
        for part in range(6):
            value = pa.array([place * 100 + part], pa.int32())
            lake.put(pa.table({"n": value}), f"{name}/elsewhere-{part}/part-0.parquet")
            lake.partition(name, [str(part)], f"{name}/elsewhere-{part}/")
    query = " UNION ALL ".join(f"SELECT n, p, {place} AS t FROM {name}" for place, name in enumerate(names))
    joined = " JOIN ".join(
        f"{name} t{place}" + (f" ON t{place}.p = t0.p" if place else "") for place, name in enumerate(names)
    )
    for _ in range(5):
        assert lake.values(f"SELECT count(*) FROM ({query}) WHERE n = t * 100 + p") == [("24",)]
        assert lake.values(f"SELECT count(*) FROM {joined} WHERE t3.n = t0.n + 300") == [("6",)]
