"""The rules of triggers, schedules and error lines, as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.jobs.job_process import last_error
from local_aws.jobs.runner import holds


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
