"""Raises the coverage floor in pyproject.toml to what the last `make coverage` reached; never lowers it."""

from __future__ import annotations

import io
import math
import re
import sys
from pathlib import Path

import coverage

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
FLOOR = re.compile(r"^fail_under = (\d+)$", flags=re.MULTILINE)


def raised(project: str, reached: float) -> str:
    """Gives the project file with the floor raised to the whole percentage that was reached.

    Args:
        project: pyproject.toml's text.
        reached: Coverage in percent.

    Returns:
        The text; the same if the floor is already as high.
    """
    return FLOOR.sub(lambda floor: f"fail_under = {max(int(floor[1]), math.floor(reached))}", project)


def main() -> int:
    """Raises the floor; returns the exit code."""
    measured = coverage.Coverage()
    measured.load()
    try:
        reached = measured.report(file=io.StringIO())
    except coverage.CoverageException as problem:
        print(f"nothing measured yet ({problem}): run `make coverage` first", file=sys.stderr)
        return 1
    project = PROJECT.read_text(encoding="utf-8")
    PROJECT.write_text(raised(project, reached), encoding="utf-8")
    print(f"coverage {reached:.1f} %, floor now {math.floor(reached)} % at least")
    return 0


if __name__ == "__main__":
    sys.exit(main())
