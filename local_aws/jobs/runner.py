"""Glue's job and workflow runs on a laptop.

moto keeps jobs, triggers and workflows but runs nothing. `GlueRunner` answers the actions that start, stop
and describe runs, in front of moto, and executes them: it reads the definitions as they are deployed in the
endpoint, runs each job's script from its script location, and fires conditional triggers as Glue does:

- a trigger of a workflow watches only jobs that a trigger of the same workflow run started;
- it fires once a run, when its conditions hold together (AND) or one of them holds (ANY);
- a job with runs left by MaxRetries has not ended yet.

What is known of a run stands in ``<runs>/<run id>.json``, so that it is still known after a restart.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psutil

from local_aws.endpoint.layers import ServiceError
from local_aws.jobs.job_process import Cancellation, JobEnvironment, Outcome, run_job
from local_aws.jobs.run_records import ENDED, JobRun, WorkflowRun, read_runs
from local_aws.processes import start_of

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import JobTypeDef, TriggerTypeDef, WorkflowTypeDef
    from mypy_boto3_s3 import S3Client

_LOG = logging.getLogger(__name__)

_GLUE_DEFAULT_TIMEOUT_MINUTES = 2880
_START_TYPES = ("ON_DEMAND", "SCHEDULED", "EVENT")


class GlueRunner:
    """Executes what is deployed in a Glue endpoint, and answers for it.

    Args:
        glue: A boto3 ``glue`` client of the endpoint.
        s3: A boto3 ``s3`` client of the endpoint.
        environment: What every job gets.
        minute: Seconds in a minute of a timeout; less than 60 lets tests see one.
        told: Is told of each run that has ended, as Glue tells EventBridge.
    """

    def __init__(
        self,
        glue: GlueClient,
        s3: S3Client,
        environment: JobEnvironment,
        *,
        minute: float = 60.0,
        told: Callable[[Mapping[str, Any]], object] = lambda _: None,
    ) -> None:
        self._glue = glue
        self._s3 = s3
        self._environment = environment
        self._minute = minute
        self._told = told
        self._lock = threading.RLock()
        self._runs: dict[str, JobRun] = {}
        self._workflow_runs: dict[str, WorkflowRun] = {}
        self._unwritten: dict[str, JobRun | WorkflowRun] = {}
        self._cancellations: dict[str, Cancellation] = {}
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._actions: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "StartJobRun": self._start_job_run,
            "GetJobRun": self._get_job_run,
            "GetJobRuns": self._get_job_runs,
            "BatchStopJobRun": self._batch_stop_job_run,
            "StartWorkflowRun": self._start_workflow_run,
            "GetWorkflowRun": self._get_workflow_run,
            "GetWorkflowRuns": self._get_workflow_runs,
            "StopWorkflowRun": self._stop_workflow_run,
            "GetWorkflowRunProperties": self._get_workflow_run_properties,
            "PutWorkflowRunProperties": self._put_workflow_run_properties,
        }
        self._load()

    # ------------------------------------------------------------------ the service

    def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Answer an action on runs; None for every other action.

        Raises:
            ServiceError: What Glue would refuse.
        """
        answer = self._actions.get(action)
        return None if answer is None else answer(payload)

    def close(self) -> None:
        """Stop every run and return when nothing is running any more."""
        self._closing.set()
        with self._lock:
            for cancellation in self._cancellations.values():
                cancellation.cancel()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    # ------------------------------------------------------------------ job runs

    def _start_job_run(self, payload: dict[str, Any]) -> dict[str, Any]:
        job = self._job(payload["JobName"])
        run = self._begin(job, payload.get("Arguments") or {}, payload.get("Timeout"))
        return {"JobRunId": run.id}

    def _begin(
        self,
        job: JobTypeDef,
        arguments: Mapping[str, str],
        timeout_minutes: float | None,
        *,
        trigger: str | None = None,
        workflow_run: WorkflowRun | None = None,
    ) -> JobRun:
        """Start a job, or refuse for too many runs of it."""
        limit = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
        with self._lock:
            if self._closing.is_set():
                raise ServiceError("OperationTimeoutException", "the laptop stack is stopping")
            running = [run for run in self._runs.values() if run.job == job["Name"] and not run.ended]
            if len(running) >= limit:
                raise ServiceError(
                    "ConcurrentRunsExceededException", f"Concurrent runs exceeded for {job['Name']}"
                )
            run = JobRun(
                id=f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
                job=job["Name"],
                state="RUNNING",
                started=time.time(),
                arguments=dict(arguments),
                timeout_minutes=timeout_minutes or job.get("Timeout") or _GLUE_DEFAULT_TIMEOUT_MINUTES,
                trigger=trigger,
                workflow=workflow_run.workflow if workflow_run else None,
                workflow_run=workflow_run.id if workflow_run else None,
            )
            self._keep(run)
            self._cancellations[run.id] = Cancellation()
            self._spawn(lambda: self._execute(job, run), run.id)
        return run

    def _execute(self, job: Mapping[str, Any], run: JobRun) -> None:
        while True:
            outcome = self._attempt(job, run)
            with self._lock:
                self._cancellations.pop(run.id)
                retries_left = run.attempt < (job.get("MaxRetries") or 0)
                if outcome.state != "FAILED" or not retries_left or self._closing.is_set():
                    self._end(run, outcome)
                    return
                again = JobRun(
                    **{
                        **asdict(run),
                        "id": f"{run.id.partition('_attempt_')[0]}_attempt_{run.attempt + 1}",
                        "attempt": run.attempt + 1,
                        "previous": run.id,
                        "started": time.time(),
                        "pid": None,
                        "pid_started": None,
                    }
                )
                # The job counts as running without a gap between the two attempts.
                self._keep(again)
                self._cancellations[again.id] = Cancellation()
                self._settle(run, outcome)
                run = again

    def _attempt(self, job: Mapping[str, Any], run: JobRun) -> Outcome:
        def note_process(process: psutil.Process) -> None:
            with self._lock:
                run.pid, run.pid_started = process.pid, start_of(process)
                self._keep(run)

        try:
            return run_job(
                self._s3,
                self._environment,
                job,
                run.id,
                _script_arguments(job, run),
                run.timeout_minutes * self._minute,
                self._cancellations[run.id],
                note_process,
            )
        except Exception as error:  # noqa: BLE001 - whatever broke, the run ends and says so
            _LOG.exception("the run %s of %s broke inside the stack", run.id, run.job)
            return Outcome("FAILED", f"the laptop stack failed to run the job: {error}")

    def _settle(self, run: JobRun, outcome: Outcome) -> None:
        run.state, run.error, run.completed = outcome.state, outcome.error, time.time()
        run.pid = run.pid_started = None
        self._keep(run)

    def _end(self, run: JobRun, outcome: Outcome) -> None:
        # Under the lock: nobody sees the job ended and its workflow idle before the triggers have fired.
        self._settle(run, outcome)
        self._told(run.event())
        if run.workflow_run is not None:
            workflow_run = self._workflow_runs[run.workflow_run]
            if workflow_run.status == "RUNNING" and not self._closing.is_set():
                self._fire_conditional(workflow_run)
            self._finish_if_idle(workflow_run)

    def _get_job_run(self, payload: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            run = self._runs.get(payload["RunId"])
            if run is None or run.job != payload["JobName"]:
                raise ServiceError(
                    "EntityNotFoundException", f"Job run {payload['RunId']} of {payload['JobName']} not found"
                )
            return {"JobRun": run.describe()}

    def _get_job_runs(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._job(payload["JobName"])
        with self._lock:
            runs = [run.describe() for run in self._runs.values() if run.job == payload["JobName"]]
        runs.sort(key=lambda described: float(described["StartedOn"]), reverse=True)
        return _page("JobRuns", runs, payload)

    def _batch_stop_job_run(self, payload: dict[str, Any]) -> dict[str, Any]:
        stopped, errors = [], []
        for run_id in payload["JobRunIds"]:
            entry = {"JobName": payload["JobName"], "JobRunId": run_id}
            with self._lock:
                run = self._runs.get(run_id)
                if run is None or run.job != payload["JobName"]:
                    errors.append({**entry, "ErrorDetail": _detail("EntityNotFoundException", "not found")})
                elif run.ended:
                    errors.append({**entry, "ErrorDetail": _detail("InvalidInputException", "has ended")})
                else:
                    self._stop(run)
                    stopped.append(entry)
        return {"SuccessfulSubmissions": stopped, "Errors": errors}

    def _stop(self, run: JobRun) -> None:
        run.state = "STOPPING"
        self._keep(run)
        self._cancellations[run.id].cancel()

    # ------------------------------------------------------------------ workflow runs

    def _start_workflow_run(self, payload: dict[str, Any]) -> dict[str, Any]:
        name = payload["Name"]
        workflow = self._workflow(name)
        starts = [trigger for trigger in self._triggers(name) if trigger["Type"] in _START_TYPES]
        if not starts:
            raise ServiceError("InvalidInputException", f"Workflow {name} has no trigger that starts it")
        limit = workflow.get("MaxConcurrentRuns")
        with self._lock:
            known = [run for run in self._workflow_runs.values() if run.workflow == name]
            if limit is not None and sum(run.running for run in known) >= limit:
                raise ServiceError("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
            run = WorkflowRun(
                id=f"wr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
                workflow=name,
                status="RUNNING",
                started=time.time(),
                properties={
                    **workflow.get("DefaultRunProperties", {}),
                    **(payload.get("RunProperties") or {}),
                },
                previous=known[-1].id if known else None,
            )
            self._keep(run)
            for trigger in starts:
                self._fire(run, trigger)
            self._finish_if_idle(run)
        return {"RunId": run.id}

    def _fire_conditional(self, workflow_run: WorkflowRun) -> None:
        latest: dict[str, JobRun] = {}
        for run in self._runs_of(workflow_run):
            if run.trigger is not None:
                latest[run.job] = run
        states = {job: run.state for job, run in latest.items()}
        for trigger in self._triggers(workflow_run.workflow):
            waits = trigger["Type"] == "CONDITIONAL" and trigger["State"] == "ACTIVATED"
            if waits and trigger["Name"] not in workflow_run.fired and holds(trigger["Predicate"], states):
                self._fire(workflow_run, trigger)

    def _fire(self, workflow_run: WorkflowRun, trigger: Mapping[str, Any]) -> None:
        workflow_run.fired.append(trigger["Name"])
        self._keep(workflow_run)
        for action in trigger["Actions"]:
            arguments, timeout = action.get("Arguments") or {}, action.get("Timeout")
            try:
                self._begin(
                    self._job(action["JobName"]),
                    arguments,
                    timeout,
                    trigger=trigger["Name"],
                    workflow_run=workflow_run,
                )
            except ServiceError as error:
                # Glue shows an action that could not start as a run in error; nothing follows from it.
                self._keep(
                    JobRun(
                        id=f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
                        job=action["JobName"],
                        state="ERROR",
                        started=time.time(),
                        completed=time.time(),
                        arguments=arguments,
                        timeout_minutes=timeout or 0,
                        trigger=trigger["Name"],
                        workflow=workflow_run.workflow,
                        workflow_run=workflow_run.id,
                        error=error.message,
                    )
                )

    def _finish_if_idle(self, workflow_run: WorkflowRun) -> None:
        if workflow_run.running and all(run.ended for run in self._runs_of(workflow_run)):
            workflow_run.status = "STOPPED" if workflow_run.status == "STOPPING" else "COMPLETED"
            workflow_run.completed = time.time()
            self._keep(workflow_run)

    def _get_workflow_run(self, payload: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            run = self._workflow_run(payload)
            graph = {"Graph": self._graph(run)} if payload.get("IncludeGraph") else {}
            return {"Run": {**self._describe(run), **graph}}

    def _get_workflow_runs(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._workflow(payload["Name"])
        with self._lock:
            runs = [self._describe(r) for r in self._workflow_runs.values() if r.workflow == payload["Name"]]
        runs.sort(key=lambda described: float(described["StartedOn"]), reverse=True)
        return _page("Runs", runs, payload)

    def _stop_workflow_run(self, payload: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            workflow_run = self._workflow_run(payload)
            if not workflow_run.running:
                raise ServiceError("IllegalWorkflowStateException", f"{workflow_run.id} is not running")
            workflow_run.status = "STOPPING"
            self._keep(workflow_run)
            for run in self._runs_of(workflow_run):
                if not run.ended:
                    self._stop(run)
            self._finish_if_idle(workflow_run)
        return {}

    def _get_workflow_run_properties(self, payload: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return {"RunProperties": dict(self._workflow_run(payload).properties)}

    def _put_workflow_run_properties(self, payload: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            workflow_run = self._workflow_run(payload)
            workflow_run.properties.update(payload["RunProperties"])
            self._keep(workflow_run)
        return {}

    def _describe(self, run: WorkflowRun) -> dict[str, Any]:
        states = [job_run.state for job_run in self._runs_of(run)]
        description = {
            "Name": run.workflow,
            "WorkflowRunId": run.id,
            "PreviousRunId": run.previous,
            "WorkflowRunProperties": run.properties,
            "StartedOn": run.started,
            "CompletedOn": run.completed,
            "Status": run.status,
            "Statistics": {
                "TotalActions": len(states),
                "SucceededActions": states.count("SUCCEEDED"),
                "FailedActions": states.count("FAILED"),
                "StoppedActions": states.count("STOPPED"),
                "TimeoutActions": states.count("TIMEOUT"),
                "ErroredActions": states.count("ERROR"),
                "RunningActions": sum(state not in ENDED for state in states),
            },
        }
        return {name: value for name, value in description.items() if value is not None}

    def _graph(self, workflow_run: WorkflowRun) -> dict[str, Any]:
        """The jobs of a workflow run, in the order of their start, each with its runs."""
        jobs: dict[str, list[dict[str, Any]]] = {}
        for run in self._runs_of(workflow_run):
            jobs.setdefault(run.job, []).append(run.describe())
        nodes = [
            {
                "Type": "JOB",
                "Name": name,
                "UniqueId": f"{workflow_run.id}_{name}",
                "JobDetails": {"JobRuns": runs},
            }
            for name, runs in jobs.items()
        ]
        return {"Nodes": nodes, "Edges": []}

    # ------------------------------------------------------------------ inside

    def _job(self, name: str) -> JobTypeDef:
        try:
            return self._glue.get_job(JobName=name)["Job"]
        except self._glue.exceptions.EntityNotFoundException as error:
            raise ServiceError("EntityNotFoundException", f"Job {name} not found") from error

    def _workflow(self, name: str) -> WorkflowTypeDef:
        try:
            return self._glue.get_workflow(Name=name)["Workflow"]
        except self._glue.exceptions.EntityNotFoundException as error:
            raise ServiceError("EntityNotFoundException", f"Workflow {name} not found") from error

    def _triggers(self, workflow: str | None = None) -> list[TriggerTypeDef]:
        pages = self._glue.get_paginator("get_triggers").paginate()
        return [
            trigger
            for page in pages
            for trigger in page["Triggers"]
            if trigger.get("WorkflowName") and workflow in (None, trigger["WorkflowName"])
        ]

    def _runs_of(self, workflow_run: WorkflowRun) -> list[JobRun]:
        return [run for run in self._runs.values() if run.workflow_run == workflow_run.id]

    def _workflow_run(self, payload: Mapping[str, Any]) -> WorkflowRun:
        run = self._workflow_runs.get(payload["RunId"])
        if run is None or run.workflow != payload["Name"]:
            raise ServiceError(
                "EntityNotFoundException", f"Run {payload['RunId']} of workflow {payload['Name']} not found"
            )
        return run

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            self._threads = [known for known in self._threads if known.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _keep(self, run: JobRun | WorkflowRun) -> None:
        """Remember how a run is, and write it down; on a full disk later, with the next one.

        A run that cannot be written is one none the less: it ends, and lets others begin.
        """
        if isinstance(run, JobRun):
            self._runs[run.id] = run
        else:
            self._workflow_runs[run.id] = run
        self._unwritten[run.id] = run
        for late in list(self._unwritten.values()):
            try:
                self._write(late)
            except OSError as error:
                _LOG.warning("the run %s could not be written down: %s", late.id, error)
                return
            del self._unwritten[late.id]

    def _write(self, run: JobRun | WorkflowRun) -> None:
        path = self._environment.runs / f"{run.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(run)))
        fresh.replace(path)

    def _load(self) -> None:
        """Remember earlier runs; what was running when the stack died was stopped with it."""
        runs = [JobRun(**entry) for entry in read_runs(self._environment.runs, "jr_")]
        workflow_runs = [WorkflowRun(**entry) for entry in read_runs(self._environment.runs, "wr_")]
        for run in sorted(runs, key=lambda known: known.started):
            if not run.ended:
                self._settle(run, Outcome("STOPPED", "the laptop stack ended while the job ran"))
            self._runs[run.id] = run
        for workflow_run in sorted(workflow_runs, key=lambda known: known.started):
            if workflow_run.running:
                workflow_run.status, workflow_run.completed = "STOPPED", time.time()
                self._keep(workflow_run)
            self._workflow_runs[workflow_run.id] = workflow_run


def holds(predicate: Mapping[str, Any], states: Mapping[str, str]) -> bool:
    """Whether a trigger's predicate holds for the states of the jobs of a workflow run.

    Args:
        predicate: Glue's ``Predicate``: conditions joined by AND (also if unsaid) or ANY.
        states: The state of the newest run of each job that a trigger started.
    """
    results = [
        states.get(condition["JobName"]) == condition["State"] for condition in predicate["Conditions"]
    ]
    return any(results) if predicate.get("Logical") == "ANY" else all(results)


def _script_arguments(job: Mapping[str, Any], run: JobRun) -> list[str]:
    """The script's arguments, as Glue passes them."""
    merged = {
        **(job.get("DefaultArguments") or {}),
        **run.arguments,
        **(job.get("NonOverridableArguments") or {}),
        "--JOB_NAME": run.job,
        "--JOB_ID": job["Name"],
        "--JOB_RUN_ID": run.id,
    }
    if run.workflow is not None and run.workflow_run is not None:
        merged |= {"--WORKFLOW_NAME": run.workflow, "--WORKFLOW_RUN_ID": run.workflow_run}
    return [part for name, value in merged.items() for part in (name, value)]


def _page(key: str, entries: list[dict[str, Any]], payload: Mapping[str, Any]) -> dict[str, Any]:
    start = int(payload.get("NextToken") or 0)
    end = start + int(payload.get("MaxResults") or 200)
    return {key: entries[start:end], **({"NextToken": str(end)} if end < len(entries) else {})}


def _detail(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}
