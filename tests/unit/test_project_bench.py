"""The report of the measurements says what was measured, how, and on what."""

from __future__ import annotations

from datetime import UTC, datetime
from types import ModuleType

from bench import __main__ as bench
from bench.harness import Row
from bench.options import Options


def _part(name: str) -> ModuleType:
    return ModuleType(name, f"{name}.\n\nFrom a table into files.")


def _section(part: ModuleType, name: str, seconds: float = 1.234) -> str:
    rows = [Row(name, seconds, 165.4, "yes", "two streams"), Row("limit", 1.0, None)]
    return bench.section(part, rows, Options(rows=2_000_000, runs=5), datetime(2026, 11, 21, tzinfo=UTC))


def test_a_section_holds_every_row_with_the_date_and_the_machine() -> None:
    section = _section(_part("Extract orders"), "ours")
    assert section.startswith("## Extract orders\n\nFrom a table into files.\n\nMeasured on 21 November 2026")
    assert "2,000,000 sales orders, medians of 5 alternating runs" in section
    assert "| ours | 1.23 | 165 | yes | two streams |" in section
    assert "| limit | 1.00 | - |  |  |" in section
    assert "pyarrow" in section


def test_cpu_time_is_shown_where_it_was_measured() -> None:
    lines = bench.table(
        [Row("ours", 1.5, 200, "yes", cpu_seconds=2.25), Row("limit", 1.0, None)]
    ).splitlines()
    assert lines[0] == "| case | seconds | CPU seconds | peak MB | exact | note |"
    assert lines[2:] == ["| ours | 1.50 | 2.25 | 200 | yes |  |", "| limit | 1.00 | - | - |  |  |"]


def test_the_report_keeps_what_was_measured_before_in_the_order_of_the_parts() -> None:
    titles = ["Extract", "Load", "Star"]
    load, star = (_section(_part(title), title) for title in titles[1:])
    first = bench.report("# Benchmarks\n\nNothing yet.\n", {"Star": star}, titles)
    second = bench.report(first, {"Load": load}, titles)
    assert second == f"{bench.HEAD}\n\n{load}\n\n{star}\n"
    newer = _section(_part("Load"), "Load", seconds=9.0)
    assert bench.report(second, {"Load": newer}, titles) == f"{bench.HEAD}\n\n{newer}\n\n{star}\n"


def test_every_part_can_be_measured_alone() -> None:
    assert Options.from_argv(["--rows", "1000", "--runs", "1"]) == Options(1000, 1)
