"""Ask a stack how it is.

What a person types many times a day, on the lake of a generated totesys that ran once: seconds from the key
to the prompt, the start of Python included, and the command's CPU time. The stack's own process does the
rest. The number of sales orders is that of the demonstration.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness import Case, Row, measure
from bench.options import Options

COMMANDS = ("--help", "runs", "questions", "status")
_PROGRAM = [sys.executable, "-m", "lakehouse.cli"]


def rows(options: Options) -> list[Row]:
    """Measure every command.

    Args:
        options: How often; the lake has the volume of the demonstration.
    """
    with tempfile.TemporaryDirectory(prefix="bench-commands-") as folder:
        environment = {**os.environ, "LAKEHOUSE_STATE": str(Path(folder) / "state"), "LAKEHOUSE_QUIET": "1"}
        try:
            for words in (["up"], ["run"]):
                subprocess.run([*_PROGRAM, *words], env=environment, check=True, stdout=subprocess.DEVNULL)
            timed = [sys.executable, "-m", "bench.commands"]
            of_the_stack = {"LAKEHOUSE_STATE": environment["LAKEHOUSE_STATE"]}
            cases = [Case(f"lakehouse {command}", [*timed, command], of_the_stack) for command in COMMANDS]
            return measure(cases, options.runs)
        finally:
            subprocess.run([*_PROGRAM, "down"], env=environment, check=True, stdout=subprocess.DEVNULL)


def main(argv: Sequence[str]) -> None:
    """Run one command, and print its seconds."""
    began = time.monotonic()
    with subprocess.Popen([*_PROGRAM, *argv], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"it ended with {process.returncode}")
    taken = {
        "seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1:])
