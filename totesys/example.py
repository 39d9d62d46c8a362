"""What ``lakehouse up`` and ``lakehouse demo`` ask of totesys, see :mod:`lakehouse.example`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from totesys import csv_loader, database, generator


def check(data: str) -> None:
    """Refuse a folder that cannot be what :func:`fill` loads.

    Args:
        data: The folder with ``<table>.csv.gz``.

    Raises:
        ValueError: A file is missing or no such file; the message says which.
    """
    csv_loader.check(data)


def fill(
    owner: str, reader: str, data: str | None, scale: int, until: str | None, say: Callable[[str], None]
) -> dict[str, int]:
    """Make totesys in an empty database and fill it, from files or with invented rows.

    Args:
        owner: The DSN of the database, as its owner.
        reader: The role that may read every table afterwards.
        data: The folder with ``<table>.csv.gz``; rows are invented without it.
        scale: How many times the real volume is invented.
        until: The last day of what is invented; the last working day that is over unless given.
        say: Is told what happens.

    Returns:
        Rows by table.

    Raises:
        ValueError: A file is missing or wrong, or tables are there already; the message says which, and
            what to do.
    """
    database.create(owner)
    if data is not None:
        say(f"loading {data} into totesys")
        rows = csv_loader.load(owner, data)
    else:
        day = date.fromisoformat(until) if until else generator.last_finished_day(datetime.now(UTC).date())
        what = f"generating totesys at scale {scale}, until {day}"
        say(what)
        rows = generator.generate(
            owner,
            scale=scale,
            progress=lambda done, total: say(f"{what}: {100 * done // max(total, 1)} %"),
            until=day,
        )
    database.grant_reader(owner, reader)
    return rows


def demonstrate(state: Path | None, *, keep: bool = False) -> int:
    """Show the whole pipeline on a generated totesys that lives for three ticks; returns the exit code.

    Args:
        state: The directory of its stack; a temporary one where none is given.
        keep: Whether the stack is left running at the end.
    """
    from totesys import demo

    return demo.main(state, keep=keep)
