"""Types in their spellings, values as text, results as a table, CSV and JSON."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.runtime.athena import QueryResult
from lakehouse.results import csv_lines, json_lines, table_text
from local_aws.athena.filetypes import readable_as
from local_aws.athena.kinds import (
    DOUBLE,
    VARCHAR,
    Type,
    array,
    arrow_type,
    decimal,
    map_of,
    row,
    timestamp,
    zoned,
)
from local_aws.athena.numbers import double_text, real_text
from local_aws.athena.query_errors import Failed, QueryError, position
from local_aws.athena.query_results import column_info
from local_aws.athena.semantics.mathematics import quotient
from local_aws.athena.texts import as_text
from local_aws.athena.typenames import hive_name, hive_type


@pytest.mark.parametrize(
    ("hive", "trino", "athena"),
    [
        ("int", "integer", "integer"),
        ("bigint", "bigint", "bigint"),
        ("string", "varchar", "varchar"),
        ("boolean", "boolean", "boolean"),
        ("double", "double", "double"),
        ("float", "real", "float"),
        ("date", "date", "date"),
        ("timestamp", "timestamp(3)", "timestamp"),
        ("decimal(10,2)", "decimal(10,2)", "decimal"),
        ("binary", "varbinary", "varbinary"),
        ("array<int>", "array(integer)", "array"),
        ("map<string,double>", "map(varchar, double)", "map"),
        ("struct<a:int,b:array<string>>", "row(a integer, b array(varchar))", "row"),
    ],
)
def test_a_type_has_one_spelling_on_each_side(hive: str, trino: str, athena: str) -> None:
    kind = hive_type(hive)
    assert (hive_name(kind), str(kind), column_info("x", kind)["Type"]) == (hive, trino, athena)


@pytest.mark.parametrize(
    "declared",
    [
        *("time", "uuid", "timestamp with time zone", "nonsense", "varchar", "char"),
        *("varchar(0)", "varchar(65536)", "char(0)", "char(256)", "decimal(39,0)", "decimal(5,6)"),
        *("array<int,int>", "map<int>", "map<int,int,int>", "map<array<int>,int>"),
    ],
)
def test_a_type_that_athena_reads_from_no_table_is_refused(declared: str) -> None:
    with pytest.raises(QueryError, match=re.escape(declared)):
        hive_type(declared)


@pytest.mark.parametrize("kind", [Type("time", (3,)), zoned(), Type("interval day to second")])
def test_hive_has_no_time_of_day_and_no_zones(kind: Type) -> None:
    with pytest.raises(QueryError, match="Unsupported Hive type"):
        hive_name(kind)


@pytest.mark.parametrize(
    ("physical", "declared", "reads"),
    [
        (pa.int32(), pa.int64(), True),
        (pa.int64(), pa.int32(), False),
        (pa.decimal128(10, 2), pa.decimal128(10, 2), True),
        (pa.decimal128(10, 2), pa.decimal128(12, 2), False),
        (pa.timestamp("ms"), pa.timestamp("us"), True),
        (pa.timestamp("ns", "UTC"), pa.timestamp("us"), True),
        (pa.float32(), pa.float64(), True),
        (pa.float64(), pa.float32(), False),
        (pa.string(), pa.int32(), False),
        (pa.dictionary(pa.int32(), pa.string()), pa.string(), True),
        (pa.binary(), pa.string(), True),
        (pa.int32(), pa.decimal128(10, 0), False),
    ],
)
def test_a_file_is_read_only_as_what_it_holds(
    physical: pa.DataType, declared: pa.DataType, *, reads: bool
) -> None:
    assert readable_as(physical, declared) is reads


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (-2.5, "-2.5"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (1.25e300, "1.25E300"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_are_printed_as_java_prints_them(value: float, text: str) -> None:
    assert double_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_survives_its_text(value: float) -> None:
    assert float(double_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.1, "1.1"), (1 / 3, "0.33333334"), (1e10, "1.0E10"), (16777216.0, "1.6777216E7"), (-0.0, "-0.0")],
)
def test_a_real_has_the_digits_of_a_float(value: float, text: str) -> None:
    assert real_text(value) == text


@pytest.mark.parametrize(
    ("column", "kind", "text"),
    [
        (pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)), decimal(10, 2), ["1.10", None]),
        (pa.array([Decimal("0.00000001")], pa.decimal128(20, 8)), decimal(20, 8), ["0.00000001"]),
        (pa.array([1_731_664_800_123_999], pa.timestamp("us")), timestamp(), ["2024-11-15 10:00:00.123"]),
        (
            pa.array([{"t": 0, "z": "UTC"}, {"t": 0, "z": "+01:00"}], arrow_type(zoned())),
            zoned(),
            ["1970-01-01 00:00:00.000 UTC", "1970-01-01 01:00:00.000 +01:00"],
        ),
        (pa.array([True, None]), Type("boolean"), ["true", None]),
        (pa.array([["a", None]]), array(VARCHAR), ["[a, null]"]),
        (pa.array([{"f0": 1.0, "f1": "b"}]), row(DOUBLE, VARCHAR, names=("x", None)), ["{x=1.0, field1=b}"]),
        (pa.array([[("k", 1.5)]], pa.map_(pa.string(), pa.float64())), map_of(VARCHAR, DOUBLE), ["{k=1.5}"]),
        (pa.array([b"\x00\xff"]), Type("varbinary"), ["00 ff"]),
        (pa.array([90_061_001, -1]), Type("interval day to second"), ["1 01:01:01.001", "-0 00:00:00.001"]),
        (pa.array([41, -1], pa.int32()), Type("interval year to month"), ["3-5", "-0-1"]),
    ],
)
def test_values_are_written_as_athena_writes_them(
    column: pa.Array, kind: Type, text: list[str | None]
) -> None:
    assert as_text(column, kind).to_pylist() == text


def _decimals(scale: int, digits: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits), 10**digits).map(lambda unscaled: Decimal(unscaled).scaleb(-scale))


@given(dividend=_decimals(2, 12), divisor=_decimals(3, 9).filter(bool), huge=st.booleans())
def test_a_quotient_of_decimals_is_exact_and_rounds_half_away_from_zero(
    dividend: Decimal, divisor: Decimal, *, huge: bool
) -> None:
    dividend *= 10**20 if huge else 1
    answer = Decimal(quotient(format(dividend, "f"), format(divisor, "f")))
    assert answer.as_tuple().exponent == -3
    exact = Fraction(dividend) / Fraction(divisor)
    error = abs(exact - Fraction(answer))
    assert error <= Fraction(1, 2000)
    assert error < Fraction(1, 2000) or abs(Fraction(answer)) > abs(exact)  # a half goes away from zero


def test_a_quotient_by_zero_is_an_error() -> None:
    with pytest.raises(Failed, match="Division by zero"):
        quotient("1.00", "0.00")


def test_a_place_is_a_line_and_a_column_from_one() -> None:
    sql = "SELECT 1\n  FROM x"
    assert [position(sql, sql.index(word)) for word in ("SELECT", "FROM", "x")] == [(1, 1), (2, 3), (2, 8)]


RESULT = QueryResult(
    [
        ("id", "integer"),
        ("price", "decimal(10,2)"),
        ("d", "double"),
        ("day", "date"),
        ("ok", "boolean"),
        ("t", "varchar"),
    ],
    [
        ("1", "10000000000000000.10", "1.0E7", "2024-11-15", "true", 'a "b", c'),
        ("2", None, "NaN", None, "false", ""),
    ],
    1_234_567,
    0.25,
)


def test_json_keeps_every_digit_and_tells_null_from_empty() -> None:
    text = "\n".join(json_lines(RESULT.columns, RESULT.rows))
    rows: list[dict[str, Any]] = json.loads(text, parse_float=Decimal)
    assert rows == [
        {"id": 1, "price": Decimal("10000000000000000.10"), "d": 10_000_000, "day": "2024-11-15", "ok": True,
         "t": 'a "b", c'},
        {"id": 2, "price": None, "d": None, "day": None, "ok": False, "t": ""},
    ]  # fmt: skip
    assert json.loads("".join(json_lines([("x", "integer")], []))) == []


def test_csv_tells_null_from_empty() -> None:
    assert list(csv_lines(RESULT.columns, RESULT.rows)) == [
        "id,price,d,day,ok,t",
        '1,10000000000000000.10,1.0E7,2024-11-15,true,"a ""b"", c"',
        '"2",,"NaN",,"false",""',
    ]


def test_the_table_is_aligned_and_tells_types_rows_bytes_and_seconds() -> None:
    lines = table_text(RESULT).splitlines()
    assert lines[-1] == "2 rows, 1.2 MB scanned, 0.25 s"
    assert "decimal(10,2)" in lines[2]
    ends = {line.index(cell) + len(cell) for line, cell in ((lines[4], "000.10"), (lines[5], "NULL"))}
    assert len(ends) == 1  # numbers are aligned at the right
