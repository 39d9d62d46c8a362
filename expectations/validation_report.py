"""What validation found, as Great Expectations' own validation results: counts alone, never a value.

The results are made from the counts of the very pass that split the rows, in the document format that Great
Expectations reads (``ExpectationSuiteValidationResult``): data docs that are built from them say what the
verdict says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from expectations.rules import Rule, Suite

_SEVERITY = {"reject": "critical", "warn": "warning"}
"""How Great Expectations calls severities."""


def configuration(rule: Rule) -> dict[str, Any]:
    """A rule as the configuration of an expectation."""
    return {
        "type": rule.type,
        "kwargs": dict(rule.kwargs),
        "meta": {"rule": rule.name, "owner": rule.owner, "reason": rule.reason, "outcome": rule.severity},
        "severity": _SEVERITY[rule.severity],
    }


def validation_result(
    suite: Suite, read: int, broken: Mapping[str, int], empty: Mapping[str, int], meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The validation result of one table in one batch.

    Args:
        suite: The rules that the rows were judged by.
        read: Rows that were judged, deletions left out: they hold nothing to judge.
        broken: By rule, rows that broke it; a rule that is not named was broken by none.
        empty: By column, rows that leave it empty; a column that is not named was always given.
        meta: What to say of the batch, such as its number.

    Returns:
        The document, as JSON can hold it.
    """
    results = [
        _result(rule, read, broken.get(rule.name, 0), empty.get(rule.column, 0)) for rule in suite.rules
    ]
    passed = sum(result["success"] for result in results)
    return {
        "suite_name": suite.contract.table,
        "success": passed == len(results),
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": passed / len(results) * 100 if results else None,
        },
        "suite_parameters": {},
        "results": results,
        "meta": dict(meta),
    }


def _result(rule: Rule, read: int, broken: int, empty: int) -> dict[str, Any]:
    about_emptiness = rule.type in ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")
    judged = read if about_emptiness else read - empty
    found: dict[str, Any] = {
        "element_count": read,
        "unexpected_count": broken,
        "unexpected_percent": _percent(broken, judged),
    }
    if not about_emptiness:
        found.update(
            missing_count=empty,
            missing_percent=_percent(empty, read),
            unexpected_percent_total=_percent(broken, read),
            unexpected_percent_nonmissing=_percent(broken, judged),
        )
    return {
        "success": broken == 0,
        "expectation_config": configuration(rule),
        "result": {**found, "partial_unexpected_list": []},
        "exception_info": {"raised_exception": False, "exception_traceback": None, "exception_message": None},
        "meta": {},
    }


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None
