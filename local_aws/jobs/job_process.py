"""One run of a deployed job as a process: its script from S3, its interpreter, its log, its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import psutil

from local_aws.endpoint.guard import working_for
from local_aws.endpoint.run_credentials import RoleRefusedError, RunCredentials
from local_aws.jobs import wheels
from local_aws.jobs.interpreters import interpreter_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TAIL_BYTES = 16_384
_ERROR_LENGTH = 600
_LINGER_SECONDS = 15.0
_POLL_SECONDS = 0.05

# What would lead a job to other services, libraries or settings than those of its stack.
_FOREIGN = ("AWS_", "PG", "PYTHON", "PYSPARK_", "SPARK_", "JAVA_", "HADOOP_", "WR_", "VIRTUAL_ENV")


@dataclass
class Cancellation:
    """Lets another thread end a run: a flag, and the process group to kill once there is one."""

    event: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _group: int | None = None

    def cancel(self) -> None:
        """End the run now, or before it begins."""
        with self._lock:
            self.event.set()
            if self._group is not None:
                _kill_group(self._group)

    def attach(self, group: int) -> None:
        """Say which process group the run is; killed at once if it was cancelled before."""
        with self._lock:
            self._group = group
            if self.event.is_set():
                _kill_group(group)

    def detach(self) -> None:
        """Say that the process group is gone, so that its number is not used again."""
        with self._lock:
            self._group = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: a Glue job run state, and the error where it failed."""

    state: str
    error: str | None = None


class NotReadyError(RuntimeError):
    """What a job needs of its machine is not there, in words that say what to do."""


Prepare = Callable[[str, Callable[[str], None]], Mapping[str, str]]
"""Has what a job of a name needs of its machine, and tells how far that is; gives variables of the run.

Raises `NotReadyError`.
"""


@dataclass(frozen=True)
class JobEnvironment:
    """What every job of a stack gets.

    Attributes:
        variables: Environment variables: the endpoint, Spark's settings.
        packages: The directory that holds the packages which jobs import that list no wheels.
        runs: Where the runs' logs are.
        credentials: Gives each run the keys of a session of its job's role; without, keys are among the
            variables.
        prepare: Is called before each run; without, everything is there.
    """

    variables: Mapping[str, str]
    packages: Path
    runs: Path
    credentials: RunCredentials | None = None
    prepare: Prepare = lambda _job, _report: {}

    def log_path(self, run_id: str) -> Path:
        """The log of a run: what the job wrote on standard output and standard error."""
        return self.runs / f"{run_id}.log"

    @property
    def wheels(self) -> Path:
        """Where the wheels that jobs list are installed."""
        return self.packages.parent / "wheels"


