"""Counts the lines that have to be read to know the project: `make lines`.

Counted are the lines of code, SQL, YAML, HCL and templates that Git tracks, outside tests and locks; blank
lines and comments are lines, too. Prose, data and what only a machine reads are not counted.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

KINDS = {
    "code": (".py", ".sh", ".js"),
    "SQL": (".sql",),
    "YAML": (".yaml", ".yml"),
    "HCL": (".tf", ".tfvars", ".hcl"),
    "templates": (".j2", ".html", ".css"),
}
"""What is counted, by the endings of files' names."""


def kind(name: str) -> str | None:
    """What a tracked file is counted as; nothing where it is not counted.

    Args:
        name: Its path in the repository.
    """
    path = PurePosixPath(name)
    if "tests" in path.parts or path.name.endswith(".lock.hcl"):
        return None
    return next((kind for kind, endings in KINDS.items() if path.suffix in endings), None)


def tracked(root: Path) -> list[str]:
    """The files that Git tracks and that are there."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def count(root: Path, names: Iterable[str]) -> Counter[str]:
    """Lines by kind.

    Args:
        root: The repository.
        names: Its files.
    """
    lines: Counter[str] = Counter()
    for name in names:
        found = kind(name)
        if found is not None:
            lines[found] += (root / name).read_bytes().count(b"\n")
    return lines


def main(argv: Sequence[str]) -> int:
    """Print the lines of each kind and of all; returns the exit code.

    Args:
        argv: The repository's folder, where it is not the current one.
    """
    root = Path(argv[0] if argv else ".")
    lines = count(root, tracked(root))
    for name in KINDS:
        print(f"{name:<10} {lines[name]:>7,}")
    print(f"{'all':<10} {lines.total():>7,}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
