"""Every kind of change of a contract, what it does to readers, and which version it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from catalog.changes import Kind, changes, complaint
from catalog.model import Contract

PUBLISHED: dict[str, Any] = {
    "table": "ticket",
    "zone": "raw",
    "version": "2.3.4",
    "owner": "sales@terrifictotes.example",
    "grain": "One version of a ticket.",
    "key": ["ticket_id"],
    "references": [{"column": "staff_id", "table": "staff"}],
    "columns": [
        {"name": "ticket_id", "type": "integer", "nullable": False, "description": "Names it.", "minimum": 1},
        {"name": "staff_id", "type": "integer", "nullable": True, "description": "Who.", "maximum": 99},
        {"name": "price", "type": "decimal(10,2)", "nullable": False, "description": "Price.", "minimum": 0},
        {
            "name": "state",
            "type": "text",
            "nullable": False,
            "description": "State.",
            "allowed_values": ["OPEN", "SHUT"],
        },
        {"name": "code", "type": "text", "nullable": False, "description": "Code.", "pattern": "^[A-Z]$"},
        {"name": "note", "type": "text", "nullable": True, "description": "Note.", "personal": True},
        {"name": "made_at", "type": "timestamp", "nullable": False, "description": "When."},
    ],
}


def contract(*, version: str = "2.3.4", drop: str = "", column: str = "", **changed: Any) -> Contract:
    """The ticket, changed: fields of one column, or of the table; ``drop`` leaves a column out."""
    stated = {**PUBLISHED, "version": version, **({} if column else changed)}
    columns = [{**c, **(changed if c["name"] == column else {})} for c in stated["columns"]]
    stated["columns"] = [c for c in columns if c["name"] != drop]
    return Contract.model_validate(stated)


NEW = {"name": "colour", "type": "text", "nullable": True, "description": "Colour."}

CHANGES: dict[str, tuple[Contract, Kind | None]] = {
    "nothing": (contract(), None),
    "another version alone": (contract(version="2.4.0"), None),
    "another owner": (contract(owner="x@terrifictotes.example"), Kind.RESTATES),
    "other words for a row": (contract(grain="A ticket."), Kind.RESTATES),
    "other words for a column": (contract(column="note", description="Words."), Kind.RESTATES),
    "another order": (contract(columns=PUBLISHED["columns"][::-1]), Kind.RESTATES),
    "a column is marked personal": (contract(column="code", personal=True), Kind.RESTATES),
    "a column is no longer personal": (contract(column="note", personal=False), Kind.WIDENS),
    "a column that may be empty": (contract(columns=[*PUBLISHED["columns"], NEW]), Kind.ADDS),
    "a column that is required": (
        contract(columns=[*PUBLISHED["columns"], {**NEW, "nullable": False}]),
        Kind.ADDS,
    ),
    "a column is gone": (contract(drop="note"), Kind.BREAKS),
    "a column is renamed": (contract(column="note", name="remark"), Kind.BREAKS),
    "a column may be empty": (contract(column="price", nullable=True), Kind.WIDENS),
    "a column is required": (contract(column="note", nullable=False), Kind.NARROWS),
    "integer to bigint": (contract(column="staff_id", type="bigint"), Kind.WIDENS),
    "time to microseconds": (contract(column="made_at", type="timestamp(6)"), Kind.WIDENS),
    "time to a zone": (contract(column="made_at", type="timestamptz"), Kind.BREAKS),
    "another name at the source": (contract(column="note", source="Note"), Kind.RESTATES),
    "another place at the source": (contract(source={"schema": "Sales"}), Kind.RESTATES),
    "integer to text": (contract(column="staff_id", type="text", maximum=None), Kind.BREAKS),
    "more digits": (contract(column="price", type="decimal(14,4)"), Kind.WIDENS),
    "more digits after the point at the cost of those before": (
        contract(column="price", type="decimal(10,4)"),
        Kind.BREAKS,
    ),
    "fewer digits": (contract(column="price", type="decimal(8,2)"), Kind.BREAKS),
    "decimal to bigint": (contract(column="price", type="bigint"), Kind.BREAKS),
    "a value is allowed": (contract(column="state", allowed_values=["OPEN", "SHUT", "LOST"]), Kind.WIDENS),
    "a value is no longer allowed": (contract(column="state", allowed_values=["OPEN"]), Kind.NARROWS),
    "values are exchanged": (contract(column="state", allowed_values=["OPEN", "LOST"]), Kind.NARROWS),
    "values are listed": (contract(column="code", allowed_values=["A"]), Kind.NARROWS),
    "values are no longer listed": (contract(column="state", allowed_values=None), Kind.WIDENS),
    "another pattern": (contract(column="code", pattern="^[A-Z]+$"), Kind.NARROWS),
    "a pattern": (contract(column="state", pattern="^[A-Z]+$"), Kind.NARROWS),
    "no pattern": (contract(column="code", pattern=None), Kind.WIDENS),
    "a lower minimum": (contract(column="price", minimum="-1"), Kind.WIDENS),
    "a higher minimum": (contract(column="price", minimum="0.01"), Kind.NARROWS),
    "no minimum": (contract(column="price", minimum=None), Kind.WIDENS),
    "a higher maximum": (contract(column="staff_id", maximum=100), Kind.WIDENS),
    "a lower maximum": (contract(column="staff_id", maximum=98), Kind.NARROWS),
    "a maximum": (contract(column="price", maximum=98), Kind.NARROWS),
    "a larger limit on cells": (contract(column="note", max_bytes=20 << 20), Kind.WIDENS),
    "a smaller limit on cells": (contract(column="note", max_bytes=1000), Kind.NARROWS),
    "the limit that holds unless stated": (contract(column="note", max_bytes=16 << 20), None),
    "partitions that are detached as a matter of course": (contract(rotation="routine"), Kind.RESTATES),
    "a reference": (
        contract(references=[*PUBLISHED["references"], {"column": "note", "table": "design"}]),
        Kind.NARROWS,
    ),
    "no reference": (contract(references=[]), Kind.WIDENS),
    "a reference to another table": (
        contract(references=[{"column": "staff_id", "table": "design"}]),
        Kind.NARROWS,
    ),
    "another key": (contract(key=["price"]), Kind.BREAKS),
    "a field that no rule knows": (contract(column="price", warehouse_type="numeric"), Kind.BREAKS),
    "several at once": (
        contract(columns=[NEW, *PUBLISHED["columns"][:-1]], owner="x@terrifictotes.example"),
        Kind.BREAKS,
    ),
}

LEAST = {
    None: "2.3.4",
    Kind.RESTATES: "2.3.5",
    Kind.ADDS: "2.4.0",
    Kind.WIDENS: "2.4.0",
    Kind.NARROWS: "3.0.0",
    Kind.BREAKS: "3.0.0",
}
TOO_LOW = {
    Kind.RESTATES: "2.3.4",
    Kind.ADDS: "2.3.5",
    Kind.WIDENS: "2.3.9",
    Kind.NARROWS: "2.4.0",
    Kind.BREAKS: "2.99.0",
}


@pytest.mark.parametrize(("new", "kind"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_classified_and_asks_for_its_version(new: Contract, kind: Kind | None) -> None:
    old = contract()
    found = changes(old, new)
    assert (found[0].kind if found else None) == kind
    assert complaint(old, new.model_copy(update={"version": LEAST[kind]})) is None
    if kind is not None:
        reason = complaint(old, new.model_copy(update={"version": TOO_LOW[kind]}))
        assert reason is not None
        assert str(found[0]) in reason
        assert LEAST[kind] in reason


def test_a_version_never_goes_back() -> None:
    reason = complaint(contract(), contract(version="2.3.3"))
    assert reason == "version 2.3.3 is before 2.3.4, which is published"
    assert complaint(contract(version="2.10.0"), contract(version="2.9.0")) is not None


def test_every_column_that_comes_and_goes_is_named() -> None:
    payment = load_catalogue().raw["payment"]
    kinds = [change.kind for change in changes(contract(), payment)]
    words = {change.words for change in changes(contract(), payment)}
    assert kinds == sorted(kinds, reverse=True)
    assert {f"column {column['name']} is gone" for column in PUBLISHED["columns"]} <= words
    assert {f"column {column.name} is new" for column in payment.columns} <= words