def run_job(
    s3: S3Client,
    environment: JobEnvironment,
    job: Mapping[str, Any],
    run_id: str,
    arguments: Sequence[str],
    timeout_seconds: float,
    cancellation: Cancellation,
    started: Callable[[psutil.Process], None],
) -> Outcome:
    """Run a job's script to its end.

    Args:
        s3: A boto3 ``s3`` client, for the script.
        environment: What every job of the stack gets.
        job: What Glue's GetJob answers.
        run_id: The run's id, which names its log.
        arguments: The script's arguments.
        timeout_seconds: After which the run is killed.
        cancellation: Lets another thread kill it.
        started: Told of the process once it runs.
    """
    environment.runs.mkdir(parents=True, exist_ok=True)
    log_path = environment.log_path(run_id)
    try:
        with (
            tempfile.TemporaryDirectory(dir=environment.runs, prefix=f".{run_id}-") as scratch,
            _identity(environment, job, run_id) as identity,
        ):
            script = _download(s3, job["Command"]["ScriptLocation"], Path(scratch))
            interpreter = interpreter_for(job)
            python, packages = interpreter.executable, environment.packages
            if wheels.listed(job):
                packages = wheels.installed(s3, job, python, environment.wheels)
                python = wheels.base_of(python)
            with log_path.open("ab") as log:
                report = partial(_remark, log)
                report(f"{job['Name']} {interpreter.note}")
                prepared = environment.prepare(job["Name"], report)
                process = subprocess.Popen(
                    [str(python), str(script), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=scratch,
                    env={
                        **_variables(environment, python, packages, Path(scratch)),
                        **prepared,
                        **identity,
                        # Requests say which job they are of, as its role would.
                        "AWS_SDK_UA_APP_ID": job["Name"],
                    },
                    start_new_session=True,
                )
            with contextlib.suppress(psutil.NoSuchProcess):
                started(psutil.Process(process.pid))
            cancellation.attach(process.pid)
            timed_out = _wait(process, timeout_seconds)
            cancellation.detach()
            return _outcome(process.returncode, timed_out, cancellation, log_path, timeout_seconds)
    except (
        NotReadyError,
        wheels.WheelsError,
        RoleRefusedError,
        OSError,
        subprocess.SubprocessError,
    ) as error:
        return Outcome("STOPPED") if cancellation.event.is_set() else Outcome("FAILED", str(error))
    except Exception as error:  # noqa: BLE001 - botocore makes its error classes at run time
        return Outcome(
            "FAILED", f"the script {job['Command']['ScriptLocation']} could not be fetched: {error}"
        )


def _remark(log: BinaryIO, text: str) -> None:
    """Write a line that is not the job's own into its log."""
    log.write(f"# {text}\n".encode())
    log.flush()


@contextlib.contextmanager
def _identity(environment: JobEnvironment, job: Mapping[str, Any], run_id: str) -> Iterator[dict[str, str]]:
    """The variables by which a run finds its keys; what is fetched for it is fetched with its rights."""
    if environment.credentials is None:
        yield {}
        return
    try:
        identity = environment.credentials.begin(job["Role"], run_id)
        with working_for(identity.key):
            yield identity.environment
    finally:
        environment.credentials.end(run_id)


def last_error(log: str) -> str | None:
    """The line of a job's log that says why it failed: a structured error, else the last exception."""
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith("#")]
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and "error" in entry:
                said = entry.get("message") or f"at {entry.get('where', 'an unknown place')}"
                return f"{entry['error']}: {said}"[:_ERROR_LENGTH]
    traceback_at = max((n for n, line in enumerate(lines) if line.startswith("Traceback (")), default=None)
    if traceback_at is None:
        return None
    raised = (line for line in lines[traceback_at + 1 :] if not line.startswith((" ", "\t")))
    return next(raised, "").strip()[:_ERROR_LENGTH] or None


def _outcome(
    code: int, timed_out: bool, cancellation: Cancellation, log: Path, timeout_seconds: float
) -> Outcome:
    if cancellation.event.is_set():
        return Outcome("STOPPED")
    if timed_out:
        return Outcome("TIMEOUT", f"the run took longer than its timeout of {timeout_seconds:g} seconds")
    if code == 0:
        return Outcome("SUCCEEDED")
    if code < 0:
        return Outcome("FAILED", f"the job's process was killed by signal {signal.Signals(-code).name}")
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        tail = file.read().decode(errors="replace")
    return Outcome("FAILED", last_error(tail) or f"the script ended with code {code}")


def _wait(process: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
    """Wait for a job's process and everything that it started; whether it ran out of time."""
    timed_out = False
    try:
        process.wait(timeout_seconds)
        # A JVM of the job's own ends a moment after it.
        deadline = time.monotonic() + _LINGER_SECONDS
        while process.returncode >= 0 and _group_lives(process.pid) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        timed_out = True
    _kill_group(process.pid)
    process.wait()
    return timed_out


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _download(s3: S3Client, location: str, directory: Path) -> Path:
    address = urlsplit(location)
    target = directory / Path(address.path).name
    body = s3.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))["Body"].read()
    target.write_bytes(body)
    return target


def _variables(
    environment: JobEnvironment, executable: Path, packages: Path, scratch: Path
) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **inherited,
        **environment.variables,
        "PYTHONPATH": str(packages),
        "PYTHONUNBUFFERED": "1",
        "PYSPARK_PYTHON": str(executable),
        "TMPDIR": str(scratch),
        "TZ": "UTC",
    }
