"""Cells of files are held exactly by their columns, or not at all; and two readers spell them alike."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from catalog.model import Column, Contract
from catalog.types import parse_type
from glue_jobs.sources.file_rows import NoRow, RowReader, cell
from glue_jobs.sources.json_documents import Number

N = Number
READ = {"members": {"event_id": "id", "order_id": "order.id"}, "filled": {"file": "key"}}


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.ljust(26, "0") if "." in text else text)


def column(kind: str, **stated: Any) -> Column:
    return Column(name="c", type=parse_type(kind), nullable=True, description="A cell.", **stated)


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("text", "a", "a"),
        ("text", "", ""),
        ("integer", N("-12"), -12),
        ("integer", N("2147483647"), 2**31 - 1),
        ("integer", N("-2147483648"), -(2**31)),
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("boolean", True, True),
        ("decimal(9,3)", N("1.500"), Decimal("1.5")),
        ("decimal(9,3)", N("15e-1"), Decimal("1.5")),
        ("decimal(9,3)", N("123456e0"), Decimal(123456)),
        ("decimal(9,3)", N("1.5E+5"), Decimal(150000)),
        ("decimal(9,3)", N("0e999999999999"), Decimal(0)),
        ("decimal(9,3)", N("0e9999999999999999999999"), Decimal(0)),
        ("decimal(9,3)", N("-0.00e-9999999999999999999999"), Decimal(0)),
        ("decimal(9,3)", N("1e-0000000000000000000003"), Decimal("0.001")),
        ("decimal(9,3)", N("1.5" + "0" * 2000), Decimal("1.5")),
        ("decimal(9,3)", N("0." + "0" * 2000 + "15e2001"), Decimal("1.5")),
        ("decimal(9,3)", "-0.001", Decimal("-0.001")),
        ("decimal(38,9)", N("12345678901234567890123456789.123456789"), None),
        ("date", "2024-02-29", dt.date(2024, 2, 29)),
        ("time", "23:59:59", "23:59:59.000"),
        ("time", "23:59:59.5", "23:59:59.500"),
        ("timestamp", "2024-11-15T10:00:00Z", moment("2024-11-15T10:00:00")),
        ("timestamp", "2024-11-15T10:00:00.120000+01:30", moment("2024-11-15T08:30:00.12")),
        ("timestamptz", "2024-12-31T23:59:59.000001-01:00", moment("2025-01-01T00:59:59.000001")),
        # RFC 3339, 5.6: T and Z may be small letters, and -00:00 is a time in UTC.
        ("timestamp", "2024-11-15t10:00:00z", moment("2024-11-15T10:00:00")),
        ("timestamp", "2024-11-15t10:00:00.5-00:00", moment("2024-11-15T10:00:00.5")),
        ("timestamptz", "9999-12-31T23:59:59.999499Z", moment("9999-12-31T23:59:59.999499")),
    ],
)
def test_what_a_type_holds_is_its_value(kind: str, value: Any, held: Any) -> None:
    if held is None:
        held = Decimal("12345678901234567890123456789.123456789")
    found = cell(column(kind), value)
    assert (found.value, found.odd) == (held, None)
    assert type(found.value) is type(held)


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("text", N("1"), "1"),
        ("text", True, "true"),
        ("text", {"a": 1}, "an object"),
        ("text", ["a"], "an array"),
        ("integer", N("1.0"), "1.0"),
        ("integer", N("1e3"), "1e3"),
        ("integer", N("2147483648"), "2147483648"),
        ("integer", "007", "007"),
        ("integer", "", ""),
        ("integer", "٣", "٣"),
        ("boolean", "true", "true"),
        ("boolean", N("1"), "1"),
        ("decimal(9,3)", N("1.0001"), "1.0001"),
        ("decimal(9,3)", N("1000000"), "1000000"),
        ("decimal(9,3)", N("1e999999999999"), "1e999999999999"),
        ("decimal(9,3)", N("1e9999999999999999999999"), "1e9999999999999999999999"),
        ("decimal(9,3)", N("-1E-9999999999999999999999"), "-1E-9999999999999999999999"),
        ("decimal(9,3)", N("1" * 2000), "1" * 2000),
        ("decimal(9,3)", "1e", "1e"),
        ("decimal(9,3)", "1,5", "1,5"),
        ("decimal(9,3)", "NaN", "NaN"),
        ("date", "2023-02-29", "2023-02-29"),
        ("date", "20240229", "20240229"),
        ("time", "24:00:00", "24:00:00"),
        ("time", "10:00:00.1234", "10:00:00.1234"),
        ("timestamp", "2024-11-15T10:00:00", "2024-11-15T10:00:00"),
        ("timestamp", "2024-11-15 10:00:00Z", "2024-11-15 10:00:00Z"),
        ("timestamp", "2024-11-15T10:00:00.0001Z", "2024-11-15T10:00:00.0001Z"),
        ("timestamp", "2024-11-15T10:00:60Z", "2024-11-15T10:00:60Z"),
        ("timestamp", "2024-11-15T10:00:00+24:00", "2024-11-15T10:00:00+24:00"),
        ("timestamp", "0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"),
        ("timestamp", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59-01:00"),
        ("timestamp", "2024-11-15T24:00:00Z", "2024-11-15T24:00:00Z"),
        ("timestamp", "2024-11-15T10:00:00+0100", "2024-11-15T10:00:00+0100"),
        # Athena would show the first day of the year 10000.
        ("timestamptz", "9999-12-31T23:59:59.9995Z", "9999-12-31T23:59:59.9995Z"),
    ],
)
def test_what_a_type_does_not_hold_is_kept_beside_it(kind: str, value: Any, kept: str) -> None:
    found = cell(column(kind), value)
    assert (found.value, found.odd) == (None, kept)


def test_a_text_that_is_too_long_leaves_its_length() -> None:
    found = cell(column("text", max_bytes=3), "ééé")
    assert (found.value, found.odd) == (None, "6 bytes, not kept: the contract allows 3")
    assert cell(column("text", max_bytes=3), "abc").value == "abc"


def contract(**read: Any) -> Contract:
    columns = [
        {"name": name, "type": kind, "nullable": name != "event_id", "description": "A cell."}
        for name, kind in [("event_id", "bigint"), ("order_id", "integer"), ("file", "text")]
    ]
    return Contract.model_validate(
        {
            "table": "event",
            "zone": "raw",
            "origin": "files",
            "version": "1.0.0",
            "owner": "us",
            "grain": "An event.",
            "key": ["event_id"],
            "columns": columns,
            "read": {
                "members": {"event_id": "id", "order_id": "order.id"},
                "filled": {"file": "key"},
                **read,
            },
        }
    )


def test_members_are_taken_by_their_paths_and_others_are_told() -> None:
    reader = RowReader(contract(ignored=["order.note"]))
    row = reader.row({"id": N("1"), "order": {"id": N("7"), "note": {"x": 1}}})
    assert (row.key, row.values, row.odd) == (1, {"event_id": 1, "order_id": 7}, {})
    assert reader.row({"id": N("1")}).values["order_id"] is None
    assert reader.row({"id": N("1"), "order": None}).values["order_id"] is None
    # What stands where an object was to hold it is not taken for it.
    assert reader.row({"id": N("1"), "order": N("7")}).odd == {"order_id": "7"}
    assert reader.row({"id": N("1"), "order": [N("7")]}).odd == {"order_id": "an array"}
    members = {"id": N("1"), "Id": 2, "order": {"id": N("7"), "note": {"x": 1}, "more": 1}, "x": {"id": 1}}
    assert reader.unknown(members) == {"Id", "order.more", "x"}
    for unkeyed in ({}, {"id": None}, {"id": "one"}, {"id": N("1.5")}):
        with pytest.raises(NoRow, match="its event_id, by which it is known, is missing or is no bigint"):
            reader.row(unkeyed)


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        ({"members": {"colour": "c"}}, "read names colour, which is no column"),
        ({"filled": {"file": "place"}}, "file is filled with the place, which is no text"),
        ({"filled": {"order_id": "place", "file": "key"}, "members": {"order_id": "o"}}, "and taken from"),
        ({"members": {"event_id": "order"}}, "read twice, or holds another"),
        ({"members": {"event_id": "order.id"}}, "read twice"),
        ({"ignored": ["order"]}, "read twice, or holds another"),
        ({"unknown_members": "hide"}, "unknown_members"),
    ],
)
def test_a_mapping_that_does_not_hang_together_is_refused(read: dict[str, Any], reason: str) -> None:
    merged = {**READ, **read}
    if "members" in read:
        merged["members"] = {**READ["members"], **read["members"]}
    with pytest.raises(ValueError, match=reason):
        contract(**merged)
