"""How a job's process runs and ends: its log line, its metric, its exit code."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from boto3.compat import filter_python_deprecation_warnings
from botocore.exceptions import BotoCoreError, ClientError

from catalog.yaml_lines import ContractError
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.errors import DISK_FULL, UserError, is_disk_full

# Their messages name services, files and columns, never a row's content.
_SPEAKABLE = (UserError, ContractError, ClientError, BotoCoreError, ImportError, OSError)


def describe(error: BaseException) -> dict[str, str]:
    """An exception for the log: its message only where that cannot hold row content, else where it arose."""
    if is_disk_full(error) and not isinstance(error, UserError):
        return {"error": type(error).__name__, "message": DISK_FULL}
    if isinstance(error, _SPEAKABLE):
        return {"error": type(error).__name__, "message": str(error)}
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{Path(f.filename).name}:{f.lineno}:{f.name}" for f in frames[-8:])
    return {"error": f"{type(error).__module__}.{type(error).__name__}", "where": where}


def run(job: str, main: Callable[[Sequence[str]], int], argv: Sequence[str], *, apart: bool = False) -> None:
    """Run a job's main function; where it does not end well the process does: 1, with a line that says why.

    One that ends well returns: Glue takes an exit of a Spark job for a failure, whatever its code is.

    Args:
        job: The job's name, for the log.
        main: The job; returns its exit code.
        argv: Its arguments, without the script.
        apart: Whether it runs in a process of its own, on Linux, as every job of the Python shell does. Then
            the log line is written even where a library aborts that process, or the system takes it away; and
            no library can abort a job that has ended well, as Arrow's threads do where one of them asks for
            Python while it shuts down: that process ends without shutting down.
    """
    log.start(job, argv)
    # Which Python a job has is Glue's to say; a warning of it would stand in front of each run's log.
    filter_python_deprecation_warnings()
    # A forked process of macOS may not use the system's libraries for proxies and names.
    ended = _apart if apart and sys.platform == "linux" else _ended
    began = time.monotonic()
    code = ended(main, argv)
    # Every run that ends says so: where runs end and this does not arrive, no metric does.
    metrics.emit({"job": job}, {"seconds_run": round(time.monotonic() - began, 3)})
    if code:
        sys.exit(code)


def _ended(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    try:
        return main(argv)
    except Exception as error:  # noqa: BLE001 - the process boundary: a log line and an exit code
        log.error("job.failed", **describe(error))
        return 1


def _apart(main: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    parent = os.getpid()

    def work() -> None:
        _end_with(parent)
        sys.exit(_ended(main, argv))

    child = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    child.start()
    # Who is asked to stop takes the child along: it is a daemon.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    child.join()
    code = child.exitcode or 0
    if code >= 0:
        return code
    log.error(
        "job.failed",
        error="ProcessEnded",
        message=f"The job's process was ended by {signal.Signals(-code).name}{_ENDED_BY.get(-code, '')}. "
        "What is not committed does not count; run it again.",
    )
    return 1


def _end_with(parent: int) -> None:
    """Have the system end this process with the one that started it, even where that one is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


_PR_SET_PDEATHSIG = 1
"""Of Linux, see prctl(2)."""

_ENDED_BY: dict[int, str] = {
    # https://github.com/apache/arrow-adbc/issues/3878, mended in versions that Python 3.9 cannot have.
    signal.SIGABRT: ", as its database driver does where the server ends a session",
    signal.SIGKILL: ", as the system does where memory runs out",
}
