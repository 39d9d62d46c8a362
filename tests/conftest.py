"""What all tests share: the order they run in, and the data that lies beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import needs
from tests.needs import pytest_addoption, pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_addoption", "pytest_make_collect_report", "pytest_runtest_makereport"]

ROOT = Path(__file__).resolve().parent.parent
# No result hangs on how fast or busy the machine is. Continuous integration draws the same examples for the
# same code, so that a change is not stopped by what it did not touch; other runs draw new ones.
settings.register_profile(
    "untimed",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")

SPEED = ("unit", "property", "integration", "end_to_end", "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the fast kinds of test first, so that most mistakes show within seconds."""

    def speed(item: pytest.Item) -> int:
        kind = item.path.relative_to(ROOT / "tests").parts[0]
        return SPEED.index(kind) if kind in SPEED else len(SPEED)

    items.sort(key=speed)
    for item in items:
        # What faults strike is covered by then; following every line of it would slow the strikes only.
        if speed(item) == SPEED.index("faults"):
            item.add_marker(pytest.mark.no_cover)


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
