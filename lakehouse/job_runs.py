"""The runs of jobs on a laptop: what ran, what it said, and how to stop it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glue_jobs.runtime.errors import UserError
from lakehouse.terminal import ago
from local_aws.jobs.run_records import JobRun, WorkflowRun, read_runs

SHORT = 8
"""Letters of a run's id that lists show, after the ``jr_`` that all have."""

_POLL_SECONDS = 0.2
_FAILED = ("FAILED", "TIMEOUT", "ERROR")
GOES_ON = ("STARTING", "RUNNING", "STOPPING", "WAITING")
"""Glue's words for the states of a run that has not ended."""


@dataclass(frozen=True)
class ListedRun:
    """A job run as lists show it.

    Attributes:
        id: Its id.
        job: Its job.
        state: Glue's word for its state.
        started: When it began, UTC.
        seconds: How long it took, or has taken until now.
        error: Why it failed.
        log: Its log.
    """

    id: str
    job: str
    state: str
    started: datetime
    seconds: float
    error: str | None
    log: Path

    @property
    def name(self) -> str:
        """The beginning of its id, by which commands know it."""
        return self.id.removeprefix("jr_")[:SHORT]

    @property
    def failed(self) -> bool:
        """Whether it ended badly."""
        return self.state in _FAILED

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self.state in GOES_ON

    def as_dict(self) -> dict[str, Any]:
        """The run as plain data."""
        return {
            "id": self.id,
            "job": self.job,
            "state": self.state,
            "started": self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "seconds": round(self.seconds, 1),
            "error": self.error,
            "log": str(self.log),
        }


def job_runs(directory: Path, now: float | None = None) -> list[ListedRun]:
    """The job runs of a stack, the newest first, whether it is up or not.

    Args:
        directory: Where their records and logs lie.
        now: The time now, in seconds since the epoch; the clock's unless given.
    """
    now = time.time() if now is None else now
    records = sorted((JobRun(**entry) for entry in read_runs(directory, "jr_")), key=lambda run: -run.started)
    return [
        ListedRun(
            run.id,
            run.job,
            run.state,
            datetime.fromtimestamp(run.started, UTC),
            (run.completed or now) - run.started,
            run.error,
            directory / f"{run.id}.log",
        )
        for run in records
    ]


class StackRuns:
    """The runs of jobs on a laptop, by their records and logs.

    Args:
        directory: Where these lie.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def listed(self) -> list[ListedRun]:
        """The runs, the newest first."""
        return job_runs(self._directory)

    def lines(self, run: ListedRun) -> Iterator[str]:
        """What a run has said until now."""
        return log_lines(self._directory, run, follow=False)

    def command(self, run: ListedRun) -> str:
        """What shows the same in a terminal."""
        return f"lakehouse logs {run.name}"


def runs_text(runs: Sequence[ListedRun], columns: int | None = None) -> str:
    """Job runs as lines for people.

    Args:
        runs: The runs.
        columns: Of the terminal: a reason for which a line has no room stands below it.
    """
    width = max((len(run.job) for run in runs), default=0)
    lines = []
    for run in runs:
        line = f"{run.name}  {run.job:<{width}}  {run.state:<9}  {run.seconds:7.1f} s  {ago(run.started)}"
        reason = (run.error or "").strip().splitlines()
        if not (run.failed and reason):
            lines.append(line)
        elif columns is None or len(line) + 2 + len(reason[0]) <= columns:
            lines.append(f"{line}  {reason[0]}")
        else:
            lines += [line, f"  {reason[0]}"]
    return "\n".join(lines)


def find_run(runs: Sequence[ListedRun], name: str | None, *, failed: bool) -> ListedRun:
    """The run that a person means.

    Args:
        runs: All runs, the newest first.
        name: The beginning of its id, or its job's name; nothing for the newest.
        failed: Whether only those that failed are meant.

    Raises:
        UserError: There is none, or more than one id begins so.
    """
    chosen = [run for run in runs if run.failed] if failed else list(runs)
    if name is not None:
        by_job = [run for run in chosen if run.job == name]
        chosen = by_job or [
            run for run in chosen if run.id.removeprefix("jr_").startswith(name.removeprefix("jr_"))
        ]
        if not by_job and len(chosen) > 1:
            raise UserError(
                f"{len(chosen)} runs begin with {name}.", "Name more letters of the one you mean."
            )
    if not chosen:
        which = "failed run" if failed else "run"
        of = f" {name}" if name else ""
        raise UserError(f"There is no {which}{of}.", "lakehouse runs lists them.")
    return chosen[0]


def log_lines(directory: Path, run: ListedRun, *, follow: bool) -> Iterator[str]:
    """The lines of a run's log.

    Args:
        directory: Where runs' records lie.
        run: The run.
        follow: Whether to wait for more until it ends.
    """
    if not run.log.exists() and not follow:
        return
    while not run.log.exists():
        if _has_ended(directory, run):
            return
        time.sleep(_POLL_SECONDS)
    with run.log.open(encoding="utf-8", errors="replace") as file:
        begun = ""
        while True:
            # Looked at before the last reading, so that nothing that it said at its end is missed.
            ended = not follow or _has_ended(directory, run)
            for line in file:
                begun += line
                if begun.endswith("\n"):
                    yield begun.rstrip("\n")
                    begun = ""
            if ended:
                break
            time.sleep(_POLL_SECONDS)
    if begun:
        yield begun


def _has_ended(directory: Path, run: ListedRun) -> bool:
    return all(record.ended for record in (JobRun(**entry) for entry in read_runs(directory, run.id)))


def readable(line: str) -> str:
    """A line of a log for people: time, what was done, and its values; other lines stay as they are."""
    try:
        said = json.loads(line)
    except ValueError:
        return line
    if not isinstance(said, Mapping) or "_aws" in said:
        return line if not isinstance(said, Mapping) else ""
    said = dict(said)
    moment = str(said.pop("at", ""))[11:19]
    what = said.pop("step", None) or said.pop("event", "")
    said.pop("event", None)
    level = said.pop("level", "info")
    for name in ("job", "run", "run_id"):
        said.pop(name, None)
    values = " ".join(f"{name}={value}" for name, value in said.items())
    loud = "" if level == "info" else f"{level.upper()} "
    return f"{moment} {loud}{what} {values}".strip()


def cancel(client: Callable[[str], Any], directory: Path) -> list[str]:
    """Stop every workflow and job that runs, and wait for their ends.

    Jobs publish by commits: what a stopped one had not committed is done again by the next run.

    Args:
        client: Makes a boto3 client of the endpoint from a service's name.
        directory: Where runs' records lie.

    Returns:
        The names of the jobs that were stopped.
    """
    glue = client("glue")
    stopped: dict[str, str] = {}
    while True:
        # Workflows first: else one would start the next job when this one has ended.
        for workflow in (WorkflowRun(**entry) for entry in read_runs(directory, "wr_")):
            if workflow.status == "RUNNING":
                # It may have ended since.
                with suppress(glue.exceptions.IllegalWorkflowStateException):
                    glue.stop_workflow_run(Name=workflow.workflow, RunId=workflow.id)
        going_on = [
            run for run in (JobRun(**entry) for entry in read_runs(directory, "jr_")) if not run.ended
        ]
        if not going_on:
            return sorted(set(stopped.values()))
        for run in going_on:
            if run.state != "STOPPING":
                glue.batch_stop_job_run(JobName=run.job, JobRunIds=[run.id])
            stopped[run.id] = run.job
        time.sleep(_POLL_SECONDS)
