"""A lake that is deployed on AWS, as the credentials of whoever asks reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from catalog.pipeline import Pipeline
from catalog.rights import LOG_GROUPS, analysts
from glue_jobs.lake.clients import LakeClients
from glue_jobs.runtime.errors import UserError
from lakehouse.job_runs import ListedRun

_RUNS_OF_A_JOB = 50
_GOING_ON = ("STARTING", "RUNNING", "STOPPING", "WAITING")


@dataclass(frozen=True)
class Account:
    """A deployed lake.

    Attributes:
        session: Makes clients, with the credentials of whoever asks.
        called: Environment, account and region, in words.
        buckets: The real name of each bucket.
        work_group: The Athena work group that is asked.
    """

    session: boto3.session.Session
    called: str
    buckets: Mapping[str, str]
    work_group: str

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def client(self, service: str) -> Any:
        """A boto3 client, one for each service."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service)  # type: ignore[call-overload]
        return self._clients[service]

    def lake(self) -> LakeClients:
        """The lake."""
        ingestion, processed = self.buckets["ingestion"], self.buckets["processed"]
        return LakeClients(self.client("s3"), self.client("glue"), ingestion, processed)


def connect(
    pipeline: Pipeline, environment: str, role: str, profile: str | None, region: str | None
) -> Account:
    """The lake of an environment, as credentials of the usual places reach it.

    Args:
        pipeline: What is deployed.
        environment: Such as ``dev``; names of what was deployed say it.
        role: Of analysts, the one whose work group is asked; any other asks the work group of operators.
        profile: A profile of the AWS configuration; nothing for what the environment says.
        region: A region; nothing likewise.

    Raises:
        UserError: There are no credentials, no region, or no such profile, or AWS refuses them.
    """
    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        if session.region_name is None:
            raise NoRegionError
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise UserError(
            f"AWS cannot be asked who you are: {str(error).rstrip('.')}.",
            "Name credentials with --profile and a region with --region, or put them into the environment.",
        ) from error
    groups = analysts(pipeline)
    work_group = groups[role].work_group if role in groups else pipeline.athena.work_group
    called = f"{pipeline.name}-{environment} in account {account}, {session.region_name}"
    return Account(session, called, bucket_names(pipeline, environment, account), work_group)


def bucket_names(pipeline: Pipeline, environment: str, account: str) -> dict[str, str]:
    """The real name of each bucket of an environment, as Terraform makes it."""
    return {
        name: f"{pipeline.name}-{environment}-{name.replace('_', '-')}-{account}" for name in pipeline.buckets
    }


class AccountRuns:
    """The runs of jobs as Glue tells them, and what they said as CloudWatch keeps it.

    Args:
        account: The lake.
        pipeline: What says which jobs there are.
    """

    def __init__(self, account: Account, pipeline: Pipeline) -> None:
        self._account = account
        self._pipeline = pipeline

    def listed(self) -> list[ListedRun]:
        """The newest runs of every job, the newest first."""
        glue = self._account.client("glue")
        found = []
        for job in self._pipeline.jobs:
            try:
                runs = glue.get_job_runs(JobName=job, MaxResults=_RUNS_OF_A_JOB)["JobRuns"]
            except glue.exceptions.EntityNotFoundException:
                # It is in this release, and not deployed yet.
                continue
            found += [_listed(job, run) for run in runs]
        return sorted(found, key=lambda run: run.started, reverse=True)

    def lines(self, run: ListedRun) -> Iterator[str]:
        """What a run said, in the order of time."""
        logs = self._account.client("logs")
        said: list[tuple[int, str]] = []
        for group in LOG_GROUPS[self._pipeline.jobs[run.job].runtime.kind]:
            # A run's own lines are in streams whose names begin with its id.
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws-glue/{group}", logStreamNamePrefix=run.id
            )
            try:
                said += [(event["timestamp"], event["message"]) for page in pages for event in page["events"]]
            except logs.exceptions.ResourceNotFoundException:
                # Glue makes a group with the first line that goes there.
                continue
        return (line for _, message in sorted(said) for line in message.splitlines())

    def command(self, run: ListedRun) -> str:
        """What shows the same in a terminal."""
        group = LOG_GROUPS[self._pipeline.jobs[run.job].runtime.kind][0]
        return f"aws logs tail /aws-glue/{group} --log-stream-name-prefix {run.id} --since 30d"


def _listed(job: str, run: Mapping[str, Any]) -> ListedRun:
    started = run["StartedOn"].astimezone(UTC)
    goes_on = run["JobRunState"] in _GOING_ON
    seconds = run.get("ExecutionTime") or 0
    if goes_on:
        seconds = (datetime.now(UTC) - started).total_seconds()
    return ListedRun(
        run["Id"], job, run["JobRunState"], started, float(seconds), run.get("ErrorMessage"), Path()
    )
