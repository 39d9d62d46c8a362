"""The closed list: each entry has its cases, and each case gives what Athena gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local_aws.athena.documentation import DOCUMENT, filled
from local_aws.athena.signatures import Signature, entries
from tests.athena_cases import mistakes


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.text)
def test_a_function_answers_what_athena_answers_and_its_entry_is_whole(
    answers: Callable[[str], list[list[str | None]]], entry: Signature
) -> None:
    cases = [(case.expression, "NULL" if case.text is None else case.text) for case in entry.cases]
    assert not mistakes(cases, answers)
    assert entry.form, "no DuckDB form"
    assert any(case.text != "ERROR" for case in entry.cases), "no case"
    assert len(entry.cases) >= 2, "no edge"
    if entry.parameters:
        assert len(entry.cases) >= 3, "no edge"
        assert any("NULL" in case.expression for case in entry.cases), "no case of NULL"


def test_the_documentation_has_the_list() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == filled(text), "run `python -m local_aws.athena.documentation`"
