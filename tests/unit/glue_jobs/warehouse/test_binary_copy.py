"""The binary COPY stream, byte by byte as PostgreSQL documents it."""

from __future__ import annotations

import struct
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from catalog.arrow import arrow_field
from catalog.model import Column
from catalog.types import parse_type
from glue_jobs.warehouse.binary_copy import EncodeError, encode


def column(kind: str, name: str = "c") -> Column:
    return Column(name=name, type=parse_type(kind), nullable=True, description="A value.")


def field(kind: str, value: object) -> bytes:
    """The bytes of one value, without the row's count of fields."""
    stated = column(kind)
    batch = pa.record_batch([pa.array([value], arrow_field(stated, nullable=True).type)], ["c"])
    found = bytes(encode(batch, [stated]))
    assert found[:2] == b"\0\1"
    return found[2:]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("integer", -2, struct.pack(">ii", 4, -2)),
        ("bigint", 2**40, struct.pack(">iq", 8, 2**40)),
        ("boolean", True, b"\0\0\0\1\1"),
        ("text", "é", b"\0\0\0\2" + "é".encode()),
        ("text", "", b"\0\0\0\0"),
        ("date", date(1999, 12, 31), struct.pack(">ii", 4, -1)),
        ("timestamp", datetime.fromisoformat("2000-01-01T00:00:00.001"), struct.pack(">iq", 8, 1000)),
        ("timestamp(6)", datetime.fromisoformat("1999-12-31T23:59:59.999999"), struct.pack(">iq", 8, -1)),
        ("timestamptz", datetime.fromisoformat("2000-01-01T00:00:00.000001"), struct.pack(">iq", 8, 1)),
        ("double", -0.0, b"\0\0\0\x08\x80" + bytes(7)),
        ("double", float("nan"), struct.pack(">id", 8, float("nan"))),
        ("real", 0.1, b"\0\0\0\4\x3d\xcc\xcc\xcd"),
        ("real", float("-inf"), b"\0\0\0\4\xff\x80\0\0"),
        ("double", None, b"\xff\xff\xff\xff"),
        ("time", "23:59:59.999", struct.pack(">iq", 8, 86_399_999_000)),
        ("decimal(10,2)", Decimal("-12345.60"), struct.pack(">i7H", 14, 3, 1, 0x4000, 2, 1, 2345, 6000)),
        ("decimal(3,3)", Decimal("0.005"), struct.pack(">i5H", 10, 1, 0xFFFF, 0, 3, 50)),
        ("integer", None, b"\xff\xff\xff\xff"),
        ("text", None, b"\xff\xff\xff\xff"),
        ("decimal(10,2)", None, b"\xff\xff\xff\xff"),
        ("time", None, b"\xff\xff\xff\xff"),
    ],
)
def test_a_value_is_encoded_as_postgresql_documents_it(kind: str, value: object, expected: bytes) -> None:
    assert field(kind, value) == expected


def test_a_text_that_is_no_time_is_refused_by_column_and_not_shown() -> None:
    with pytest.raises(EncodeError, match=r"column c .*time of day") as refused:
        field("time", "25:00:00.000")
    assert "25" not in str(refused.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(EncodeError, match="gone is missing"):
        encode(pa.record_batch([pa.array([1], pa.int32())], ["c"]), [column("integer", "gone")])


def test_a_wider_type_that_fits_is_taken_and_one_that_does_not_is_refused() -> None:
    stated = column("integer")
    fits = pa.record_batch([pa.array([7], pa.int64())], ["c"])
    assert bytes(encode(fits, [stated])) == b"\0\1" + struct.pack(">ii", 4, 7)
    too_big = pa.record_batch([pa.array([2**40], pa.int64())], ["c"])
    with pytest.raises(EncodeError, match=r"c is int64 and does not fit int32"):
        encode(too_big, [stated])


def test_finer_timestamps_are_refused_and_equal_ones_taken() -> None:
    stated = column("timestamp")
    fine = pa.array([datetime.fromisoformat("2026-01-01T00:00:00.000001")], pa.timestamp("us"))
    with pytest.raises(EncodeError, match="does not fit"):
        encode(pa.record_batch([fine], ["c"]), [stated])
    equal = pa.array([datetime.fromisoformat("2026-01-01T00:00:00.005")], pa.timestamp("us"))
    assert len(encode(pa.record_batch([equal], ["c"]), [stated])) == 14


def test_a_slice_of_a_batch_is_encoded_as_its_own_rows() -> None:
    stated = [column("integer", "a"), column("text", "b"), column("time", "d"), column("decimal(5,1)", "e")]
    rows = [
        {"a": n, "b": "x" * n, "d": f"00:00:0{n}.000", "e": Decimal(n) / 2 if n % 2 else None}
        for n in range(6)
    ]
    schema = pa.schema([arrow_field(c, nullable=True) for c in stated])
    whole = pa.RecordBatch.from_pylist(rows, schema=schema)
    alone = pa.RecordBatch.from_pylist(rows[2:5], schema=schema)
    assert bytes(encode(whole.slice(2, 3), stated)) == bytes(encode(alone, stated))


@pytest.mark.parametrize("kind", ["integer", "text", "time", "boolean"])
def test_an_empty_batch_is_no_bytes(kind: str) -> None:
    stated = column(kind)
    batch = pa.record_batch([pa.array([], arrow_field(stated, nullable=True).type)], ["c"])
    assert bytes(encode(batch, [stated])) == b""
