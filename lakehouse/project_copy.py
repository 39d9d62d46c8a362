"""The project as a stack took it up: a copy of its files, so that no job reads what somebody is editing.

Which copy counts stands in one small file that is replaced at once: a stack works by the former project or by
the next one, and by nothing between them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.project import packed
from lakehouse.stack_state import Paths, read_private, write_private


@dataclass(frozen=True)
class ProjectCopy:
    """A copy that a stack works by.

    Attributes:
        project: The folder that it is a copy of.
        digest: Stands for what is in it.
    """

    project: str
    digest: str

    def folder(self, paths: Paths) -> Path:
        """Where it lies."""
        return paths.projects / self.digest

    def save(self, paths: Paths) -> None:
        """Let the stack work by it."""
        write_private(paths.project, asdict(self))


def load_copy(paths: Paths) -> ProjectCopy | None:
    """The copy that a stack works by; None where an earlier release started it."""
    stated = read_private(paths.project)
    return None if stated is None else ProjectCopy(**stated)


def project_files(project: Path) -> dict[str, bytes]:
    """What jobs read of a project, by path below its folder.

    Args:
        project: The folder.
    """
    found = {}
    for name in packed(project):
        place = project / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        found.update({str(path.relative_to(project)): _content(path) for path in files if path.is_file()})
    return found


def _content(path: Path) -> bytes:
    """What counts of a file: of a notebook its code, since whoever runs one changes what it shows."""
    content = path.read_bytes()
    if path.suffix != ".ipynb":
        return content
    try:
        cells = json.loads(content)["cells"]
        code = [
            {key: cell[key] for key in ("cell_type", "source")}
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (KeyError, TypeError, ValueError):
        # Whoever reads it says what is wrong with it.
        return content
    return json.dumps({"cells": code}).encode()


def digest_of(files: Mapping[str, bytes]) -> str:
    """Stands for the files: another one for whatever is different in them."""
    sums = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items())]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:24]


def keep_copy(paths: Paths, project: Path, files: Mapping[str, bytes]) -> ProjectCopy:
    """Keep a copy, whole or not at all; nothing works by it yet.

    Args:
        paths: The stack's places.
        project: The folder that the files are of.
        files: What is in it.
    """
    copy = ProjectCopy(str(project), digest_of(files))
    folder = copy.folder(paths)
    if folder.exists():
        return copy
    paths.projects.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=paths.projects, prefix="."))
    for name, content in files.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    fresh.rename(folder)
    return copy


def drop_others(paths: Paths, copy: ProjectCopy) -> None:
    """Remove every copy but one. No job may run: it could be reading another."""
    for folder in paths.projects.iterdir():
        if folder.name != copy.digest:
            shutil.rmtree(folder)
