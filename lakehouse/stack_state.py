"""What is known of a stack on disk: where its parts lie, what it was made with, what runs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from local_aws.processes import find_process

if TYPE_CHECKING:
    from glue_jobs.lake.clients import LakeClients

DEFAULT = Path(".lakehouse")


@dataclass(frozen=True)
class Paths:
    """The places below a stack's directory."""

    root: Path

    @classmethod
    def of(cls, directory: Path | str) -> Self:
        """The places of a stack, its directory made absolute."""
        return cls(Path(directory).expanduser().resolve())

    @property
    def settings(self) -> Path:
        """What the stack was made with."""
        return self.root / "settings.json"

    @property
    def running(self) -> Path:
        """What runs, or ran last."""
        return self.root / "stack.json"

    @property
    def project(self) -> Path:
        """Which copy of the project the stack works by, see :mod:`lakehouse.project_copy`."""
        return self.root / "project.json"

    @property
    def projects(self) -> Path:
        """Copies of the project."""
        return self.root / "projects"

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL server."""
        return self.root / "pg"

    @property
    def runs(self) -> Path:
        """Logs and records of job runs."""
        return self.root / "runs"

    @property
    def logs(self) -> Path:
        """Logs of the stack itself."""
        return self.root / "logs"

    @property
    def daemon_log(self) -> Path:
        """The daemon's log."""
        return self.logs / "daemon.log"

    @property
    def spark(self) -> Path:
        """Spark's settings, launcher and scratch files."""
        return self.root / "spark"

    @property
    def packages(self) -> Path:
        """The packages that jobs import."""
        return self.root / "packages"

    @property
    def athena(self) -> Path:
        """Scratch files of queries."""
        return self.root / "athena"

    @property
    def dashboard(self) -> Path:
        """What the dashboard's pages are made with."""
        return self.root / "dashboard"

    def bucket(self, name: str) -> Path:
        """The objects of a bucket, as files."""
        return self.root / "s3" / name

    @contextlib.contextmanager
    def locked(self, name: str, *, wait: bool) -> Iterator[None]:
        """Hold a lock of the stack; the operating system frees it when the process ends, however it ends.

        Args:
            name: Of the lock: ``command`` (starting and stopping) or ``daemon`` (the daemon's life).
            wait: Whether to wait for it.

        Raises:
            BlockingIOError: Another process holds it, and `wait` is false.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.settings.exists():
            # An earlier release let others pass where root started the stack.
            self.root.chmod(0o700)
        with (self.root / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield


@dataclass(frozen=True)
class Settings:
    """What a stack was made with; kept for its life.

    Attributes:
        source: The DSN of an existing source; None for an embedded one.
        warehouse: The DSN of an existing warehouse; None for an embedded one.
        data: The directory of csv files that an embedded source is filled from; None for the generator.
        scale: The generator's scale.
        filled: Whether the embedded source is filled.
        schedule: Whether schedules fire by themselves.
        until: The last day of an invented source, where one was asked for.
    """

    source: str | None = None
    warehouse: str | None = None
    data: str | None = None
    scale: int = 1
    filled: bool = False
    schedule: bool = False
    until: str | None = None

    def save(self, paths: Paths) -> Settings:
        """Write it, readable by its owner alone."""
        write_private(paths.settings, asdict(self))
        return self

    @property
    def unfilled(self) -> bool:
        """Whether there is an embedded source that waits to be filled."""
        return self.source is None and not self.filled


def load_settings(paths: Paths) -> Settings | None:
    """What a stack was made with, or None where there is none."""
    stated = read_private(paths.settings)
    return None if stated is None else Settings(**stated)


@dataclass(frozen=True)
class Running:
    """A stack's daemon and its addresses.

    Attributes:
        pid: The daemon's process.
        pid_started: When that process started, see :func:`local_aws.processes.start_of`.
        endpoint: The URL of the AWS endpoint.
        environment: The variables that make any AWS SDK use it, as an operator.
        buckets: The real name of each bucket.
        work_group: The Athena work group of operators, and of analysts who see everything.
        postgres_port: The port of the embedded server, if there is one.
        source: The DSN that jobs read the source with.
        source_owner: The DSN of the embedded source's owner, who may change it.
        warehouse: The DSN that jobs load the warehouse with.
        analysts: The variables of each role of analysts, by its name.
        control_port: Where it answers questions, see `lakehouse.control`.
        control_key: What those who ask prove that they know.
    """

    pid: int
    pid_started: float
    endpoint: str
    environment: dict[str, str]
    buckets: dict[str, str]
    work_group: str
    postgres_port: int | None
    source: str
    source_owner: str | None
    warehouse: str
    analysts: dict[str, dict[str, str]] = field(default_factory=dict)
    control_port: int = 0
    control_key: str = ""

    def save(self, paths: Paths) -> None:
        """Write it, readable by its owner alone."""
        write_private(paths.running, asdict(self))

    def acting(self, role: str) -> Running:
        """The same for whoever acts in a role of analysts.

        Args:
            role: Its name; any other leaves everything as it is.
        """
        from catalog.pipeline import load_pipeline
        from catalog.rights import analysts

        if role not in self.analysts:
            return self
        group = analysts(load_pipeline())[role].work_group
        return replace(self, environment=self.analysts[role], work_group=group)

    @property
    def alive(self) -> bool:
        """Whether the daemon runs."""
        return find_process(self.pid, self.pid_started) is not None

    def client(self, service: str) -> Any:
        """A boto3 client of the stack's endpoint."""
        # Not for those who only ask whether the stack runs: importing boto3 takes a while.
        from local_aws.endpoint.clients import client

        return client(service, self.environment)

    def lake(self) -> LakeClients:
        """The stack's lake."""
        from glue_jobs.lake.clients import LakeClients

        buckets = self.buckets
        return LakeClients(self.client("s3"), self.client("glue"), buckets["ingestion"], buckets["processed"])


def load_running(paths: Paths) -> Running | None:
    """The stack that runs, or that ran last (see `Running.alive`); None where none ever did."""
    stated = read_private(paths.running)
    return None if stated is None else Running(**stated)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file at once, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    fresh.replace(path)


def read_private(path: Path) -> dict[str, Any] | None:
    """A JSON file that `write_private` wrote; None where there is none."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return content
