"""Drive the pipeline of a running stack through its Glue endpoint, until nothing waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.catalogue import load_catalogue
from glue_jobs.lake import backoff
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES, CommitLog
from glue_jobs.lake.redaction_state import copies_wait
from glue_jobs.runtime.aws import GlueClient, S3Client
from glue_jobs.runtime.errors import UserError
from glue_jobs.transformation.decide import SPARK
from lakehouse.job_runs import GOES_ON

CAPTURE_JOB, TRANSFORM_JOB = "extract_cdc", "transform"

JOBS: Mapping[str, str] = {stage: TRANSFORM_JOB if stage != STAGES[0] else CAPTURE_JOB for stage in STAGES}
"""The job of each stage where an ordinary batch passes it."""

SPARK_JOBS: Mapping[str, str] = {
    "validate": "validate_raw",
    "dimensions": "build_dimensions",
    "facts": "build_facts",
    "load": "load_warehouse",
}
"""The job of each stage in *transform_large*."""

INGEST, TRANSFORM, TRANSFORM_LARGE, REPLAY_LARGE = "ingest", "transform", "transform_large", "replay_large"
"""Workflows."""

_POLL_SECONDS = 0.1
_ENDED = ("COMPLETED", "STOPPED", "ERROR")


class JobFailed(UserError):  # noqa: N818 - says what happened
    """A job ended otherwise than well: its error, and where its log is."""

    def __init__(self, job: str, state: str, error: str, log: Path) -> None:
        super().__init__(f"The job {job} ended {state}: {error.rstrip('.')}.", f"Its log: {log}")
        self.job = job


@dataclass(frozen=True)
class JobEvent:
    """A job run that began (`state` RUNNING) or ended; `seconds` since it began."""

    job: str
    state: str
    seconds: float


Watch = Callable[[JobEvent], None]


def run_until_idle(lake: LakeClients, runs: Path, watch: Watch, engine: str | None = None) -> None:
    """Run ingest, and what it starts, until no batch waits for a stage.

    Args:
        lake: The stack's lake.
        runs: The directory of the job runs' logs.
        watch: Is told of every job run that begins and ends.
        engine: ``embedded`` or ``spark``: forces what was captured onto an engine, whatever waits.

    Raises:
        JobFailed: A job failed.
        UserError: Batches wait that no run takes up.
    """
    glue, s3, bucket = lake.glue, lake.s3, lake.ingestion
    # A person asks.
    backoff.end(s3, bucket)
    before: dict[str, int] | None = None
    while True:
        if engine is None:
            _follow(glue, INGEST, _start(glue, INGEST), runs, watch)
        else:
            # What a workflow starts has the arguments that its job was deployed with.
            follow_running(glue, TRANSFORM, runs, watch)
            run_job(glue, CAPTURE_JOB, runs, watch, {"--capture_only": "1"})
            run_job(glue, TRANSFORM_JOB, runs, watch, {"--engine": engine})
        for workflow in (TRANSFORM, TRANSFORM_LARGE):
            follow_running(glue, workflow, runs, watch)
        waits = {**waiting(s3, bucket), "copies": int(copies_wait(lake, load_catalogue()))}
        if not any(waits.values()):
            return
        if waits == before:
            stuck = ", ".join(f"{stage} ({count})" for stage, count in waits.items() if count)
            raise UserError(
                f"Batches wait that no run takes up: {stuck}.",
                f"Look at the newest logs in {runs}.",
            )
        before = waits


def run_workflow(glue: GlueClient, workflow: str, runs: Path, watch: Watch) -> None:
    """Run a workflow, or join the run that is on its way, to its end.

    Raises:
        JobFailed: A job of it failed.
    """
    _follow(glue, workflow, _start(glue, workflow), runs, watch)


def follow_running(glue: GlueClient, workflow: str, runs: Path, watch: Watch) -> None:
    """Watch the runs of a workflow that are on their way to their ends.

    Raises:
        JobFailed: A job of one failed.
    """
    for run_id in list(_running(glue, workflow)):
        _follow(glue, workflow, run_id, runs, watch)


def run_job(
    glue: GlueClient,
    job: str,
    runs: Path,
    watch: Watch,
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Run one job alone, to its end.

    Args:
        glue: A boto3 ``glue`` client.
        job: The job.
        runs: The directory of the job runs' logs.
        watch: Is told that it begins, and of its end.
        arguments: Arguments of this run, in place of the deployed ones of these names.

    Raises:
        JobFailed: It failed.
        UserError: It is running already.
    """
    try:
        run_id = glue.start_job_run(JobName=job, Arguments=dict(arguments or {}))["JobRunId"]
    except glue.exceptions.ConcurrentRunsExceededException as error:
        raise UserError(f"The job {job} is running already.", "Wait for its end, then try again.") from error
    watch(JobEvent(job, "RUNNING", 0.0))
    while True:
        run = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        if run["JobRunState"] not in GOES_ON:
            watch(_event(run))
            _refuse_failure(run, runs)
            return
        time.sleep(_POLL_SECONDS)


