"""More in the project breaks no test of the engine: what is added to totesys is its own business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from tests.projects.chosen import OF_THE_PROJECT, is_about_the_project
from tests.projects.grown import COLUMN, grow


@pytest.fixture(scope="module")
def grown(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with a column, tables and rules more in totesys."""
    return grow(root, tmp_path_factory.mktemp("grown") / "checkout")


def test_the_copy_has_more_in_every_place_that_a_person_adds_to(grown: Path) -> None:
    say = (
        "from catalog.catalogue import load_catalogue; from expectations.rules import load_suites;"
        "from expectations.compile import compile_rules;"
        "known = load_catalogue(); suites = load_suites(known);"
        "[compile_rules(suite, known) for suite in suites.values()];"
        f"print(len(known.raw), sum('{COLUMN}' in str(c.columns) for c in known.star.values()),"
        " sum(rule.name == 'remark_is_short' for suite in suites.values() for rule in suite.rules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", say], cwd=grown, check=True, capture_output=True, text=True
    ).stdout
    assert said.split() == [str(len(load_catalogue().raw) + 2), "10", "3"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["unit", "property"])
def test_no_test_of_the_engine_breaks(grown: Path, folder: str) -> None:
    own = [f"--ignore-glob={grown}/tests/{pattern}" for pattern in OF_THE_PROJECT]
    told = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-n0"]
    ran = subprocess.run(
        [*told, f"--basetemp={grown.parent / folder}", *own, f"tests/{folder}"],
        cwd=grown,
        env={**os.environ, "PYTHONPATH": str(grown)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]


@pytest.mark.parametrize(
    ("file", "about_the_project"),
    [
        ("unit/glue_jobs/star/test_members.py", False),
        ("unit/catalog/test_model.py", False),
        ("integration/glue_jobs/conftest.py", False),
        ("faults/test_kill.py", False),
        ("unit/totesys/test_generator.py", True),
        ("unit/test_rooms.py", True),
        ("end_to_end/test_demo.py", True),
    ],
)
def test_a_test_is_about_the_engine_unless_it_is_said_to_be_the_projects(
    root: Path, file: str, about_the_project: bool
) -> None:
    assert is_about_the_project(root / "tests" / file) == about_the_project
