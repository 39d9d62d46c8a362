"""The closed list: each entry has its cases, and each case gives what Athena gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local_aws.athena.documentation import DOCUMENT, filled
from local_aws.athena.query_errors import AthenaError, QueryError
from local_aws.athena.signatures import Case, Signature, entries
from tests.athena_cases import asked

CASES = [(entry.text, case) for entry in entries() for case in entry.cases]


@pytest.mark.parametrize(("signature", "case"), CASES, ids=[case.expression for _, case in CASES])
def test_a_function_answers_what_athena_answers(
    answers: Callable[[str], list[list[str | None]]], signature: str, case: Case
) -> None:
    if case.text == "ERROR":
        with pytest.raises((QueryError, AthenaError)) as caught:
            answers(asked(case.expression))
        assert "GENERIC_INTERNAL_ERROR" not in str(caught.value)
        return
    assert answers(asked(case.expression)) == [[case.text]], signature


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.text)
def test_an_entry_is_whole(entry: Signature) -> None:
    assert entry.form, "no DuckDB form"
    assert any(case.text != "ERROR" for case in entry.cases), "no case"
    assert len(entry.cases) >= 2, "no edge"
    if entry.parameters:
        assert len(entry.cases) >= 3, "no edge"
        assert any("NULL" in case.expression for case in entry.cases), "no case of NULL"


def test_the_documentation_has_the_list() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == filled(text), "run `python -m local_aws.athena.documentation`"
