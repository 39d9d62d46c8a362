"""What tests need of the machine that they run on, and what of it nobody offers.

A test that lacks something is skipped and says what. Where everything is to run (`--refuse-skips`, as
continuous integration asks) that is a failure, unless it lacks what stands in `NOBODY_OFFERS`: all else is on
the machine, or comes from PyPI, npm or Debian's packages, and the set-up has to bring it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from lakehouse.embedded_postgres import bundled_binaries
from tools import set_up
from tools.browser import find_chromium
from tools.postgres_versions import found_binaries

NOBODY_OFFERS: Mapping[str, str] = {
    "Terraform": "its maker gives it out by itself, through no index of packages",
    "Terraform's AWS provider": "Terraform's own registry has it, and no index of packages",
    "Python 3.9": "Debian has one Python, which is another",
    "Python 3.11": "Debian has one Python, which may be another",
    "Python 3.12": "Debian has one Python, which may be another",
    "Python 3.13": "Debian has one Python, which may be another",
    "the real snapshot": "it is the business's own, and lies beside the checkout or nowhere",
    "root": "what is promised to root, only root can try",
    "Linux": "what reads /proc is promised there alone",
}
"""By what may be missing, why no set-up brings it. Nothing else may be missing where everything is to run."""

_REASON = re.compile(r"(?:Skipped: )?needs (.+?): ")


def reason(need: str, remedy: str) -> str:
    """What a skipped test says."""
    return f"needs {need}: {remedy}"


def missing(need: str, remedy: str) -> NoReturn:
    """Skip the test that asks.

    Args:
        need: What is missing, as `NOBODY_OFFERS` names it if it is there.
        remedy: Where it comes from.
    """
    pytest.skip(reason(need, remedy), allow_module_level=True)


ROOT = pytest.mark.skipif(os.geteuid() != 0, reason=reason("root", "run the tests as root"))
LINUX = pytest.mark.skipif(sys.platform != "linux", reason=reason("Linux", "run the tests there"))


def chromium() -> None:
    """The test needs a browser."""
    if find_chromium() is None:
        missing("chromium", "on Debian: apt-get install chromium")


def node() -> str:
    """The test needs node; its path."""
    return shutil.which("node") or missing("node", "on Debian: apt-get install nodejs")


def interpreter(version: str) -> str:
    """The test needs a Python of a version; its path."""
    found = next((python for python in set_up.interpreters(version) if set_up.runs(python)), None)
    return found or missing(f"Python {version}", "on PATH or in pyenv")


def runtime(version: str) -> Path:
    """The test needs one of Glue's own Pythons, with what Glue has installed; its path."""
    environment = set_up.RUNTIMES[version]
    if not environment.python.exists():
        interpreter(version)
        missing(environment.folder, "make runtimes makes it")
    return environment.python


def checker(name: str) -> Path:
    """The test needs what checks Terraform or the workflows; its path."""
    found = set_up.CHECKERS.path / "bin" / name
    return found if found.exists() else missing(name, "make checkers installs it")


def axe() -> str:
    """The test needs the rules of the W3C for pages; a script that defines ``axe``."""
    found = next(
        set_up.CHECKERS.path.glob("lib/python3*/site-packages/axe_playwright_python/axe.min.js"), None
    )
    return (found or missing("axe", "make checkers installs it")).read_text(encoding="utf-8")


OLDER_POSTGRES = (13, 14, 15, 16, 17)
"""Versions of PostgreSQL that are supported besides the one that the project brings along."""


def postgres(major: int) -> Path:
    """The test needs a PostgreSQL of a version; the folder of its programs."""
    found = {**found_binaries(), 18: bundled_binaries()}.get(major)
    return found or missing(f"PostgreSQL {major}", "make postgres-versions fetches it")


# ---------------------------------------------------------------------- where everything is to run


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--refuse-skips`."""
    parser.addoption(
        "--refuse-skips",
        action="store_true",
        help="fail where a test is skipped for want of something that can be had",
    )


def refusal(said: str) -> str | None:
    """Why a test may not be skipped where everything is to run; None if it may.

    Args:
        said: The reason that it gave.
    """
    found = _REASON.match(said)
    if found and found[1] in NOBODY_OFFERS:
        return None
    return (
        f"{said}\nIt can be had, so this is a failure here. What nobody offers is listed in tests/needs.py."
    )


def _judge(report: pytest.TestReport | pytest.CollectReport, config: pytest.Config) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or not config.getoption("--refuse-skips"):
        return
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if refused := refusal(said):
        report.outcome, report.longrepr = "failed", refused


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test."""
    report = yield
    _judge(report, item.config)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A skipped file."""
    report = yield
    _judge(report, collector.config)
    return report
