"""The job *transform* on a lake of its own, with a Glue that tells what runs there are."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from glue_jobs import transform
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES
from glue_jobs.runtime import arguments, log
from glue_jobs.transformation.decide import Work
from glue_jobs.transformation.hand_over import HandOver, unanswered
from glue_jobs.transformation.transform_run import TransformArguments, TransformRun
from glue_jobs.transformation.work import ENGINE_STAGES, estimate, read_progress
from tests.lake import Lake, lake

LARGE = "transform_large"

LIMITS = {
    "waiting_batches": 10,
    "waiting_rows": 1_000,
    "waiting_bytes": 1_000_000,
    "partition_rows": 1_000,
    "partition_bytes": 1_000_000,
}


class Killed(BaseException):
    """What a kill looks like to code that cannot tidy up behind it."""


@dataclass
class Runs:
    """A Glue client that answers for job runs, and leaves everything else to the endpoint.

    Attributes:
        glue: The endpoint's client.
        states: By run, its state; an unknown one was never heard of.
        started: The workflows that were started.
        busy: The workflows that are running already.
    """

    glue: Any
    states: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.glue, name)

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if RunId not in self.states:
            raise self.glue.exceptions.EntityNotFoundException({"Error": {}}, "GetJobRun")
        return {"JobRun": {"Id": RunId, "JobRunState": self.states[RunId]}}

    def get_job_runs(self, JobName: str) -> dict[str, Any]:  # noqa: N803
        return {"JobRuns": [{"Id": run, "JobRunState": state} for run, state in self.states.items()]}

    def start_workflow_run(self, Name: str) -> dict[str, str]:  # noqa: N803
        if Name in self.busy:
            raise self.glue.exceptions.ConcurrentRunsExceededException({"Error": {}}, "StartWorkflowRun")
        self.started.append(Name)
        return {"RunId": "wr_1"}


class Job:
    """The job *transform*, run in this process, each time as a run of its own."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.runs: Any = Runs(lake.glue)
        self.lines: list[dict[str, Any]] = []
        self._number = 0

    @property
    def clients(self) -> LakeClients:
        return replace(self.lake.clients, glue=self.runs)

    @property
    def bucket(self) -> str:
        return self.lake.buckets["ingestion"]

    def given(self, **changes: Any) -> TransformArguments:
        stated = {
            "warehouse_secret": "warehouse",
            "large_workflow": LARGE,
            "engine": "auto",
            **LIMITS,
            "memory_megabytes": 200,
            "disk_megabytes": 1_000,
            "threads": 1,
            "stages": ",".join(ENGINE_STAGES),
            **changes,
        }
        words = [word for name, value in stated.items() for word in (f"--{name}", str(value))]
        return arguments.parse(TransformArguments, [*self.lake.argv, *words])

    def run(self, *, ends: str = "SUCCEEDED", **changes: Any) -> int:
        """Run it to its end.

        Args:
            ends: The state of the run afterwards, where it raises nothing.
            **changes: Arguments of this run.
        """
        self._number += 1
        run_id = f"jr_{self._number}"
        self.runs.states[run_id] = "RUNNING"
        log.start(transform.JOB, ["--JOB_RUN_ID", run_id])
        manager = self.lake.endpoint.client("secretsmanager")
        run = TransformRun(self.given(**changes), self.clients, manager, self.lake.catalogue, transform.JOB)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                code = run.run()
            except BaseException:
                self.runs.states[run_id] = "FAILED"
                raise
            else:
                self.runs.states[run_id] = ends
            finally:
                self.lines = [json.loads(line) for line in out.getvalue().splitlines()]
        return code

    @property
    def decision(self) -> tuple[str, str]:
        """What the last run decided, and why."""
        (line,) = [line for line in self.lines if line.get("step") == "transform.decided"]
        return line["action"], line["reason"]

    @property
    def metric(self) -> float:
        (line,) = [line for line in self.lines if "seconds_handed_over" in line]
        return float(line["seconds_handed_over"])

    def batches(self) -> dict[str, int]:
        """The last batch of each stage."""
        found = {stage: self.lake.log(stage).latest() for stage in STAGES[:-1]}
        return {stage: commit.last_batch if commit else 0 for stage, commit in found.items()}

    def request(self) -> HandOver | None:
        """The hand-over that is not answered."""
        return unanswered(self.lake.clients, read_progress(self.lake.clients))

    def work(self, **changes: Any) -> Work:
        """What waits."""
        clients = self.lake.clients
        return estimate(clients, self.lake.catalogue, read_progress(clients), self.given(**changes).limits)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    with lake(tmp_path, monkeypatch) as one:
        yield Job(one)
