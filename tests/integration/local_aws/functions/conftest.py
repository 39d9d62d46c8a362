from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse.daemon import add_functions, scheduler_of
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.functions.runner import FunctionRunner
from local_aws.gateway.deployed import DeployedApis, http_apis
from local_aws.jobs.scheduler import Scheduler

CODE = """
import json, os, sys, time
calls = 0

def handle(event, context):
    global calls
    calls += 1
    print(json.dumps({"called": event, "request": context.aws_request_id}), flush=True)
    if event.get("raise"):
        raise ValueError(event["raise"])
    if event.get("exit"):
        os._exit(int(event["exit"]))
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("bucket"):
        import boto3
        boto3.client("s3").head_bucket(Bucket=event["bucket"])
    return {"calls": calls, "event": event, "name": os.environ.get("NAME"), "python": sys.version_info[:2]}
"""


def zipped(**files: str) -> bytes:
    """A zip of Python modules."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return made.getvalue()


class World:
    """An endpoint that enforces rights, with what runs functions and fires schedules in it."""

    def __init__(
        self,
        endpoint: Endpoint,
        runner: FunctionRunner,
        scheduler: Scheduler,
        logs: Path,
        pages: dict[str, bytes] | None = None,
    ) -> None:
        self.endpoint, self.runner, self.scheduler, self.logs = endpoint, runner, scheduler, logs
        self.pages = {} if pages is None else pages
        self.functions, self.sqs = endpoint.client("lambda"), endpoint.client("sqs")
        self.account = endpoint.account_id
        self.queue_url = self.sqs.create_queue(QueueName="failed")["QueueUrl"]
        self.queue = f"arn:aws:sqs:eu-west-2:{self.account}:failed"

    def role(self, name: str, service: str, *statements: dict[str, Any]) -> str:
        """A role that a service takes."""
        iam = self.endpoint.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}
        trust["Action"] = "sts:AssumeRole"
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=document(*statements))
        return str(made)

    def function(self, name: str, role: str, timeout: int = 30, **settings: Any) -> str:
        """A function, whose failed calls go to the queue; its ARN."""
        code = settings.pop("code", zipped(unrelated="x = 1"))
        self.functions.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="echo.handle",
            Code={"ZipFile": code},
            Timeout=timeout,
            Environment={"Variables": {"NAME": "stated"}},
        )
        self.functions.put_function_event_invoke_config(
            FunctionName=name,
            MaximumRetryAttempts=settings.pop("retries", 0),
            DestinationConfig={"OnFailure": {"Destination": self.queue}},
        )
        return f"arn:aws:lambda:eu-west-2:{self.account}:function:{name}"

    def call(self, name: str, event: Any) -> tuple[Any, str | None]:
        """What a call gives, and whether that is an error."""
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read()), answer.get("FunctionError")

    def left(self) -> list[dict[str, Any]]:
        """What lies in the queue, taken out of it."""
        found = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        for one in found.get("Messages", ()):
            self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=one["ReceiptHandle"])
        return list(found.get("Messages", ()))

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "echo.py").write_text(CODE)
    endpoint = create_endpoint(tmp_path / "state", enforced=True)
    runner = add_functions(endpoint, packages, tmp_path / "logs", minute=0.001)
    pages: dict[str, bytes] = {}

    def fetch(url: str) -> bytes:
        if url not in pages:
            raise OSError(f"{url} cannot be reached")
        return pages[url]

    endpoint.add_gate(http_apis(DeployedApis(endpoint.guard, runner, fetch)))
    with endpoint:
        scheduler = scheduler_of(endpoint)
        try:
            yield World(endpoint, runner, scheduler, tmp_path / "logs", pages)
        finally:
            scheduler.close()
            runner.close()
