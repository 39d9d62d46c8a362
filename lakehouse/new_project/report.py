"""What a person is told of a new project: what it captures, what was guessed, what it does not hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from lakehouse.new_project.contracts import TO_DESCRIBE
from lakehouse.new_project.proposal import Proposal
from lakehouse.terminal import counted

ROWS_A_SECOND, TABLES_A_SECOND, STARTING_SECONDS = 300_000, 40, 2
"""What a first capture takes: rows of few columns and uuid keys (docs/benchmarks.md), tables, the start."""

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def report(proposal: Proposal, database: str) -> str:
    """The report, for a person and for a file.

    Args:
        proposal: What is proposed.
        database: The name of the database.
    """
    rows = sum(relation.rows for relation in proposal.chosen)
    size = sum(relation.bytes for relation in proposal.chosen)
    skipped = f", {proposal.skipped:,} left out by the patterns" if proposal.skipped else ""
    amount = f"about {counted(rows, 'row')}, {shown_bytes(size)} by the server's estimate"
    duration = shown_seconds(capture_seconds(rows, len(proposal.chosen)))
    described = [
        f"{counted(len(proposal.chosen), 'table')} of {database} to capture{skipped}",
        f"  the first capture reads {amount}, in about {duration}; wide rows take longer",
    ]
    of_kind = {
        kind: sorted(name for name, contract in proposal.star.items() if contract["kind"] == kind)
        for kind in ("dimension", "fact")
    }
    for kind, names in of_kind.items():
        if names:
            described.append(f"{counted(len(names), kind)}, guessed from foreign keys: {', '.join(names)}")
    undescribed = sum(
        column["description"] == TO_DESCRIBE for table in proposal.raw.values() for column in table["columns"]
    )
    if undescribed:
        described.append(f'{counted(undescribed, "column")} to describe: search for "{TO_DESCRIBE}"')
    described += _listed("to review", _reviews(proposal))
    described += _listed("not held", [str(one) for one in proposal.left_out])
    return "\n".join(described)


def _reviews(proposal: Proposal) -> list[str]:
    return [
        f"{zone}/{table}{f', {column}' if column else ''}: {said}"
        for (zone, table, column), said in sorted(proposal.marks.items())
        if zone == "raw" and column
    ]


def _listed(title: str, lines: Sequence[str]) -> Iterable[str]:
    return [f"{title} ({len(lines)}):", *(f"  {line}" for line in lines)] if lines else []


def shown_bytes(size: int) -> str:
    """A size as people say it: ``3.4 MB``."""
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def capture_seconds(rows: int, tables: int) -> int:
    """About how long a first capture takes."""
    return math.ceil(STARTING_SECONDS + tables / TABLES_A_SECOND + rows / ROWS_A_SECOND)


def shown_seconds(seconds: int) -> str:
    """A duration as people say it: ``9 seconds``, ``3 minutes``."""
    return counted(seconds, "second") if seconds < 100 else counted(math.ceil(seconds / 60), "minute")
