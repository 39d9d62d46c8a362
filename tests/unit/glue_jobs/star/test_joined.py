from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from catalog.catalogue import load_catalogue
from glue_jobs.star import joined
from glue_jobs.star.joined import Source
from glue_jobs.star.local import local_frame
from tests.spark_lake import Row, at

DIM_STAFF = load_catalogue().star["dim_staff"]
LINEAGE = "batch_sequence bigint, captured_at timestamp_ntz, is_deleted boolean"
STAFF = (
    "staff_id int, first_name string, last_name string, department_id int, email_address string, "
    "created_at timestamp_ntz, last_updated timestamp_ntz, " + LINEAGE
)
DEPARTMENT = (
    "department_id int, department_name string, location string, manager string, "
    "created_at timestamp_ntz, last_updated timestamp_ntz, " + LINEAGE
)


def seen(batch: int) -> Row:
    return {"batch_sequence": batch, "captured_at": at(f"2024-01-01 10:{batch:02}:00"), "is_deleted": False}


def person(batch: int, key: int = 1, department: int = 1, **more: Any) -> Row:
    names = {"first_name": "Ann", "last_name": "Lee", "email_address": "ann.lee@terrifictotes.com"}
    return {"staff_id": key, "department_id": department, **names, **seen(batch), **more}


def department(batch: int, key: int = 1, name: str = "Sales", **more: Any) -> Row:
    return {"department_id": key, "department_name": name, "location": "Leeds", **seen(batch), **more}


def incoming(
    spark: SparkSession,
    staff: tuple[list[Row], list[Row]],
    departments: tuple[list[Row], list[Row]],
) -> list[tuple[Any, ...]]:
    """Candidates for dim_staff from what is held and what is new of both sources."""

    def source(key: str, rows: tuple[list[Row], list[Row]], schema: str) -> Source:
        held, new = (local_frame(spark, some, schema) for some in rows)
        return Source(key, held if rows[0] else None, new)

    assert DIM_STAFF.built_from is not None
    sources = {
        "staff": source("staff_id", staff, STAFF),
        "department": source("department_id", departments, DEPARTMENT),
    }
    found = joined.incoming(DIM_STAFF, "staff", DIM_STAFF.built_from.joins, sources)
    columns = ("batch_sequence", "staff_id", "department_name", "location", "is_deleted", "_mark_unmatched")
    return sorted(tuple(row[name] for name in columns) for row in found.collect())


def test_a_changed_department_gives_its_staff_a_candidate_in_its_batch(spark: SparkSession) -> None:
    found = incoming(
        spark,
        ([person(1), person(1, key=2, department=9)], []),
        ([department(1)], [department(4, name="Trade")]),
    )
    assert found == [(4, 1, "Trade", "Leeds", False, False)]


def test_each_batch_sees_both_sources_as_they_were_then(spark: SparkSession) -> None:
    staff = [person(2), person(5, department=2)]
    departments = [
        department(2),
        department(3, name="Trade"),
        department(4, key=2, name="Arts"),
        department(6),
    ]
    assert incoming(spark, ([], staff), ([], departments)) == [
        (2, 1, "Sales", "Leeds", False, False),
        (3, 1, "Trade", "Leeds", False, False),
        (4, 1, "Trade", "Leeds", False, False),
        (5, 1, "Arts", "Leeds", False, False),
        (6, 1, "Arts", "Leeds", False, False),
    ]


def test_staff_without_a_known_department_stay_with_unknown_until_it_comes(spark: SparkSession) -> None:
    found = incoming(spark, ([], [person(2)]), ([], [department(4, location=None)]))
    assert found == [
        (2, 1, "Unknown", "Unknown", False, True),
        (4, 1, "Sales", "Unknown", False, False),
    ]


def test_deleted_staff_stay_marked_with_their_last_department(spark: SparkSession) -> None:
    gone = person(3, is_deleted=True)
    assert incoming(spark, ([person(1)], [gone]), ([department(1)], [])) == [
        (3, 1, "Sales", "Leeds", True, False)
    ]


def test_a_department_that_is_deleted_still_names_its_staffs_department(spark: SparkSession) -> None:
    found = incoming(spark, ([person(1)], []), ([department(1)], [department(2, is_deleted=True)]))
    assert found == [(2, 1, "Sales", "Leeds", False, False)]
