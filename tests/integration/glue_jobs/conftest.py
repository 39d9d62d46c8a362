"""Lakes on which the stages run: on the embedded engine, and on Spark where a test asks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from expectations.rules import load_suites
from tests.lake import Lake, embedded, lake
from tests.spark import on_spark, spark_home

__all__ = ["spark_home"]

BOTH_ENGINES = pytest.mark.parametrize(
    "star_lake", ["embedded", pytest.param("spark", marks=pytest.mark.slow)], indirect=True
)
"""Runs a test of a lake on either engine; whole histories are compared on both in every run of the tests."""


@pytest.fixture
def star_lake(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lake]:
    name = getattr(request, "param", "embedded")
    if name == "spark":
        request.getfixturevalue("spark_home")
    with lake(tmp_path, monkeypatch, {"embedded": embedded, "spark": on_spark}[name]) as one:
        yield one


def relax(lake: Lake) -> None:
    """Let the rule about due dates before creation only warn from now on."""
    suites = dict(load_suites())
    rules = [
        dataclasses.replace(rule, severity="warn") if rule.name == "due_date_is_not_before_creation" else rule
        for rule in suites["payment"].rules
    ]
    suites["payment"] = dataclasses.replace(suites["payment"], rules=tuple(rules))
    lake.suites = lambda _: suites
