"""The rules of triggers, schedules and error lines, as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.pipeline import load_pipeline
from local_aws.jobs.job_process import last_error
from local_aws.jobs.runner import Schedule, holds, schedule_of


def predicate(logical: str | None, *conditions: tuple[str, str]) -> dict[str, Any]:
    stated = [{"LogicalOperator": "EQUALS", "JobName": job, "State": state} for job, state in conditions]
    return {"Conditions": stated, **({"Logical": logical} if logical else {})}


@pytest.mark.parametrize(
    ("logical", "states", "expected"),
    [
        ("AND", {"a": "SUCCEEDED", "b": "SUCCEEDED"}, True),
        (None, {"a": "SUCCEEDED", "b": "SUCCEEDED"}, True),
        ("AND", {"a": "SUCCEEDED"}, False),
        ("AND", {"a": "SUCCEEDED", "b": "FAILED"}, False),
        ("ANY", {"a": "SUCCEEDED"}, True),
        ("ANY", {"b": "RUNNING"}, False),
        ("ANY", {}, False),
    ],
)
def test_conditions_hold_together_or_one_of_them(
    logical: str | None, states: dict[str, str], expected: bool
) -> None:
    assert holds(predicate(logical, ("a", "SUCCEEDED"), ("b", "SUCCEEDED")), states) is expected


@pytest.mark.parametrize(
    ("expression", "schedule"),
    [
        ("cron(0/5 * * * ? *)", Schedule(300)),
        ("rate(1 minute)", Schedule(60)),
        ("rate(2 hours)", Schedule(7200)),
        ("rate(1 day)", Schedule(86400)),
        ("cron(20 * * * ? *)", Schedule(3600, 1200)),
        ("cron(60 * * * ? *)", None),
        ("cron(15 12 * * ? *)", Schedule(86400, 44100)),
        ("cron(30 3 ? * * *)", Schedule(86400, 12600)),
        ("cron(60 3 * * ? *)", None),
        ("cron(0 24 * * ? *)", None),
        ("cron(15 12 1 * ? *)", None),
        ("", None),
    ],
)
def test_schedules_of_even_steps_and_of_an_hour_a_day_are_understood(
    expression: str, schedule: Schedule | None
) -> None:
    assert schedule_of(expression) == schedule


def test_every_schedule_of_the_pipeline_is_one_that_the_laptop_fires() -> None:
    stated = [trigger.schedule for trigger in load_pipeline().triggers.values() if trigger.schedule]
    assert "cron(0/10 * * * ? *)" in stated
    assert all(schedule_of(expression) for expression in stated)


def test_a_schedule_of_even_steps_fires_at_once_and_one_of_an_hour_waits_for_it() -> None:
    noon = 20_000 * 86_400.0 + 43_200
    even, hourly, daily = Schedule(300), Schedule(3_600, 1_200), Schedule(86_400, 12_600)
    assert (even.first(noon + 7), even.after(noon + 7)) == (noon + 7, noon + 300)
    assert hourly.first(noon + 7) == hourly.after(noon + 7) == noon + 1_200
    half_past_three = 20_001 * 86_400.0 + 12_600
    assert daily.first(noon) == daily.after(noon) == half_past_three
    assert daily.after(half_past_three) == half_past_three + 86_400
    assert daily.after(half_past_three - 1) == half_past_three


TRACEBACK = """Traceback (most recent call last):
  File "x.py", line 1, in <module>
    boom()
ValueError: this way not
"""


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (TRACEBACK, "ValueError: this way not"),
        (TRACEBACK + "some warning after it\n", "ValueError: this way not"),
        ("# note\nplain words\n", None),
        ("", None),
        (json.dumps({"error": "UserError", "message": "no"}) + "\nlater words\n", "UserError: no"),
        (json.dumps({"error": "KeyError", "where": "a.py:1:f"}), "KeyError: at a.py:1:f"),
        (json.dumps({"error": "KeyError"}), "KeyError: at an unknown place"),
        (json.dumps({"event": "step"}) + "\n" + TRACEBACK, "ValueError: this way not"),
        ("[1, 2]\n", None),
    ],
)
def test_the_line_that_says_why_is_found(log: str, error: str | None) -> None:
    assert last_error(log) == error
