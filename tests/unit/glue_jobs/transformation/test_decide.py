"""Which engine takes the batches that wait, as a table of cases."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.pipeline import load_pipeline
from glue_jobs.transformation.decide import ENGINES, Action, Earlier, Limits, Work, decide

CASES = yaml.safe_load((Path(__file__).parents[3] / "cases" / "engine_choice.yaml").read_text())
LIMITS = Limits(10, 10, 10, 10, 10)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_run_does_what_the_situation_asks_for(case: dict[str, Any]) -> None:
    decision = decide(
        case.get("engine", "auto"),
        Work(**{"waiting_batches": 1, "waiting_rows": 1, **case.get("work", {})}),
        LIMITS,
        handed_over=case.get("handed_over", False),
        earlier=Earlier(case.get("earlier", "none")),
    )
    assert decision.action.value == case["action"]
    assert case.get("reason", "") in decision.reason


def test_every_action_engine_and_earlier_run_stands_in_the_table() -> None:
    assert {case["action"] for case in CASES} == {action.value for action in Action}
    assert {case.get("engine", "auto") for case in CASES} == set(ENGINES)
    assert {case.get("earlier", "none") for case in CASES} == {earlier.value for earlier in Earlier}


def test_the_limits_are_those_that_the_pipeline_states() -> None:
    stated = load_pipeline().transform
    assert all(getattr(stated, field.name) > 0 for field in fields(Limits))
    assert [field.name for field in fields(Work)] == [field.name for field in fields(Limits)]
