"""Runs each query in a process of its own, and ends it when it takes too much."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.athena.jobs import Done, Failure, Job, Limits
from local_aws.athena.query_errors import QueryError

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")

ListFiles = Callable[[str], list[tuple[str, Path]]]
"""From a location to its data files."""


class Watch:
    """One query's process, which may be ended from another thread.

    Attributes:
        cancelled: Whether someone asked for the end.
        bytes_scanned: Bytes read.
        rows_scanned: Rows read.
    """

    def __init__(self) -> None:
        self._pid: int | None = None
        self._lock = threading.Lock()
        self.cancelled = False
        self.bytes_scanned = 0
        self.rows_scanned = 0

    def started(self, pid: int) -> None:
        """Say which process it is."""
        with self._lock:
            self._pid = pid
            if self.cancelled:
                self._kill()

    def ended(self) -> None:
        """Say that the process is gone."""
        with self._lock:
            self._pid = None

    def cancel(self) -> None:
        """End it."""
        with self._lock:
            self.cancelled = True
            self._kill()

    def kill(self) -> None:
        """End its process, for a reason of its own."""
        with self._lock:
            self._kill()

    def memory(self) -> int:
        """Bytes of memory that it holds; 0 where the system does not tell."""
        with self._lock:
            pid = self._pid
        try:
            return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
        except (OSError, IndexError, ValueError):
            return 0

    def _kill(self) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)


class Processes:
    """The server that forks, started at the first query and again where it has gone.

    Args:
        limits: How much one query may take.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def warm(self) -> None:
        """Start the server, so that the first query need not wait for it."""
        with self._lock:
            self._ensure()

    def _ensure(self) -> socket.socket:
        if self._server is None or self._control is None or self._server.poll() is not None:
            ours, theirs = socket.socketpair()
            os.set_inheritable(theirs.fileno(), True)
            self._server = subprocess.Popen(  # our own module
                [sys.executable, "-m", "local_aws.athena.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
            theirs.close()
            if self._control is not None:
                self._control.close()
            self._control = ours
        return self._control

    def run(self, job: Job, files: ListFiles, watch: Watch) -> Done:
        """Run a job to its end.

        Args:
            job: The job.
            files: Answers what the process asks.
            watch: Through which it can be ended.

        Raises:
            QueryError: It failed, or took more than it may.
        """
        ours, theirs = socket.socketpair()
        with self._lock:
            socket.send_fds(self._ensure(), [b"q"], [theirs.fileno()])
        theirs.close()
        connection = Connection(ours.detach())
        try:
            return self._talk(connection, job, files, watch)
        finally:
            watch.ended()
            connection.close()
            shutil.rmtree(job.scratch / "swap", ignore_errors=True)

    def _talk(self, connection: Connection, job: Job, files: ListFiles, watch: Watch) -> Done:
        try:
            watch.started(connection.recv())
            deadline = time.monotonic() + self.limits.seconds
            connection.send(job)
            while True:
                while not connection.poll(_LOOK_SECONDS):
                    self._look(watch, deadline)
                answer = connection.recv()
                if isinstance(answer, tuple):
                    connection.send(_listed(files, answer[1]))
                    continue
                break
        except (EOFError, OSError):
            watch.kill()
            raise self._gone(watch) from None
        watch.bytes_scanned, watch.rows_scanned = answer.counts.bytes, answer.counts.rows
        if isinstance(answer, Failure):
            if answer.traceback:
                _LOG.error("A query failed as nobody foresaw: %s\n%s", answer.message, answer.traceback)
            raise QueryError(answer.name, answer.message, cancelled=answer.cancelled)
        return answer  # type: ignore[no-any-return]

    def _look(self, watch: Watch, deadline: float) -> None:
        if time.monotonic() > deadline:
            watch.kill()
            raise QueryError(
                "EXCEEDED_TIME_LIMIT",
                f"Query exceeded the maximum run time limit of {self.limits.seconds:g} seconds",
            )
        if watch.memory() > self.limits.memory:
            watch.kill()
            raise self._too_large()

    def _too_large(self) -> QueryError:
        return QueryError(
            "EXCEEDED_LOCAL_MEMORY_LIMIT",
            f"Query exceeded the memory limit of {self.limits.memory / 1024**3:g} "
            f"GB that this stack sets; read fewer "
            "columns or partitions, or raise LAKEHOUSE_ATHENA_MEMORY_MB",
        )

    def _gone(self, watch: Watch) -> QueryError:
        if watch.cancelled:
            return QueryError("", "Query cancelled", cancelled=True)
        return self._too_large()

    def close(self) -> None:
        """End the server and what it forked."""
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None
            if self._server is not None:
                self._server.wait()
                self._server = None


def _listed(files: ListFiles, location: str) -> list[tuple[str, Path]] | Failure:
    try:
        return files(location)
    except QueryError as error:
        return Failure(error.name, error.message)
    except ClientError as error:
        return Failure("PERMISSION_OR_STORAGE_ERROR", str(error.response["Error"]["Message"]))
    except BotoCoreError as error:
        return Failure("PERMISSION_OR_STORAGE_ERROR", str(error))
