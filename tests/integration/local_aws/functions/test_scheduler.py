"""Schedules fire from the scheduler's storage, once, by their role; what they could not start is left."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakehouse.schedules import pause, read_schedules, resume
from local_aws.endpoint.guard import working_for
from local_aws.jobs.scheduler import Scheduler
from tests.integration.local_aws.functions.conftest import World, allow

NOON = 1_800_014_400.0
"""Noon in London and by UTC, on the 15th of January 2027."""

HOUR = 3600.0


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOON + 60

    def __call__(self) -> float:
        return self.now


class Scheduled(World):
    """A world with a function that schedules may call, and a clock."""

    def __init__(self, world: World) -> None:
        super().__init__(world.endpoint, world.runner, world.scheduler, world.logs)
        self.clock = Clock()
        self.target = self.function("f", self.role("r", "lambda"))
        self.by = self.role(
            "schedules",
            "scheduler",
            allow("lambda:InvokeFunction", self.target),
            allow("sqs:SendMessage", self.queue),
        )
        endpoint = self.endpoint
        self.stored = endpoint.client("scheduler")
        self.stored.create_schedule_group(Name="lake")
        self.fired = Scheduler(
            endpoint.stack_client("scheduler"),
            endpoint.caller_client("lambda"),
            endpoint.caller_client("sqs"),
            endpoint.runs,
            self.clock,
        )

    def schedule(self, name: str, expression: str, **settings: Any) -> None:
        target = {
            "Arn": self.target,
            "RoleArn": self.by,
            "Input": json.dumps({"workflow": name}),
            "RetryPolicy": {"MaximumRetryAttempts": 0},
            "DeadLetterConfig": {"Arn": self.queue},
            **settings.pop("target", {}),
        }
        self.stored.create_schedule(
            Name=name,
            GroupName="lake",
            ScheduleExpression=expression,
            Target=target,
            **{"FlexibleTimeWindow": {"Mode": "OFF"}, **settings},
        )

    def look(self, later: float = 0) -> list[str]:
        """What fires when some seconds have gone by."""
        self.clock.now += later
        fired = self.fired.look()
        self.runner.wait()
        return fired


@pytest.fixture
def scheduled(world: World) -> Scheduled:
    return Scheduled(world)


def test_a_schedule_calls_its_function_once_a_tick_with_what_it_says(scheduled: Scheduled) -> None:
    scheduled.schedule("hourly", "cron(0 * * * ? *)")
    assert scheduled.look() == []
    assert scheduled.look(HOUR) == ["hourly"]
    assert scheduled.look() == []
    assert scheduled.look(30) == []
    assert scheduled.look(HOUR) == ["hourly"]
    called = [json.loads(line) for line in scheduled.log("f").splitlines()]
    assert [one["called"] for one in called] == [{"workflow": "hourly"}] * 2
    assert scheduled.left() == []


def test_what_fires_often_fires_when_the_stack_starts_and_days_by_their_clock(scheduled: Scheduled) -> None:
    scheduled.schedule("often", "cron(0/10 * * * ? *)")
    scheduled.schedule("in_new_york", "cron(8 7 * * ? *)", ScheduleExpressionTimezone="America/New_York")
    assert scheduled.look() == ["often"]
    assert scheduled.look(8 * 60) == ["in_new_york"]
    assert scheduled.look(60) == ["often"]


def test_a_schedule_that_is_paused_fires_nothing_and_misses_nothing_when_it_is_resumed(
    scheduled: Scheduled,
) -> None:
    scheduled.schedule("often", "cron(0/10 * * * ? *)")
    assert scheduled.look() == ["often"]
    pause(scheduled.stored, "lake", "often")
    (seen,) = read_schedules(scheduled.stored, "lake", ["often"])
    assert (seen.is_paused, seen.workflow, seen.time_zone) == (True, "often", "UTC")
    assert scheduled.look(HOUR) == []
    resume(scheduled.stored, "lake", "often")
    # The ticks meanwhile are not made up for.
    assert scheduled.look() == []
    assert scheduled.look(600) == ["often"]
    target = scheduled.stored.get_schedule(Name="often", GroupName="lake")["Target"]
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert target["DeadLetterConfig"] == {"Arn": scheduled.queue}


def test_what_a_schedule_may_not_call_is_left_in_its_queue_with_the_reason(scheduled: Scheduled) -> None:
    scheduled.by = scheduled.role("poor", "scheduler", allow("sqs:SendMessage", scheduled.queue))
    scheduled.schedule("often", "cron(0/10 * * * ? *)")
    assert scheduled.look() == ["often"]
    (left,) = scheduled.left()
    assert json.loads(left["Body"]) == {"Input": '{"workflow": "often"}'}
    said = {name: value["StringValue"] for name, value in left["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == "AccessDeniedException"
    assert "lambda:InvokeFunction" in said["ERROR_MESSAGE"]
    assert said["SCHEDULE_ARN"].endswith("schedule/lake/often")


def test_a_role_that_is_not_the_schedulers_starts_nothing(
    scheduled: Scheduled, caplog: pytest.LogCaptureFixture
) -> None:
    scheduled.by = scheduled.role("glues", "glue", allow("lambda:InvokeFunction", scheduled.target))
    scheduled.schedule("often", "cron(0/10 * * * ? *)")
    scheduled.look()
    assert "not authorized to perform: sts:AssumeRole" in caplog.text
    assert not (scheduled.logs / "f.log").exists()


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "once": ("at(2027-01-16T12:00:00)", {}, "neither rate"),
    "last_day": ("cron(0 0 L * ? *)", {}, "L is not within"),
    "nowhere": ("rate(1 hour)", {"ScheduleExpressionTimezone": "Europe/Atlantis"}, "there is no time zone"),
    "about": (
        "rate(1 hour)",
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}},
        "a flexible time window",
    ),
    "again": ("rate(1 hour)", {"target": {"RetryPolicy": {"MaximumRetryAttempts": 3}}}, "it is tried again"),
    "universal": (
        "rate(1 hour)",
        {"target": {"Arn": "arn:aws:scheduler:::aws-sdk:glue:startWorkflowRun"}},
        "functions are called alone",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_laptop_cannot_fire_it_refuses_in_words_and_once(
    scheduled: Scheduled, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    expression, settings, why = REFUSED[name]
    scheduled.schedule(name, expression, **settings)
    with caplog.at_level(logging.ERROR):
        assert [scheduled.look(HOUR) for _ in range(3)] == [[], [], []]
    (said,) = [record.message for record in caplog.records if "fires never" in record.message]
    assert said.startswith(f"The schedule {name} fires never: ")
    assert why in said


def test_who_pauses_a_schedule_has_to_be_allowed_to_hand_on_its_role(scheduled: Scheduled) -> None:
    scheduled.schedule("often", "cron(0/10 * * * ? *)")
    arn = f"arn:aws:scheduler:eu-west-2:{scheduled.account}:schedule/lake/often"
    may = [allow("scheduler:GetSchedule", arn), allow("scheduler:UpdateSchedule", arn)]
    for name, statements in {"one": may, "other": [*may, allow("iam:PassRole", scheduled.by)]}.items():
        identity = scheduled.endpoint.runs.begin(scheduled.role(name, "glue", *statements), name)
        client = scheduled.endpoint.caller_client("scheduler")
        with working_for(identity.key):
            if name == "other":
                pause(client, "lake", "often")
                continue
            with pytest.raises(ClientError, match="iam:PassRole"):
                pause(client, "lake", "often")
    assert scheduled.look() == []
