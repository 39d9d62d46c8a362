"""The closed list: each entry has its cases, and each case gives what Athena gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local_aws.athena.documentation import DOCUMENT, filled
from local_aws.athena.query_errors import AthenaError, QueryError
from local_aws.athena.signatures import Case, entries

CASES = [(entry.text, case) for entry in entries() for case in entry.cases]


def _query(case: Case) -> str:
    expression, of, values = case.expression.partition(" OF ")
    return f"SELECT {expression} FROM (VALUES {values}) AS t(x)" if of else f"SELECT {expression}"


@pytest.mark.parametrize(("signature", "case"), CASES, ids=[case.expression for _, case in CASES])
def test_a_function_answers_what_athena_answers(
    answers: Callable[[str], list[list[str | None]]], signature: str, case: Case
) -> None:
    if case.text == "ERROR":
        with pytest.raises((QueryError, AthenaError)) as caught:
            answers(_query(case))
        assert "GENERIC_INTERNAL_ERROR" not in str(caught.value)
        return
    assert answers(_query(case)) == [[case.text]], signature


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.text)
def test_an_entry_is_whole(entry: object) -> None:
    assert entry.form, "no DuckDB form"  # type: ignore[attr-defined]
    assert entry.cases, "no case"  # type: ignore[attr-defined]
    assert any(case.text != "ERROR" for case in entry.cases)  # type: ignore[attr-defined]


def test_the_documentation_has_the_list() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == filled(text), "run `python -m local_aws.athena.documentation`"
