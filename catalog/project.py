"""Where the project lies that everything else reads.

A project is what is particular to one business: contracts, rules, questions, a dashboard and how it is
deployed. Its files lie in folders named as those of this repository, so that the packages find it beside
themselves wherever they are installed: ``catalog/contracts``, ``catalog/pipeline.yaml``,
``expectations/rules``, ``bi/queries``, ``bi/dashboard``. The environment can name another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "LAKEHOUSE_PROJECT"
"""The environment variable that names another project's folder."""


def project_folder() -> Path:
    """The folder of the project: the one that the environment names, or the one that came with the code."""
    named = os.environ.get(VARIABLE)
    return Path(named).resolve() if named else Path(__file__).resolve().parent.parent


def contracts_folder() -> Path:
    """Where the project's contracts lie."""
    return project_folder() / "catalog" / "contracts"


def queries_folder() -> Path:
    """Where the project's questions lie."""
    return project_folder() / "bi" / "queries"


def once_per_project(read: Callable[[], T]) -> Callable[[], T]:
    """Keep what a function reads of the project, until the environment names another one."""
    read_once = lru_cache(maxsize=None)(lambda _: read())

    @wraps(read)
    def of_this_one() -> T:
        return read_once(project_folder())

    return of_this_one


PACKED = (
    "bi/dashboard/",
    "bi/queries/",
    "catalog/contracts/",
    "catalog/pipeline.yaml",
    "catalog/published/",
    "expectations/rules/",
)
"""What jobs read of a project: below its folder, and beside the packages in a wheel."""

NOTEBOOKS = "notebooks/*.ipynb"
"""The notebooks of a project, of which a job reads what they ask; they lie beside code of a package's."""


def packed(project: Path) -> tuple[str, ...]:
    """The files and folders of a project that jobs read, as far as they are there.

    Args:
        project: Its folder.
    """
    notebooks = (path.relative_to(project).as_posix() for path in sorted(project.glob(NOTEBOOKS)))
    return (*(name for name in PACKED if (project / name).exists()), *notebooks)
