"""Statements that read no table have the result that Athena's documentation gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local_aws.athena.query_errors import AthenaError, QueryError
from tests.athena_cases import NOT_HERE, asked, load, load_expressions, verdict

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


@pytest.mark.parametrize(("expression", "answer"), load_expressions())
def test_an_expression_has_its_documented_result(
    answers: Callable[[str], list[list[str | None]]], expression: str, answer: str
) -> None:
    if answer == "ERROR":
        with pytest.raises((AthenaError, QueryError)) as caught:
            answers(asked(expression))
        assert "GENERIC_INTERNAL_ERROR" not in str(caught.value)
        return
    rows = answers(asked(expression))
    assert "; ".join(" | ".join("NULL" if cell is None else cell for cell in row) for row in rows) == answer
