"""What is kept of job runs and workflow runs on a laptop, a JSON file for each.

Imports nothing that takes a moment, so that a list of runs is there at once.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENDED = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR")
"""States of a job run from which it does not move."""


@dataclass
class JobRun:
    """One run of a job; times in seconds since the epoch, its process's start by `processes.start_of`."""

    id: str
    job: str
    state: str
    started: float
    arguments: dict[str, str]
    timeout_minutes: float
    attempt: int = 0
    previous: str | None = None
    trigger: str | None = None
    workflow: str | None = None
    workflow_run: str | None = None
    completed: float | None = None
    error: str | None = None
    pid: int | None = None
    pid_started: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDED

    def describe(self) -> dict[str, Any]:
        """The run as Glue's GetJobRun describes it."""
        now = time.time()
        description = {
            "Id": self.id,
            "Attempt": self.attempt,
            "PreviousRunId": self.previous,
            "TriggerName": self.trigger,
            "JobName": self.job,
            "StartedOn": self.started,
            "LastModifiedOn": self.completed or now,
            "CompletedOn": self.completed,
            "JobRunState": self.state,
            "Arguments": self.arguments,
            "ErrorMessage": self.error,
            "ExecutionTime": int((self.completed or now) - self.started),
            "Timeout": int(self.timeout_minutes),
        }
        return {name: value for name, value in description.items() if value is not None}

    def event(self) -> dict[str, Any]:
        """Its end, as the detail of Glue's event says it."""
        return {
            "jobName": self.job,
            "severity": "INFO" if self.state in ("SUCCEEDED", "STOPPED") else "ERROR",
            "state": self.state,
            "jobRunId": self.id,
            "message": self.error or f"Job run {self.state.lower()}",
        }


@dataclass
class WorkflowRun:
    """One run of a workflow; `fired` names the triggers that have fired in it."""

    id: str
    workflow: str
    status: str
    started: float
    properties: dict[str, str]
    previous: str | None = None
    completed: float | None = None
    fired: list[str] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether the run is not over."""
        return self.status in ("RUNNING", "STOPPING")


def read_runs(directory: Path, prefix: str) -> Iterable[dict[str, Any]]:
    """What is kept of runs, job runs (``jr_``) or workflow runs (``wr_``), in no order."""
    for path in directory.glob(f"{prefix}*.json"):
        with contextlib.suppress(ValueError, OSError):
            yield json.loads(path.read_text())
