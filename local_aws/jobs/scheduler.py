"""Fires schedules as EventBridge Scheduler does; moto keeps them and fires none.

A schedule calls a function with the rights of its role, once: what it could not call it with goes to its
dead-letter queue. What the laptop cannot do as the scheduler would is refused in words.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_aws.endpoint.guard import working_for
from local_aws.endpoint.run_credentials import RoleRefusedError, RunCredentials
from local_aws.jobs.schedules import ScheduleError, ticks_of

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)

SCHEDULER = "scheduler.amazonaws.com"

_LOOK_SECONDS = 1.0


def refused(schedule: Mapping[str, Any]) -> str | None:
    """Why the laptop cannot fire a schedule; nothing where it can.

    Args:
        schedule: As the scheduler's GetSchedule describes it.
    """
    target = schedule["Target"]
    if ":lambda:" not in target["Arn"]:
        return f"it calls {target['Arn']}, and here functions are called alone"
    if schedule["FlexibleTimeWindow"]["Mode"] != "OFF":
        return "it has a flexible time window"
    if target.get("RetryPolicy", {}).get("MaximumRetryAttempts"):
        return "it is tried again, and here a call is tried once"
    if schedule.get("StartDate") or schedule.get("EndDate"):
        return "it begins or ends on a day"
    try:
        ticks_of(schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone") or "UTC")
    except ScheduleError as error:
        return str(error)
    return None


class Scheduler:
    """Fires the schedules that are stored in an endpoint.

    Args:
        schedules: A boto3 ``scheduler`` client.
        functions: A boto3 ``lambda`` client that asks for whom its thread works.
        queues: A boto3 ``sqs`` client that does so, too.
        credentials: Gives each call the keys of a session of its schedule's role.
        clock: Gives the time, in seconds since the epoch.
    """

    def __init__(
        self,
        schedules: EventBridgeSchedulerClient,
        functions: LambdaClient,
        queues: SQSClient,
        credentials: RunCredentials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._schedules = schedules
        self._functions = functions
        self._queues = queues
        self._credentials = credentials
        self._clock = clock
        self._due: dict[str, float] = {}
        self._known: dict[tuple[str, Any], Mapping[str, Any]] = {}
        self._seen: set[str] = set()
        self._refused: set[tuple[str, Any]] = set()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Fire from now on, on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Fire no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> list[str]:
        """Fire what is due now; the names of the schedules that fired.

        A schedule that is paused is forgotten: when it is resumed its next tick is its first.
        """
        now, fired, there = self._clock(), [], set()
        for schedule in self._read():
            arn = str(schedule["Arn"])
            if schedule["State"] != "ENABLED":
                continue
            there.add(arn)
            if not self._can_fire(schedule):
                continue
            zone = schedule.get("ScheduleExpressionTimezone") or "UTC"
            ticks = ticks_of(schedule["ScheduleExpression"], zone)
            # One that was paused waits for its next tick; one that is new may fire at once.
            first = ticks.after(now) if arn in self._seen else ticks.first(now)
            self._seen.add(arn)
            if now < self._due.setdefault(arn, first):
                continue
            self._due[arn] = ticks.after(now)
            self._fire(schedule)
            fired.append(str(schedule["Name"]))
        self._due = {arn: due for arn, due in self._due.items() if arn in there}
        return fired

    def _can_fire(self, schedule: Mapping[str, Any]) -> bool:
        """Whether the laptop can fire a schedule; where not, that is said once."""
        why = refused(schedule)
        stated = (str(schedule["Arn"]), schedule["LastModificationDate"])
        if why is not None and stated not in self._refused:
            self._refused.add(stated)
            _LOG.error("The schedule %s fires never: %s", schedule["Name"], why)
        return why is None

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a stack goes on firing, whatever one look met
                _LOG.exception("schedules could not be looked at")

    def _read(self) -> list[Mapping[str, Any]]:
        """The schedules; what has not changed is not asked for again."""
        found: dict[tuple[str, Any], Mapping[str, Any]] = {}
        for page in self._schedules.get_paginator("list_schedules").paginate():
            for one in page["Schedules"]:
                key = (one["Arn"], one["LastModificationDate"])
                named = {"Name": one["Name"], "GroupName": one["GroupName"]}
                found[key] = self._known.get(key) or self._schedules.get_schedule(**named)
        self._known = found
        return list(found.values())

    def _fire(self, schedule: Mapping[str, Any]) -> None:
        target = schedule["Target"]
        run = f"sc_{uuid.uuid4().hex}"
        try:
            identity = self._credentials.begin(target["RoleArn"], run, SCHEDULER)
            with working_for(identity.key):
                self._call(schedule, target)
        except RoleRefusedError as error:
            _LOG.error("The schedule %s started nothing: %s", schedule["Name"], error)
        finally:
            self._credentials.end(run)

    def _call(self, schedule: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        event = target.get("Input") or "{}"
        try:
            self._functions.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=event)
        except ClientError as error:
            _LOG.error("The schedule %s started nothing: %s", schedule["Name"], error)
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue is None:
                return
            stated = error.response["Error"]
            attributes = {
                "ERROR_CODE": stated["Code"],
                "ERROR_MESSAGE": stated.get("Message", "")[:256] or "none",
                "SCHEDULE_ARN": str(schedule["Arn"]),
                "TARGET_ARN": str(target["Arn"]),
            }
            account, name = queue.split(":")[4:6]
            try:
                self._queues.send_message(
                    QueueUrl=f"{self._queues.meta.endpoint_url}/{account}/{name}",
                    MessageBody=json.dumps({"Input": event}),
                    MessageAttributes={
                        key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
                    },
                )
            except ClientError as refusal:
                _LOG.error("What %s could not start is lost: %s", schedule["Name"], refusal)
