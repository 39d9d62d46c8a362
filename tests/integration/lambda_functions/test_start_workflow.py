"""From a schedule to a run of a workflow, on what the pipeline states and under the rights that it makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import catalog
import glue_jobs
import lambda_functions
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.rights import fill
from glue_jobs.runtime.errors import UserError
from lakehouse.daemon import add_functions
from lakehouse.local_deployment import deploy
from lakehouse.schedules import pause
from lambda_functions.start_workflow import RUNS_ALREADY, start
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.endpoint.layers import json_service
from local_aws.functions.runner import FunctionRunner
from local_aws.jobs.job_process import JobEnvironment
from local_aws.jobs.runner import GlueRunner
from local_aws.jobs.scheduler import Scheduler

PIPELINE = load_pipeline()

WAITS = f"""
import time, boto3
s3 = boto3.client("s3")
while s3.list_objects_v2(Bucket="{PIPELINE.name}-ingestion", Prefix="_commits/go").get("KeyCount", 0) == 0:
    time.sleep(0.02)
"""
"""A job that runs until it is let go."""


class Stack:
    """Everything that the pipeline states, deployed; what its schedules start waits until it is let go."""

    def __init__(self, endpoint: Endpoint, functions: FunctionRunner, logs: Path) -> None:
        self.endpoint, self.functions, self.logs = endpoint, functions, logs
        secrets = dict.fromkeys(PIPELINE.databases, "postgresql://nobody@127.0.0.1/none")
        self.buckets = deploy(endpoint.client, load_catalogue(), PIPELINE, endpoint.region, secrets)
        self.glue, self.s3, self.sqs = (endpoint.client(name) for name in ("glue", "s3", "sqs"))
        for job in PIPELINE.jobs.values():
            self.s3.put_object(Bucket=self.buckets["artefacts"], Key=job.script, Body=WAITS.encode())
        self.now = 1_800_014_400.0
        self.scheduler = Scheduler(
            endpoint.stack_client("scheduler"),
            endpoint.caller_client("lambda"),
            endpoint.caller_client("sqs"),
            endpoint.runs,
            lambda: self.now,
        )

    def tick(self, later: float = 0) -> list[str]:
        """What fires when some seconds have gone by."""
        self.now += later
        fired = self.scheduler.look()
        self.functions.wait()
        return fired

    def runs(self, workflow: str) -> list[str]:
        return [run["Status"] for run in self.glue.get_workflow_runs(Name=workflow)["Runs"]]

    def queued(self) -> int:
        """Messages in all queues."""
        count = 0
        for url in self.sqs.list_queues()["QueueUrls"]:
            said = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            count += int(said["Attributes"]["ApproximateNumberOfMessages"])
        return count

    def log(self) -> list[dict[str, Any]]:
        text = (self.logs / f"{PIPELINE.name}-start-workflow.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def events(self) -> list[str]:
        return [line["event"] for line in self.log()]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    packages = tmp_path / "packages"
    packages.mkdir()
    for package in (catalog, glue_jobs, lambda_functions):
        (packages / package.__name__).symlink_to(Path(str(package.__file__)).parent)
    endpoint = create_endpoint(tmp_path / "state", enforced=True)
    runner = GlueRunner(
        endpoint.stack_client("glue"),
        endpoint.caller_client("s3"),
        JobEnvironment(endpoint.addresses(), packages, tmp_path / "runs", endpoint.runs),
    )
    endpoint.add(json_service("AWSGlue", runner))
    functions = add_functions(endpoint, packages, tmp_path / "logs", minute=0.001)
    with endpoint:
        made = Stack(endpoint, functions, tmp_path / "logs")
        try:
            yield made
        finally:
            functions.close()
            runner.close()


def test_a_tick_starts_its_workflow_and_one_of_a_run_that_goes_on_is_no_failure(stack: Stack) -> None:
    for name in PIPELINE.schedules.keys() - {"every_ten_minutes"}:
        pause(stack.endpoint.client("scheduler"), PIPELINE.name, name)
    assert stack.tick() == ["every_ten_minutes"]
    assert stack.runs("ingest") == ["RUNNING"]
    # A run that takes longer than its period: three ticks find it, and nobody is told of anything.
    assert [stack.tick(600) for _ in range(3)] == [["every_ten_minutes"]] * 3
    assert stack.runs("ingest") == ["RUNNING"]
    assert stack.events() == ["start_workflow.started", *["start_workflow.runs_already"] * 3]
    assert stack.queued() == 0
    stack.s3.put_object(Bucket=stack.buckets["ingestion"], Key="_commits/go", Body=b"", IfNoneMatch="*")
    while "RUNNING" in stack.runs("ingest"):
        pass
    stack.tick(600)
    assert len(stack.runs("ingest")) == 2


def test_every_schedule_of_the_pipeline_starts_its_workflow_by_its_rights(stack: Stack) -> None:
    # From a quarter past three in the morning on.
    stack.now -= 8.75 * 3600
    stack.tick()
    for _ in range(6):
        stack.tick(1800)
    assert {one.workflow for one in PIPELINE.schedules.values()} == {
        line["workflow"] for line in stack.log() if line["event"] == "start_workflow.started"
    }
    assert stack.queued() == 0


def test_what_could_not_be_started_is_left_once_with_the_reason(stack: Stack) -> None:
    iam, name = stack.endpoint.client("iam"), f"{PIPELINE.name}-start-workflow"
    policy = iam.get_role_policy(RoleName=name, PolicyName="what-the-function-does")["PolicyDocument"]
    kept = [one for one in policy["Statement"] if one["Sid"] != "StartsWorkflows"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="what-the-function-does",
        PolicyDocument=json.dumps(fill({**policy, "Statement": kept}, {})),
    )
    stack.tick()
    assert (stack.runs("ingest"), stack.queued()) == ([], 1)
    url = stack.sqs.get_queue_url(QueueName=f"{name}-failed")["QueueUrl"]
    (left,) = stack.sqs.receive_message(QueueUrl=url)["Messages"]
    record = json.loads(left["Body"])
    assert record["requestPayload"] == {"workflow": "ingest"}
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert "not authorized to perform: glue:StartWorkflowRun" in record["responsePayload"]["errorMessage"]


@pytest.mark.parametrize("event", [{}, {"workflow": ""}, {"workflow": 7}])
def test_a_schedule_that_names_no_workflow_is_refused_in_words(event: dict[str, Any]) -> None:
    # Before Glue is asked for anything.
    with pytest.raises(UserError, match="The schedule names no workflow"):
        start(cast("Any", None), event)


def test_a_workflow_that_is_not_there_is_a_failure_and_one_that_runs_is_none(stack: Stack) -> None:
    with pytest.raises(UserError, match=r"nothing was not started \(EntityNotFoundException"):
        start(stack.glue, {"workflow": "nothing"})
    assert start(stack.glue, {"workflow": "ingest"})["run"]
    with pytest.raises(stack.glue.exceptions.ConcurrentRunsExceededException) as refusal:
        stack.glue.start_workflow_run(Name="ingest")
    assert refusal.value.response["Error"]["Code"] == RUNS_ALREADY
    assert start(stack.glue, {"workflow": "ingest"}) == {"workflow": "ingest", "run": None}
