"""A report says in figures and in words what is the same and what is not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from glue_jobs.reconciliation.reconciliation_report import Comparison, Difference, Report, TableReport
from glue_jobs.reconciliation.record import metrics


def table(*comparisons: Comparison, name: str = "staff") -> TableReport:
    return TableReport("star", name, 20, 20, 20, comparisons)


EQUAL = Comparison("source", "lake")
WAITING = Comparison("source", "lake", missing=2, different=1, waiting=3)
DIFFERENT = Comparison(
    "lake",
    "warehouse",
    missing=1,
    different=2,
    waiting=2,
    examples=(
        Difference("different", "7", False, ("city", "phone")),
        Difference("missing", "9", True),
    ),
)


@pytest.mark.parametrize(
    ("comparisons", "verdict"),
    [
        ((), "equal"),
        ((EQUAL, EQUAL), "equal"),
        ((EQUAL, WAITING), "waiting"),
        ((WAITING, DIFFERENT, EQUAL), "different"),
        ((Comparison("source", "lake", extra=1),), "different"),
        ((Comparison("source", "lake", repeated=1),), "different"),
    ],
)
def test_the_worst_comparison_decides(comparisons: tuple[Comparison, ...], verdict: str) -> None:
    assert table(*comparisons).verdict == verdict
    assert Report(3, (table(EQUAL), table(*comparisons))).verdict == verdict


def test_the_json_sums_the_comparisons_and_keeps_each() -> None:
    stated = json.loads(json.dumps(Report(3, (table(WAITING, DIFFERENT),)).as_dict()))

    assert (stated["verdict"], stated["batch"]) == ("different", 3)
    found = stated["tables"][0]
    assert (found["missing"], found["different"], found["waiting"], found["extra"]) == (3, 3, 5, 0)
    assert [c["verdict"] for c in found["comparisons"]] == ["waiting", "different"]
    assert found["comparisons"][1]["examples"][0] == {
        "kind": "different",
        "key": "7",
        "waiting": False,
        "columns": ["city", "phone"],
    }


def test_inferred_members_are_named_and_are_no_difference() -> None:
    report = Report(3, (TableReport("star", "dim_staff", 20, 20, 20, (EQUAL,), 7, ("4", "9")),))

    assert report.verdict == "equal"
    assert "star.dim_staff: 7 inferred members, whose rows have not arrived: 4, 9, …" in report.as_text()
    (stated,) = report.as_dict()["tables"]
    assert (stated["inferred"], stated["inferred_keys"]) == (7, ["4", "9"])


def test_unequal_counts_that_are_equal_say_why() -> None:
    days = TableReport("star", "dim_date", 744, 1_096, 1_096, (EQUAL,), is_calendar=True)
    orders = TableReport("star", "fact_sales_order", 20, 20, 20, (EQUAL,), dead_letters=2)
    text = Report(3, (days, orders, replace(days, source=1_096, table="dim_day"))).as_text()
    assert "star.dim_date: the 744 days that rows refer to are the same; a calendar has all of" in text
    assert "star.fact_sales_order: besides, the source has 2 unresolved dead letters" in text
    assert "star.dim_day: " not in text


def test_the_text_names_keys_and_columns_below_the_table() -> None:
    text = Report(
        3, (table(EQUAL, DIFFERENT), TableReport("raw", "design", 4_730, 4_730, None, ()))
    ).as_text()

    assert "star.staff, lake against warehouse: 1 missing, 2 different, 2 waiting" in text
    assert "different key 7 in city, phone" in text
    assert "missing key 9 (waiting)" in text
    assert "raw.design" in text
    assert "4,730" in text
    assert text.endswith("batch 3: NOT the same: see above")


def test_trouble_names_tables_and_reasons_and_no_key() -> None:
    unread = TableReport("star", "dim_staff", 1, 1, 1, (EQUAL,), unread="Athena does not answer.")
    report = Report(3, (table(DIFFERENT), unread, table(EQUAL, name="design")), None, ("A view is missing",))

    assert report.trouble() == (
        "Rows differ of star.staff. Athena does not answer. Not compared: star.dim_staff. A view is missing."
    )


def test_metrics_count_what_should_be_equal_and_is_not_apart_from_what_waits() -> None:
    found = metrics(Report(3, (table(WAITING, DIFFERENT), table(EQUAL, name="design"))))

    assert found == {"unequal": 1, "inferred": 0}
