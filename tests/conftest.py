"""What all tests share: the order they run in, and the data that lies beside the checkout."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache, partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore import parsers, session, useragent
from botocore.client import BaseClient
from botocore.session import Session
from coverage import Coverage
from hypothesis import HealthCheck, settings

from tests import needs
from tests.in_process import without_sockets
from tests.needs import pytest_addoption, pytest_make_collect_report, pytest_runtest_makereport
from tests.projects import chosen as chosen_project

__all__ = ["pytest_addoption", "pytest_make_collect_report", "pytest_runtest_makereport"]

ROOT = Path(__file__).resolve().parent.parent
_OF_CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""Where coverage tells the processes that a test starts what to follow."""

# No result hangs on how fast or busy the machine is. Continuous integration draws the same examples for the
# same code, so that a change is not stopped by what it did not touch; other runs draw new ones.
settings.register_profile(
    "untimed",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")

# Collecting garbage takes a tenth of a run at Python's own thresholds: what a worker has imported stays to
# the end, and is walked through again and again. What leaks is still found, a little later.
gc.set_threshold(20_000, 20, 100)

ORDER = (
    "unit",
    "property",
    "end_to_end",
    "integration/terraform",
    "integration/tools",
    "integration/lakehouse",
    "differential",
    "faults",
    "integration",
)
"""Folders below ``tests`` in the order in which they run: those with the longest files before the others."""
FOLLOWED = {"unit", "property", "integration"}
"""Kinds of test under which coverage is measured. What the others strike or compare is covered by these, and
following every line of it would slow the strikes only."""

OVER_SOCKETS = {"local_aws", "lakehouse", "end_to_end"}
"""Folders of tests that stand for how stacks really are reached."""

PURE: tuple[tuple[ModuleType, str], ...] = (
    (session, "create_loader"),
    (parsers, "DEFAULT_TIMESTAMP_PARSER"),
    (useragent, "sanitize_user_agent_string_component"),
)
"""Functions of botocore that answer the same each time: each test has sessions of its own, which would all
read the services' models anew, and each request says the same of who asks."""

IN_MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 8 << 30


def kind_of(item: pytest.Item) -> str:
    """The kind of a test: the folder below ``tests``."""
    return item.path.relative_to(ROOT / "tests").parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the fast kinds first, so that most mistakes show within seconds, then those of the longest files.

    Many short files at the end let all workers end together.
    """
    items.sort(key=place_of)


def place_of(item: pytest.Item) -> int:
    """Where a test stands in `ORDER`: by its innermost folder that is there."""
    folders = item.path.relative_to(ROOT / "tests").parents
    return next(ORDER.index(str(folder)) for folder in folders if str(folder) in ORDER)


def pytest_configure(config: pytest.Config) -> None:
    """Has temporary files lie in memory where there is room, and boto3 untraced and without old keys.

    Databases are copied and dropped by the hundred, and none outlives its test.
    """
    config.pluginmanager.register(chosen_project)
    BaseClient._make_api_call = _without_following(BaseClient._make_api_call)  # type: ignore[attr-defined]
    Session.get_credentials = _found_anew(Session.get_credentials)  # type: ignore[method-assign]
    for module, name in PURE:
        setattr(module, name, lru_cache(maxsize=4096)(getattr(module, name)))
    if "TMPDIR" in os.environ or not IN_MEMORY.is_dir():
        return
    room = os.statvfs(IN_MEMORY)
    if room.f_bavail * room.f_frsize > ROOM_IN_MEMORY and os.access(IN_MEMORY, os.W_OK):
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None


def pytest_collection_finish() -> None:
    """What stands now stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """Measures coverage where that tells something."""
    with followed(item), reached(item):
        return (yield)


def reached(item: pytest.Item) -> AbstractContextManager[None]:
    """How a test's requests reach the emulated AWS of its process: without sockets, but where that counts."""
    return nullcontext() if OVER_SOCKETS & set(item.path.parts) else without_sockets()


@contextmanager
def followed(item: pytest.Item) -> Iterator[None]:
    """Has coverage follow a test's lines, and those of the emulated AWS in its own tests alone.

    Elsewhere that, with moto below it, would take as long as the jobs.
    """
    coverage = Coverage.current()
    if coverage is None:
        yield
    elif kind_of(item) not in FOLLOWED:
        of_children = os.environ.pop(_OF_CHILDREN, None)
        coverage.stop()
        try:
            yield
        finally:
            coverage.start()
            if of_children is not None:
                os.environ[_OF_CHILDREN] = of_children
    elif "local_aws" in item.path.parts:
        yield
    else:
        follow = threading.gettrace()
        threading.settrace(partial(_follow_but_servers, follow))
        try:
            yield
        finally:
            threading.settrace(follow)


def _without_following(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a library that takes most of a job's Python time, with nothing of ours below it."""

    @wraps(call)
    def called(*arguments: Any, **named: Any) -> Any:
        follow = sys.gettrace()
        if follow is None:
            return call(*arguments, **named)
        sys.settrace(None)
        try:
            return call(*arguments, **named)
        finally:
            sys.settrace(follow)

    return called


def _found_anew(get_credentials: Callable[..., Any]) -> Callable[..., Any]:
    """How boto3 finds its keys: it keeps the first that it found, and each stack has keys of its own."""

    @wraps(get_credentials)
    def found(session: Session) -> Any:
        session._credentials = None  # type: ignore[attr-defined]
        return get_credentials(session)

    return found


def _follow_but_servers(follow: Callable[..., Any] | None, *event: Any) -> Any:
    """What a new thread does at its first line."""
    if "process_request_thread" not in threading.current_thread().name:
        return follow(*event) if follow else None
    sys.settrace(None)
    return None


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real snapshot of totesys: `<table>.csv.gz`, in $TOTESYS_DATA or beside the checkout."""
    given = os.environ.get("TOTESYS_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data" / "totesys_2024_11_15"
    if not folder.is_dir():
        needs.missing("the real snapshot", f"it is not at {folder}; TOTESYS_DATA names its folder")
    return folder
