"""What a table's structure says, before a row is read."""

from __future__ import annotations

import pytest

from catalog.model import Column, Contract
from catalog.types import parse_type
from glue_jobs.sources import structure
from glue_jobs.sources.postgres_source import SourceColumn, SourceTable


@pytest.mark.parametrize(
    ("declared", "is_measured"),
    [
        ("character varying(100)", False),
        ("character varying(101)", True),
        ("character(100)", False),
        ("bit varying(100)", False),
        ("enum", False),
        ("uuid", False),
        ("text", True),
        ("character varying", True),
        ("character varying(10)[]", True),
        # What stands in parentheses is a number of dimensions, each of which has a text of its own.
        ("public.vector(3)", True),
        ("interval(3)", True),
    ],
)
def test_a_cell_is_measured_where_it_may_be_above_its_limit(declared: str, is_measured: bool) -> None:
    column = Column(name="note", type=parse_type("text"), nullable=False, description="n", max_bytes=400)
    contract = Contract(
        table="t",
        zone="raw",
        version="1.0.0",
        owner="a@b.example",
        grain="A row.",
        key=["note"],
        columns=[column],
    )
    found = SourceTable(7, "r", True, False, 0, frozenset(), {"note": SourceColumn(1, declared)})
    assert structure.cell_limits(contract, found) == ({"note": 400} if is_measured else {})
