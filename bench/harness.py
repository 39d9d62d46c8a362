"""Measures commands against each other: fresh processes, alternating, medians, peak memory by the kernel."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
        name: What it is called in the table.
        command: A command whose last line on standard output is ``{"seconds": …, "exact": …, "note": …}``,
            the seconds of the work alone; only ``seconds`` must be there. With ``"peak_mb"`` the command
            states its memory itself, before it looks at its result, and with ``"cpu_seconds"`` CPU time.
        environment: Variables on top of this process's own.
        runs: How often it runs where that differs from the others, for what takes minutes.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    runs: int | None = None


@dataclass(frozen=True)
class Row:
    """Medians of one case."""

    name: str
    seconds: float
    peak_mb: float | None
    exact: str = ""
    note: str = ""
    runs: int = 0
    cpu_seconds: float | None = None


class MeasurementError(Exception):
    """A measured command failed; the message holds its last words."""


def measure(cases: Sequence[Case], runs: int) -> list[Row]:
    """Run every case so many times, in turn, so that what else the machine does falls on all of them.

    Args:
        cases: What to measure.
        runs: How often.

    Raises:
        MeasurementError: A command failed.
    """
    found: dict[str, list[tuple[dict[str, object], float]]] = {case.name: [] for case in cases}
    for number in range(runs):
        for case in cases:
            if case.runs is None or number < case.runs:
                found[case.name].append(run(case))
    return [_row(case.name, found[case.name]) for case in cases]


def run(case: Case) -> tuple[dict[str, object], float]:
    """Run a case once.

    Returns:
        What it reported, and the peak memory of its process in MiB.

    Raises:
        MeasurementError: The command failed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            list(case.command), stdout=out, stderr=err, env={**os.environ, **case.environment}
        )
        # The kernel's own account of this one child, whatever it did.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        lines = out.read().decode(errors="replace").strip().splitlines()
        if process.returncode or not lines:
            words = err.read().decode(errors="replace").strip()[-2000:]
            raise MeasurementError(f"{case.name} ended with {process.returncode}:\n{words}")
    reported: dict[str, object] = json.loads(lines[-1])
    return reported, usage.ru_maxrss / 1024


def against(row: Row, other: Row, promise: float | None = None) -> str:
    """How many times another case's time a case takes, beside what is promised.

    Args:
        row: The case.
        other: What it is measured against.
        promise: How many times it may be at most; nothing where nothing is promised.
    """
    ratio = row.seconds / other.seconds
    note = f"{ratio:.2f} times {other.name}"
    if row.cpu_seconds is not None and other.cpu_seconds:
        note += f", {row.cpu_seconds / other.cpu_seconds:.2f} times its CPU"
    if promise is None:
        return note
    return f"{note}; promised: at most {promise:g} times, {'kept' if ratio <= promise else 'NOT KEPT'}"


def _row(name: str, found: Sequence[tuple[dict[str, object], float]]) -> Row:
    last = found[-1][0]
    spent = [float(str(reported["cpu_seconds"])) for reported, _ in found if "cpu_seconds" in reported]
    return Row(
        name=name,
        seconds=statistics.median(float(str(reported["seconds"])) for reported, _ in found),
        peak_mb=statistics.median(float(str(reported.get("peak_mb", peak))) for reported, peak in found),
        exact=str(last.get("exact", "")),
        note=str(last.get("note", "")),
        runs=len(found),
        cpu_seconds=statistics.median(spent) if spent else None,
    )
