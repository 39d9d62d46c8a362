"""The schedules of a deployment: what they start, whether they are paused, pausing and resuming them.

The same on a laptop and on AWS: requests to EventBridge Scheduler, with the rights of whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from glue_jobs.runtime.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.literals import ScheduleStateType
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

_STATED = (
    "Name",
    "GroupName",
    "Description",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "StartDate",
    "EndDate",
    "KmsKeyArn",
    "Target",
)
"""What an update states anew: what it leaves out goes back to a default."""


@dataclass(frozen=True)
class ScheduleState:
    """A schedule as it is deployed.

    Attributes:
        name: Its name.
        workflow: What it starts.
        expression: When.
        time_zone: By whose clock.
        is_paused: Whether it starts nothing.
    """

    name: str
    workflow: str
    expression: str
    time_zone: str
    is_paused: bool

    def as_dict(self) -> dict[str, Any]:
        """The schedule as plain data."""
        return asdict(self)


def read_schedules(
    scheduler: EventBridgeSchedulerClient, group: str, names: Iterable[str]
) -> list[ScheduleState]:
    """Some schedules as they are deployed.

    Args:
        scheduler: A boto3 ``scheduler`` client.
        group: The group of the deployment's schedules.
        names: Theirs.

    Raises:
        UserError: One is not deployed.
    """
    found = (_get(scheduler, group, name) for name in names)
    return [
        ScheduleState(
            name=one["Name"],
            workflow=str(json.loads(one["Target"].get("Input") or "{}").get("workflow", "")),
            expression=one["ScheduleExpression"],
            time_zone=one.get("ScheduleExpressionTimezone") or "UTC",
            is_paused=one["State"] == "DISABLED",
        )
        for one in found
    ]


def pause(scheduler: EventBridgeSchedulerClient, group: str, name: str) -> None:
    """Let a schedule start nothing until it is resumed, or until the next deployment.

    Args:
        scheduler: A boto3 ``scheduler`` client.
        group: The group of the deployment's schedules.
        name: The schedule.

    Raises:
        UserError: It is not deployed.
    """
    _put(scheduler, group, name, "DISABLED")


def resume(scheduler: EventBridgeSchedulerClient, group: str, name: str) -> None:
    """Let a schedule start again what it starts; what it missed is not made up for.

    Args:
        scheduler: A boto3 ``scheduler`` client.
        group: The group of the deployment's schedules.
        name: The schedule.

    Raises:
        UserError: It is not deployed.
    """
    _put(scheduler, group, name, "ENABLED")


def schedules_text(schedules: Iterable[ScheduleState]) -> str:
    """Schedules as people read them."""
    return "\n".join(
        f"{one.name:22} {'paused' if one.is_paused else 'on':7} {one.workflow:10} "
        f"{one.expression} {one.time_zone}"
        for one in schedules
    )


def _put(scheduler: EventBridgeSchedulerClient, group: str, name: str, state: ScheduleStateType) -> None:
    there: dict[str, Any] = {**_get(scheduler, group, name)}
    stated: Any = {key: there[key] for key in _STATED if there.get(key) is not None}
    scheduler.update_schedule(**stated, State=state)


def _get(scheduler: EventBridgeSchedulerClient, group: str, name: str) -> GetScheduleOutputTypeDef:
    try:
        return scheduler.get_schedule(GroupName=group, Name=name)
    except scheduler.exceptions.ResourceNotFoundException as error:
        raise UserError(
            f"There is no schedule {name} in {group}.", "See schedules in catalog/pipeline.yaml."
        ) from error
