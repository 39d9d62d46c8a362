"""Projects besides the repository's own: each lies in a folder, as a project does.

`shop` is what the engine's tests speak of: every kind of column, key, reference, join and rule. Nothing of
the repository's own project reaches them. `ferries` is of another shape: three tables, a schema of its own.
`parcels` has keys of every kind: uuid, any text, several columns of several types; and times to the
microsecond, floats, and names that are not the lake's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from catalog.project import VARIABLE
from lakehouse.new_project.shared import shared_files

FERRIES, PARCELS, SHOP = (Path(__file__).parent / name for name in ("ferries", "parcels", "shop"))


def lay_out(project: Path, root: Path, folder: Path) -> Path:
    """A whole project in a folder: its own files, and by its name what is the same for everybody.

    Args:
        project: Holds its own files; its name is the project's.
        root: The repository.
        folder: Is made.
    """
    shutil.copytree(project, folder)
    own = re.search(r"CREATE SCHEMA (\w+);", (project / "schema.sql").read_text())
    for name, text in shared_files(project.name, own[1] if own else "public", template=root).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(project: Path, *module: str) -> str:
    """Run one of our modules as whoever names that project does; what it printed."""
    environment = {**os.environ, VARIABLE: str(project)}
    done = subprocess.run(
        [sys.executable, "-m", *module], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def publish(project: Path) -> Path:
    """Write what the commands of the Makefile make of a project's files; the project."""
    run(project, "tools.published_contracts", "publish")
    run(project, "tools.rights", "write")
    return project
