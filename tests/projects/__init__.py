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

FERRIES, PARCELS, SHOP = (Path(__file__).parent / name for name in ("ferries", "parcels", "shop"))

_SAME_FOR_EVERYBODY = ("zones.yaml", "dead_letter", "ops", "star/unresolved_dead_letters.yaml")


def lay_out(project: Path, root: Path, folder: Path) -> Path:
    """A whole project in a folder: its own files, and by its name what is the same for everybody.

    Args:
        project: Holds its own files; its name is the project's.
        root: The repository.
        folder: Is made.
    """
    shutil.copytree(project, folder)
    contracts = folder / "catalog" / "contracts"
    for taken in _SAME_FOR_EVERYBODY:
        theirs = root / "catalog" / "contracts" / taken
        for path in [theirs] if theirs.is_file() else sorted(theirs.glob("*.yaml")):
            ours = contracts / path.relative_to(root / "catalog" / "contracts")
            ours.parent.mkdir(exist_ok=True)
            ours.write_text(path.read_text().replace("totesys", project.name))
    pipeline = (root / "catalog" / "pipeline.yaml").read_text().replace("totesys", project.name)
    example = f"  schema: public\n  example: {project.name}.example\n"
    assert example in pipeline
    own = re.search(r"CREATE SCHEMA (\w+);", (project / "schema.sql").read_text())
    schema = f"  schema: {own[1] if own else 'public'}\n"
    # Feeds bring what the repository's own business needs.
    without_feeds = re.sub(r"(?m)^feeds:\n(?:(?: .*)?\n)+", "", pipeline)
    assert "feeds:" not in without_feeds
    (folder / "catalog" / "pipeline.yaml").write_text(without_feeds.replace(example, schema))
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
