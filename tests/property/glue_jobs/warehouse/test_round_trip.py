"""Any value that a contract's type holds comes back from the warehouse as it went in."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.arrow import arrow_field
from catalog.model import Column
from catalog.types import parse_type, warehouse_type
from glue_jobs.warehouse import binary_copy
from glue_jobs.warehouse.load import read_batches
from lakehouse.embedded_postgres import EmbeddedPostgres
from tests.examples import examples


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(lambda n: Decimal(f"{n}e-{scale}"))


def time_text(value: time) -> str:
    return value.isoformat(timespec="milliseconds")


TIMES = st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
STAMPS = st.datetimes().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES: dict[str, st.SearchStrategy[object]] = {
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "text": TEXTS,
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "timestamp": STAMPS,
    "timestamp(6)": st.datetimes(),
    "timestamptz": st.datetimes(),
    "double": st.floats(allow_nan=False),
    "real": st.floats(width=32, allow_nan=False),
    "time": TIMES.map(time_text),
    "decimal(10,2)": decimals(10, 2),
    "decimal(38,0)": decimals(38, 0),
    "decimal(38,38)": decimals(38, 38),
    "decimal(38,7)": decimals(38, 7),
    "decimal(5,4)": decimals(5, 4),
    "decimal(1,0)": decimals(1, 0),
}
COLUMNS = [
    Column(name=f"c{index}", type=parse_type(kind), nullable=True, description="A value.")
    for index, kind in enumerate(VALUES)
]
SCHEMA = pa.schema([arrow_field(column, nullable=True) for column in COLUMNS])
# Dense rows take one path through the encoder, rows with nulls the other.
DENSE = st.tuples(*VALUES.values())
SPARSE = st.tuples(*(st.none() | values for values in VALUES.values()))


@pytest.fixture(scope="module")
def warehouse() -> Iterator[psycopg.Connection]:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(folder, durable=False) as server,
        psycopg.connect(server.dsn()) as connection,
    ):
        kinds = ", ".join(f"{c.name} {warehouse_type(c.type).compile()}" for c in COLUMNS)
        connection.execute(f"CREATE TEMPORARY TABLE t (row serial, {kinds})".encode())
        yield connection


@settings(
    deadline=None, max_examples=examples(25, 60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(DENSE, max_size=5) | st.lists(SPARSE, max_size=5))
def test_every_value_of_every_type_comes_back_exactly(
    rows: list[tuple[object, ...]], warehouse: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "rows.parquet"
    names = [column.name for column in COLUMNS]
    stated = [dict(zip(names, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(stated, schema=SCHEMA), path, row_group_size=3)

    warehouse.execute("TRUNCATE t RESTART IDENTITY")
    with warehouse.cursor().copy(f"COPY t ({', '.join(names)}) FROM STDIN (FORMAT binary)".encode()) as copy:
        copy.write(binary_copy.HEADER)
        for batch in read_batches(str(path), tuple(names)):
            copy.write(binary_copy.encode(batch, COLUMNS))
        copy.write(binary_copy.TRAILER)

    # The text of a real is read as another double.
    shown = ", ".join(f"{c.name}{'::float8' if c.type.name == 'real' else ''}" for c in COLUMNS)
    found = warehouse.execute(f"SELECT {shown} FROM t ORDER BY row".encode()).fetchall()
    assert [_as_in_the_lake(row) for row in found] == rows
    # Equal is not enough for a decimal, 1.50 keeps its two digits, nor for 0 beside -0.
    assert [_exponents(row) for row in found] == [_exponents(row) for row in rows]


def _as_in_the_lake(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(time_text(value) if isinstance(value, time) else value for value in row)


def _exponents(row: tuple[object, ...]) -> list[object]:
    return [
        value.as_tuple().exponent if isinstance(value, Decimal) else math.copysign(1, value)
        for value in row
        if isinstance(value, (Decimal, float))
    ]
