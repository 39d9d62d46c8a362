"""Which Python runs a job: that of the Glue runtime which the job names, else the stack's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the packages lie, and the environments beside them."""

# `make runtimes` makes these beside the packages; the variables point elsewhere where one wants that.
_SHELL = (".venv-glue-shell-3.9", "LAKEHOUSE_SHELL_PYTHON")
_SPARK = (".venv-glue-spark-3.13", "LAKEHOUSE_SPARK_PYTHON")


@dataclass(frozen=True)
class Interpreter:
    """A Python to run a job with.

    Attributes:
        executable: Its path.
        note: A line for the job's log: which Python it is, and if the one that Glue would use is missing.
        is_glues: Whether it is of the version that Glue runs the job on.
    """

    executable: Path
    note: str
    is_glues: bool = True


def interpreter_for(
    job: Mapping[str, Any], environment: Mapping[str, str] | None = None, root: Path = CHECKOUT
) -> Interpreter:
    """The Python for a deployed job.

    Args:
        job: What Glue's GetJob answers.
        environment: Looked at for the variables that name a Python; the process's own by default.
        root: The directory that holds the runtimes' environments.
    """
    environment = os.environ if environment is None else environment
    shell = job["Command"]["Name"] == "pythonshell"
    directory, variable = _SHELL if shell else _SPARK
    if environment.get(variable):
        chosen = Path(environment[variable])
        return Interpreter(chosen, f"runs on {chosen}, as {variable} says")
    runtime = root / directory / "bin" / "python"
    if runtime.exists():
        return Interpreter(runtime, f"runs on {directory}, Glue's own Python")
    version = ".".join(str(part) for part in sys.version_info[:2])
    return Interpreter(
        Path(sys.executable),
        f"runs on the stack's own Python {version}: {directory} is not there, make runtimes makes it",
        is_glues=False,
    )
