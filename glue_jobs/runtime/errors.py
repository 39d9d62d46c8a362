"""Errors that a person can act on, and how a job ends."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from catalog.yaml_lines import ContractError
from glue_jobs.runtime import log


class UserError(Exception):
    """Something that a person caused and can mend: says what is wrong, where, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy


# Their messages name services, files and columns, never a row's content.
_SPEAKABLE = (UserError, ContractError, ClientError, BotoCoreError, ImportError, OSError)


def describe(error: BaseException) -> dict[str, str]:
    """An exception for the log: its message only where that cannot hold row content, else where it arose."""
    if isinstance(error, _SPEAKABLE):
        return {"error": type(error).__name__, "message": str(error)}
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{Path(f.filename).name}:{f.lineno}:{f.name}" for f in frames[-8:])
    return {"error": f"{type(error).__module__}.{type(error).__name__}", "where": where}


def run(job: str, main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> NoReturn:
    """Run a job's main function and end the process: 0, or 1 with one log line that says why.

    Args:
        job: The job's name, for the log.
        main: The job; returns its exit code.
        argv: Its arguments, without the script.
    """
    log.start(job, argv)
    try:
        code = main(argv)
    except Exception as error:  # noqa: BLE001 - the process boundary: a log line and an exit code
        log.error("job.failed", **describe(error))
        code = 1
    sys.exit(code)