def run_stage(glue: GlueClient, stage: str, runs: Path, watch: Watch, engine: str | None = None) -> None:
    """Run one stage alone, to its end.

    Args:
        glue: A boto3 ``glue`` client.
        stage: The stage.
        runs: The directory of the job runs' logs.
        watch: Is told that its job begins, and of its end.
        engine: ``embedded`` or ``spark`` forces it onto an engine.

    Raises:
        JobFailed: Its job failed.
        UserError: Its job is running already.
    """
    if engine == SPARK and stage in SPARK_JOBS:
        run_job(glue, SPARK_JOBS[stage], runs, watch)
        return
    forced = {"--engine": engine} if engine is not None else {}
    # Else a capture starts what comes after it.
    alone = {"--stages": stage, **forced} if JOBS[stage] == TRANSFORM_JOB else {"--capture_only": "1"}
    run_job(glue, JOBS[stage], runs, watch, alone)
    follow_running(glue, TRANSFORM_LARGE, runs, watch)


def last_batches(s3: S3Client, bucket: str) -> dict[str, int]:
    """The last batch that each stage has done; 0 where it has done none."""
    latest = {stage: CommitLog(s3, bucket, stage).latest() for stage in STAGES}
    return {stage: 0 if commit is None else commit.last_batch for stage, commit in latest.items()}


def waiting(s3: S3Client, bucket: str) -> dict[str, int]:
    """How many captured batches wait for each stage."""
    batches = last_batches(s3, bucket)
    return {stage: batches["capture"] - last for stage, last in batches.items()}


def _start(glue: GlueClient, workflow: str) -> str:
    """Start a workflow, or join the run that is on its way."""
    while True:
        try:
            return str(glue.start_workflow_run(Name=workflow)["RunId"])
        except glue.exceptions.ConcurrentRunsExceededException:
            for run_id in _running(glue, workflow):
                return run_id


def _running(glue: GlueClient, workflow: str) -> Iterator[str]:
    for run in glue.get_workflow_runs(Name=workflow)["Runs"]:
        if run["Status"] not in _ENDED:
            yield run["WorkflowRunId"]


def _follow(glue: GlueClient, workflow: str, run_id: str, runs: Path, watch: Watch) -> None:
    """Watch a workflow run to its end; raise for the first of its jobs that did not end well."""
    told: dict[str, str] = {}
    while True:
        run = glue.get_workflow_run(Name=workflow, RunId=run_id, IncludeGraph=True)["Run"]
        job_runs = [job for node in run["Graph"]["Nodes"] for job in node["JobDetails"]["JobRuns"]]
        for job in job_runs:
            if job["Id"] not in told:
                watch(JobEvent(job["JobName"], "RUNNING", 0.0))
                told[job["Id"]] = "RUNNING"
            if "CompletedOn" in job and told[job["Id"]] != job["JobRunState"]:
                watch(_event(job))
                told[job["Id"]] = job["JobRunState"]
        if run["Status"] in _ENDED:
            retried = {job.get("PreviousRunId") for job in job_runs}
            for job in job_runs:
                if job["Id"] not in retried:
                    _refuse_failure(job, runs)
            return
        time.sleep(_POLL_SECONDS)


def _event(run: Mapping[str, Any]) -> JobEvent:
    seconds = (run["CompletedOn"] - run["StartedOn"]).total_seconds()
    return JobEvent(run["JobName"], run["JobRunState"], seconds)


def _refuse_failure(run: Mapping[str, Any], runs: Path) -> None:
    if run["JobRunState"] != "SUCCEEDED":
        error = run.get("ErrorMessage", "it gave no reason")
        raise JobFailed(run["JobName"], run["JobRunState"], error, runs / f"{run['Id']}.log")
