"""Statements that read no table have the result that Athena's documentation gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.athena_cases import NOT_HERE, load, load_expressions, mistakes, verdict

EXPRESSIONS = load_expressions()

CASES = [
    case
    for case in load()
    if case["sql"].upper().startswith(("SELECT", "VALUES", "WITH"))
    and not any(word in case["sql"].lower() for word in ("totesys_", "apichk", "information_schema"))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["sql"])
def test_a_statement_has_its_documented_result(
    answers: Callable[[str], list[list[str | None]]], case: dict[str, Any]
) -> None:
    found, told = verdict(case["sql"], case["want"], answers)
    assert found == "right" or (found == "refused" and any(word in case["sql"] for word in NOT_HERE)), told


@pytest.mark.parametrize("topic", EXPRESSIONS)
def test_expressions_have_their_documented_results(
    answers: Callable[[str], list[list[str | None]]], topic: str
) -> None:
    assert not mistakes(EXPRESSIONS[topic], answers)
