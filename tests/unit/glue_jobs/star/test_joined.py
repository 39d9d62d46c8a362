from __future__ import annotations

from typing import Any

import pyarrow as pa

from catalog.catalogue import load_catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.star import projection
from glue_jobs.star.build import snapshot_target
from glue_jobs.star.projection import JoinedSource
from tests.lake import Row, at

CATALOG = load_catalogue()
DIM_STAFF = CATALOG.star["dim_staff"]


def seen(batch: int) -> Row:
    return {"batch_sequence": batch, "captured_at": at(f"2024-01-01 10:{batch:02}:00"), "is_deleted": False}


def person(batch: int, key: int = 1, department: int = 1, **more: Any) -> Row:
    names = {"first_name": "Ann", "last_name": "Lee", "email_address": "ann.lee@terrifictotes.com"}
    return {"staff_id": key, "department_id": department, **names, **seen(batch), **more}


def department(batch: int, key: int = 1, name: str = "Sales", **more: Any) -> Row:
    return {"department_id": key, "department_name": name, "location": "Leeds", **seen(batch), **more}


def incoming(
    engine: Engine, staff: tuple[list[Row], list[Row]], departments: tuple[list[Row], list[Row]]
) -> list[tuple[Any, ...]]:
    """Candidates for dim_staff from what is known and what is new of both sources."""

    def source(table: str, rows: tuple[list[Row], list[Row]]) -> JoinedSource:
        raw = CATALOG.raw[table]
        target = snapshot_target(raw, DIM_STAFF)
        schema = pa.schema([target.schema.field(name) for name in target.spec.columns])
        nullable = pa.schema([field.with_nullable(True) for field in schema])
        for name, some in (("versions", [*rows[0], *rows[1]]), ("new", rows[1])):
            engine.rows(f"{table}_{name}", nullable, some)
        return JoinedSource(raw, f"{table}_versions", f"{table}_new")

    sources = {"staff": source("staff", staff), "department": source("department", departments)}
    found = engine.fetch(projection.joined(DIM_STAFF, CATALOG, sources))
    columns = ("batch_sequence", "staff_id", "department_name", "location", "is_deleted", "_flag_unmatched")
    return sorted(tuple(row[name] for name in columns) for row in found)


def test_a_changed_department_gives_its_staff_a_candidate_in_its_batch(engine: Engine) -> None:
    found = incoming(
        engine,
        ([person(1), person(1, key=2, department=9)], []),
        ([department(1)], [department(4, name="Trade")]),
    )
    assert found == [(4, 1, "Trade", "Leeds", False, False)]


def test_each_batch_sees_both_sources_as_they_were_then(engine: Engine) -> None:
    staff = [person(2), person(5, department=2)]
    departments = [
        department(2),
        department(3, name="Trade"),
        department(4, key=2, name="Arts"),
        department(6),
    ]
    assert incoming(engine, ([], staff), ([], departments)) == [
        (2, 1, "Sales", "Leeds", False, False),
        (3, 1, "Trade", "Leeds", False, False),
        (4, 1, "Trade", "Leeds", False, False),
        (5, 1, "Arts", "Leeds", False, False),
        (6, 1, "Arts", "Leeds", False, False),
    ]


def test_staff_without_a_known_department_stay_with_unknown_until_it_comes(engine: Engine) -> None:
    found = incoming(engine, ([], [person(2)]), ([], [department(4, location=None)]))
    assert found == [
        (2, 1, "Unknown", "Unknown", False, True),
        (4, 1, "Sales", "Unknown", False, False),
    ]


def test_deleted_staff_stay_marked_with_their_last_department(engine: Engine) -> None:
    gone = person(3, is_deleted=True)
    assert incoming(engine, ([person(1)], [gone]), ([department(1)], [])) == [
        (3, 1, "Sales", "Leeds", True, False)
    ]


def test_a_department_that_is_deleted_still_names_its_staffs_department(engine: Engine) -> None:
    found = incoming(engine, ([person(1)], []), ([department(1)], [department(2, is_deleted=True)]))
    assert found == [(2, 1, "Sales", "Leeds", False, False)]
