"""Looks for known vulnerabilities in what every lock names: `make audit`.

`pip-audit` asks a database on the internet. Where that cannot be reached, nothing was looked at, which is
told from what was found: that alone pip-audit counts in its words.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / ".venv-checkers" / "bin" / "pip-audit"


class AuditError(Exception):
    """What stops an audit, in words."""


def audit(locks: Iterable[Path], program: Path = PROGRAM) -> list[Path]:
    """Look into locks; those of which something was found, which is printed.

    Args:
        locks: The files.
        program: `pip-audit`.

    Raises:
        AuditError: One could not be looked into.
    """
    found = []
    for lock in locks:
        arguments = ["--strict", "--disable-pip", "--no-deps", "--requirement", str(lock)]
        done = subprocess.run([program, *arguments], stderr=subprocess.PIPE, text=True, check=False)
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        if done.returncode and not any(line.startswith("Found ") for line in said):
            raise AuditError(
                f"{lock.name} was not audited, nor any lock after it: the database of vulnerabilities cannot "
                f"be asked ({said[-1]}). Run it again where the internet can be reached."
            )
        print(f"audit: {lock.name}: {said[-1]}")
        found += [lock] if done.returncode else []
    return found


def main() -> int:
    """Look into every lock."""
    try:
        found = audit(sorted((ROOT / "requirements").glob("*.txt")))
    except AuditError as problem:
        print(f"audit: {problem}", file=sys.stderr)
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
