"""Records the README's session from a real run: `make session` gives its commands to a fresh stack.

What they print is put between the README's marks, and drawn as docs/images/session.svg. Of a long answer the
first and the last lines stay.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "session.svg"
BEGIN, END = "<!-- session: make session -->\n", "<!-- end of session -->\n"

COMMANDS = (
    "lakehouse up --until 2024-11-15",
    "lakehouse run",
    "lakehouse status",
    "lakehouse sql --named revenue_by_month --param month=2024-11",
    "lakehouse record fact_sales_order 11000",
    "lakehouse reconcile",
    "lakehouse down",
)
"""What a person would type in the first minutes."""

MOST_LINES, WIDTH = 14, 110


def shortened(lines: list[str]) -> list[str]:
    """The lines of an answer that are shown: all of a short one, the first and the last of a long one."""
    if len(lines) <= MOST_LINES:
        return lines
    kept = MOST_LINES // 2
    return [*lines[:kept], "…", *lines[-kept + 2 :]]


def record(commands: tuple[str, ...] = COMMANDS) -> Iterator[str]:
    """Give commands to a stack of their own; the lines of the session as a person sees them.

    Raises:
        SystemExit: One failed.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-session-") as folder:
        environment = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1"}
        try:
            for command in commands:
                yield f"$ {command}"
                done = subprocess.run(
                    [sys.executable, "-m", "lakehouse.cli", *shlex.split(command)[1:]],
                    cwd=folder,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise SystemExit(f"session: {command} ended with {done.returncode}:\n{done.stdout}")
                yield from shortened([line.rstrip() for line in done.stdout.splitlines()])
        finally:
            down = [sys.executable, "-m", "lakehouse.cli", "down"]
            subprocess.run(down, cwd=folder, env=environment, capture_output=True, check=False)


def with_session(readme: str, lines: list[str]) -> str:
    """The README with another session."""
    before, _, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    block = "".join(f"    {line}".rstrip() + "\n" for line in lines)
    return f"{before}{BEGIN}\n{block}\n{end}{after}"


def session_of(readme: str) -> list[str]:
    """The lines of the README's session."""
    block = readme.partition(BEGIN)[2].partition(END)[0].strip("\n")
    return [line.removeprefix("    ") for line in block.splitlines()]


def picture(lines: list[str]) -> str:
    """The session as a picture of a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for line in lines:
        console.print(Text(line, style="bold green" if line.startswith("$ ") else ""), soft_wrap=True)
    return console.export_svg(title="lakehouse")


def main() -> None:
    """Record, and write both."""
    lines = list(record())
    README.write_text(with_session(README.read_text(encoding="utf-8"), lines), encoding="utf-8")
    PICTURE.write_text(picture(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
