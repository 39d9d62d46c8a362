"""The report of the measurements says what was measured, how, and on what."""

from __future__ import annotations

from datetime import UTC, datetime
from types import ModuleType

from bench import __main__ as bench
from bench.harness import Row
from bench.options import Options


def test_the_report_holds_every_row_with_its_part_and_the_date() -> None:
    part = ModuleType("part", "Extract orders.\n\nFrom a table into files.")
    rows = [Row("ours", 1.234, 165.4, "yes", "two streams"), Row("limit", 1.0, None)]
    report = bench.report(
        [bench.section(part, rows)], Options(rows=2_000_000, runs=5), datetime(2026, 11, 21, tzinfo=UTC)
    )
    assert "21 November 2026" in report
    assert "2,000,000 sales orders, medians of 5" in report
    assert "## Extract orders\n\nFrom a table into files.\n\n| case |" in report
    assert "| ours | 1.23 | 165 | yes | two streams |" in report
    assert "| limit | 1.00 | - |  |  |" in report
    assert "pyarrow" in report


def test_every_part_can_be_measured_alone() -> None:
    assert Options.from_argv(["--rows", "1000", "--runs", "1"]) == Options(1000, 1)
