"""Whoever runs the pipeline may do what the runbook says, under the rights that are deployed for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from botocore.exceptions import ClientError

from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from catalog.rights import documents, fill
from glue_jobs.runtime.errors import UserError
from lakehouse.cli import main
from lakehouse.daemon import add_athena
from lakehouse.local_deployment import deploy, placeholder_values, schedule_request
from lakehouse.schedules import pause, read_schedules, resume
from local_aws.endpoint.app import Endpoint, create_endpoint
from local_aws.rights.evaluate import Principal
from local_aws.rights.keys import Caller
from tests import aws_cli
from tests.conftest import ROOT

PIPELINE = load_pipeline()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
NAME, ROLE = "totesys-dev", "an-operator"
COMMANDS = aws_cli.commands(RUNBOOK)
LAMBDA = "arn:aws:lambda:eu-west-2:123456789012:function:totesys-dev-start-workflow"
QUEUE = "arn:aws:sqs:eu-west-2:123456789012:totesys-dev-start-workflow-failed"


class World:
    """An endpoint to which everything is deployed, and somebody who may do what operators may."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, place = endpoint, endpoint.guard.place
        secrets = dict.fromkeys(PIPELINE.databases, "postgresql://nobody@127.0.0.1/none")
        catalogue = load_catalogue()
        self.buckets = deploy(endpoint.client, catalogue, PIPELINE, endpoint.region, secrets)
        arns = {
            key: endpoint.client("secretsmanager").describe_secret(SecretId=secret.name)["ARN"]
            for key, secret in PIPELINE.databases.items()
        }
        values = placeholder_values(PIPELINE, endpoint.region, place.account, self.buckets, arns)
        made, iam = documents(PIPELINE, catalogue), endpoint.client("iam")
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
        for name in ("operators", "repairs"):
            rights = json.dumps(fill(made[f"people/{name}.json"], {**values, "name": NAME}))
            iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=rights)
        arn = f"arn:aws:sts::{place.account}:assumed-role/{ROLE}/somebody"
        role = f"arn:aws:iam::{place.account}:role/{ROLE}"
        keys = endpoint.guard.keys.issue(Caller(Principal(arn, place.account, role), ROLE))
        self.operator: Callable[[str], Any] = lambda service: endpoint.client(service, keys)
        # Where an environment asks for Slack.
        for secret in PIPELINE.secrets.values():
            if secret.option is not None:
                endpoint.client("secretsmanager").create_secret(Name=secret.name)
        sqs = endpoint.client("sqs")
        self.queue = sqs.create_queue(QueueName=f"{NAME}-undelivered")["QueueUrl"]
        self.failed = sqs.create_queue(QueueName=f"{NAME}-start-workflow-failed")["QueueUrl"]
        # The laptop's schedules are in a group that is named after the project alone.
        stored = endpoint.client("scheduler")
        stored.create_schedule_group(Name=NAME)
        role = f"arn:aws:iam::{place.account}:role/{NAME}-schedules"
        for name, schedule in PIPELINE.schedules.items():
            stored.create_schedule(
                **{**schedule_request(PIPELINE, name, schedule, LAMBDA, role, QUEUE), "GroupName": NAME}
            )

    def said(self, command: str) -> str:
        """A command, with what a person puts in place of its placeholders."""
        glue = self.endpoint.client("glue")
        known = {
            "<environment>": "dev",
            "<job>": "transform",
            "<workflow>": "transform",
            "<schedule>": "every_ten_minutes",
            "<failed>": self.failed,
            "<ingestion>": self.buckets["ingestion"],
            "<key>": "_awaiting_approval/0000000001/approved.json",
            "<queue>": self.queue,
            "<day>": "2026-11-02",
        }
        if "<id>" in command:
            (workflow,) = re.findall(r"--name (\S+)", command.replace("<workflow>", "transform"))
            known["<id>"] = glue.start_workflow_run(Name=workflow)["RunId"]
        for placeholder, value in known.items():
            command = command.replace(placeholder, value)
        assert not re.search(r"<\w+>", command), f"nobody says what stands for it: {command}"
        return command


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    state = tmp_path_factory.mktemp("stack")
    endpoint = create_endpoint(state, enforced=True)
    athena = add_athena(endpoint, state / "athena")
    with endpoint:
        yield World(endpoint)
        athena.close()


def test_the_runbook_has_commands_and_each_is_found() -> None:
    assert (
        len(COMMANDS)
        == len(re.findall(r"\baws (?:glue|s3api|scheduler|sqs|logs|secretsmanager) ", RUNBOOK)) - 1
    )
    assert {command.split()[1] for command in COMMANDS} == {
        "glue",
        "logs",
        "s3api",
        "scheduler",
        "secretsmanager",
        "sqs",
    }


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_an_operator_may_run_each_command_of_the_runbook(world: World, command: str) -> None:
    said = world.said(command)
    try:
        aws_cli.run(said, world.operator)
    except ClientError as error:
        # What the runbook says of a workflow that runs already.
        assert error.response["Error"]["Code"] == "ConcurrentRunsExceededException"  # noqa: PT017
        assert "start-workflow-run" in said


def test_a_command_that_the_policies_refuse_is_told_from_one_that_they_do_not(world: World) -> None:
    for command in (
        "aws glue delete-job --job-name transform",
        "aws secretsmanager get-secret-value --secret-id totesys/source",
        f"aws s3api put-object --bucket {world.buckets['ingestion']} --key raw/x --if-none-match '*'",
        f"aws s3api put-object --bucket {world.buckets['ingestion']} --key _awaiting_approval/1/a.json",
        "aws logs delete-log-group --log-group-name /aws-glue/jobs/output",
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            aws_cli.run(command, world.operator)
    for command in ("aws glue start-everything", "aws scheduler get-schedule --schedule every_ten_minutes"):
        with pytest.raises(ValueError, match=r"there is no option|has no"):
            aws_cli.run(command, world.operator)


def test_every_command_of_lakehouse_in_the_runbook_is_one(root: Path) -> None:
    stated = {found for text in (RUNBOOK,) for found in re.findall(r"`lakehouse ([a-z-]+)([^`]*)`", text)}
    assert stated
    for name, options in stated:
        command = main.commands[name]
        known = {option for one in command.params for option in one.opts if isinstance(one, click.Option)}
        assert set(re.findall(r"--[a-z-]+", options)) <= known


def test_every_schedule_that_the_runbook_names_is_one() -> None:
    assert set(re.findall(r"(?:every|nightly)_\w+", RUNBOOK)) == PIPELINE.schedules.keys()


def test_an_operator_may_pause_a_schedule_and_resume_it(world: World) -> None:
    scheduler = world.operator("scheduler")
    for change, is_paused in ((pause, True), (resume, False)):
        change(scheduler, NAME, "every_night")
        (seen,) = read_schedules(scheduler, NAME, ["every_night"])
        assert (seen.is_paused, seen.workflow, seen.time_zone) == (is_paused, "reconcile", "Europe/London")
    with pytest.raises(UserError, match=f"There is no schedule every_blue_moon in {NAME}"):
        pause(scheduler, NAME, "every_blue_moon")
