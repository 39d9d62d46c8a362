"""What the demonstration makes of commits, numbers and differences."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from glue_jobs.reconciliation import Report, TableReport
from lakehouse.drive import JobEvent
from lakehouse.run_outcome import RunOutcome
from totesys import demo
from totesys.business import Act, Tick
from totesys.demo import Difference, Told, expect, with_commas


def printed(table: Table) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


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
    outcome = RunOutcome({"staff": 1_000, "design": 234}, versions=7, loaded=8)
    ticks = printed(demo.ticks_table([Told("tick 1", words, outcome, 9.25)]))
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


def test_of_an_answer_all_but_what_it_is_about_stands_at_the_right() -> None:
    rows = [("delivered", "1,078"), ("returned", "8")]
    shown = printed(demo.answer_table("Deliveries", ("status", "deliveries"), rows))
    assert "│ delivered │      1,078 │" in shown
    assert "│ returned  │          8 │" in shown


def test_where_nothing_could_be_made_nothing_is_said_to_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    # Nobody makes directories there, root neither.
    with pytest.raises(OSError, match="/sys/lakehouse"):
        demo.main(Path("/sys/lakehouse"), None)
    assert "kept" not in capsys.readouterr().out
