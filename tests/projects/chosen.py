"""Which project a test is about: the repository's own where it stands here, `shop` everywhere else.

So nothing that is added to the repository's own project reaches a test of the engine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog.project import VARIABLE
from tests.projects import SHOP, lay_out

TESTS = Path(__file__).resolve().parents[1]

OF_THE_PROJECT = (
    "differential",
    "end_to_end",
    "integration/bi",
    "integration/lakehouse",
    "integration/payments_api",
    "integration/terraform",
    "integration/tools",
    "integration/totesys",
    "property/expectations",
    "unit/bench",
    "unit/bi",
    "unit/catalog/test_alarms.py",
    "unit/catalog/test_contracts.py",
    "unit/catalog/test_feeds.py",
    "unit/catalog/test_pipeline.py",
    "unit/catalog/test_redaction.py",
    "unit/catalog/test_regex.py",
    "unit/catalog/test_rights.py",
    "unit/catalog/test_warehouse.py",
    "unit/expectations/test_rules.py",
    "unit/lakehouse/console",
    "unit/lakehouse/dashboard",
    "unit/lakehouse/test_demo_parts.py",
    "unit/notebooks",
    "unit/payments_api",
    "unit/test_*.py",
    "unit/tools/test_costs.py",
    "unit/tools/test_deploy_tool.py",
    "unit/tools/test_dist_parts.py",
    "unit/tools/test_quicksight_tool.py",
    "unit/totesys",
)
"""About the project: all its contracts and rules, its questions, deployment and business, on both engines."""

_OWN = os.environ.get(VARIABLE)
_FOLDER = tempfile.TemporaryDirectory(prefix="shop-")
_SHOP = str(lay_out(SHOP, TESTS.parent, Path(_FOLDER.name) / "shop"))


def is_about_the_project(path: Path) -> bool:
    """Whether the tests of a file or folder are about the repository's own project."""
    below = path.relative_to(TESTS) if path.is_relative_to(TESTS) else Path()
    return any(one.match(pattern) for one in (below, *below.parents) for pattern in OF_THE_PROJECT)


@contextmanager
def chosen(path: Path) -> Iterator[None]:
    """Has the environment name the project that a file is about."""
    before = os.environ.pop(VARIABLE, None)
    wanted = _OWN if is_about_the_project(path) else _SHOP
    if wanted is not None:
        os.environ[VARIABLE] = wanted
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """What a file reads when it is imported."""
    with chosen(collector.path):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """What a test reads, with its fixtures."""
    with chosen(item.path):
        return (yield)
