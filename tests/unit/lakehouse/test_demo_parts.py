"""What the demonstration makes of commits, numbers and differences."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from glue_jobs.lake.commits import Commit, TableCommit
from glue_jobs.reconciliation import Report, TableReport
from lakehouse.drive import JobEvent
from totesys import demo
from totesys.business import Act, Tick
from totesys.demo import Difference, Outcome, expect, outcome_of, with_commas


def commit(stage: str, tables: dict[str, dict[str, int]], at: str = "2024-11-18T10:00:30.500Z") -> Commit:
    return Commit(stage, 1, "a", at, 1, 1, {name: TableCommit(counts) for name, counts in tables.items()})


def printed(table: Table) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_an_outcome_sums_the_commits_of_a_run() -> None:
    began = 1731924000.0  # 2024-11-18T10:00:00Z
    outcome = outcome_of(
        {
            "capture": [
                commit("capture", {"staff": {"accepted": 2}, "design": {"accepted": 0}}),
                commit("capture", {"staff": {"accepted": 1}}),
            ],
            "validate": [],
            "dimensions": [commit("dimensions", {"dim_staff": {"new": 4}, "_current/staff": {"new": 3}})],
            "facts": [commit("facts", {"fact_payment": {"new": 5}, "fact_sales_order": {"read": 1}})],
            "load": [commit("load", {"dim_staff": {"new": 4}, "fact_payment": {"new": 5}})],
        },
        began,
    )

    assert outcome == Outcome({"staff": 3}, versions=9, loaded=9, seconds=30.5)


def test_a_run_without_commits_did_nothing() -> None:
    nothing: dict[str, list[Commit]] = {stage: [] for stage in ("capture", "dimensions", "facts", "load")}
    assert outcome_of(nothing, 0.0) == Outcome()


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("543550705.50", "543,550,705.50"),
        ("12345", "12,345"),
        ("2024", "2024"),
        ("2024-11-15", "2024-11-15"),
        ("", ""),
        ("GBP", "GBP"),
    ],
)
def test_thousands_have_commas_and_years_have_none(cell: str, shown: str) -> None:
    assert with_commas(cell) == shown


def test_the_seconds_on_spark_are_told_by_job() -> None:
    ended = {"validate_raw": 12.34, "build_facts": 9.0, "load_warehouse": 1.5, "transform": 3.0}
    events = [JobEvent(job, "SUCCEEDED", seconds) for job, seconds in ended.items()]
    told = demo.spark_seconds([JobEvent("validate_raw", "RUNNING", 0.0), *events])
    assert told == "  On Spark: validate_raw 12.3 s, build_facts 9.0 s, load_warehouse 1.5 s."


def test_what_is_not_as_expected_is_said() -> None:
    expect("rows", 1, 1)
    with pytest.raises(Difference, match="rows captured: expected 2, found 1"):
        expect("rows captured", 2, 1)


def test_the_tables_say_what_happened() -> None:
    tick = Tick(1, (Act("place_orders", "", ()), Act("delete_an_order", "", ())))
    words = demo.words_of(tick)
    ticks = printed(
        demo.ticks_table([("tick 1", words, Outcome({"staff": 1_000, "design": 234}, 7, 8, 9.25))])
    )
    assert all(text in ticks for text in ("tick 1", "orders, deletion", "1,234", "7", "8", "9.2"))

    report = Report(
        1, (TableReport("raw", "staff", 20, 20, None, ()), TableReport("star", "dim_staff", 20, 20, 20, ()))
    )
    reconciled = printed(demo.reconciliation_table(report))
    assert all(text in reconciled for text in ("raw.staff", "star.dim_staff", "equal"))


def test_a_directory_with_something_in_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious").write_text("keep me")

    assert demo.main(tmp_path) == 1
    assert "is not empty" in capsys.readouterr().out
    assert (tmp_path / "precious").read_text() == "keep me"
