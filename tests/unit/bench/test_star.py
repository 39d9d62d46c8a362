"""What the measurement of the star compares with is what the contract says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.harness import Row
from bench.lake import SMALL, SOURCE, raw_tables
from bench.star import FACT, compared, expected, with_ratios
from catalog.arrow import arrow_schema
from catalog.catalogue import load_catalogue


def test_the_made_up_orders_refer_to_rows_that_exist() -> None:
    tables = raw_tables(load_catalogue(), 500)
    for reference in load_catalogue().raw[SOURCE].references:
        column = tables[SOURCE][reference.column].to_pylist()
        assert 1 <= min(column) <= max(column) <= SMALL[reference.table]


def test_the_fact_is_derived_as_the_contract_says() -> None:
    catalogue = load_catalogue()
    fact = expected(catalogue, raw_tables(catalogue, 3)[SOURCE])
    assert fact.schema == arrow_schema(catalogue.star[FACT])
    first = fact.to_pylist()[0]
    assert first["created_date"] == dt.date(2022, 11, 16)
    assert first["created_time"] == "08:00:31.415"
    assert fact["sales_record_id"].to_pylist() == [1, 2, 3]


def test_a_changed_cell_is_found(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    fact = expected(catalogue, raw_tables(catalogue, 3)[SOURCE])
    units = fact.schema.get_field_index("units_sold")
    wrong = fact.set_column(units, fact.schema[units], pa.array([1, 2, 3], pa.int32()))
    for name, rows in (("right", fact), ("wrong", wrong), ("few", fact[:2])):
        (tmp_path / name).mkdir()
        pq.write_table(rows, tmp_path / name / "0.parquet")
    wanted = tmp_path / "right" / "0.parquet"
    assert compared(tmp_path / "right", wanted) == "yes"
    assert compared(tmp_path / "wrong", wanted) == "no: units_sold"
    assert compared(tmp_path / "few", wanted) == "no: 2 rows"


def test_an_engine_is_set_against_its_peer_and_a_broken_promise_is_stated() -> None:
    measured = [
        Row("embedded", 4.0, 300, "yes", cpu_seconds=3.0),
        Row("duckdb", 1.0, 200, "yes", cpu_seconds=2.0),
        Row("spark", 9.0, 900, "yes"),
        Row("pyspark", 2.0, 800, "yes"),
    ]
    ours, plain, spark, _ = with_ratios(500_000, measured)
    assert ours.name == "500,000 orders: embedded"
    assert ours.note == "4.00 times duckdb, 1.50 times its CPU; promised: at most 5 times, kept"
    assert plain.note == ""
    assert spark.note == "4.50 times pyspark; promised: at most 3 times, NOT KEPT"
