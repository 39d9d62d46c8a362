"""A stack works by a copy of the project: the former or the next one, whole, and nothing between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.project_copy import ProjectCopy, drop_others, keep_copy, load_copy, project_files
from lakehouse.stack_state import Paths


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("catalog/pipeline.yaml", "catalog/contracts/raw/a.yaml", "bi/queries/q.sql", "notes.txt"):
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "project"


def test_a_copy_has_what_jobs_read_and_is_another_for_whatever_differs(project: Path, tmp_path: Path) -> None:
    paths = Paths.of(tmp_path / "state")
    assert load_copy(paths) is None
    first = keep_copy(paths, project, project_files(project))
    assert load_copy(paths) is None
    first.save(paths)
    assert load_copy(paths) == first
    assert project_files(first.folder(paths)) == project_files(project)
    assert not (first.folder(paths) / "notes.txt").exists()

    (project / "notes.txt").write_text("more")
    assert keep_copy(paths, project, project_files(project)) == first
    (project / "bi" / "queries" / "q.sql").rename(project / "bi" / "queries" / "r.sql")
    second = keep_copy(paths, project, project_files(project))
    assert second.digest != first.digest
    assert load_copy(paths) == first
    second.save(paths)
    drop_others(paths, second)
    assert [folder.name for folder in paths.projects.iterdir()] == [second.digest]


def test_of_a_notebook_its_code_alone_counts(project: Path, tmp_path: Path) -> None:
    def cell(source: str, outputs: list[str]) -> dict[str, object]:
        return {"cell_type": "code", "source": source, "outputs": outputs, "execution_count": len(outputs)}

    def keep(*cells: dict[str, object]) -> ProjectCopy:
        path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "x"}, *cells]}))
        return keep_copy(paths, project, project_files(project))

    paths, path = Paths.of(tmp_path / "state"), project / "notebooks" / "mine.ipynb"
    path.parent.mkdir()
    first = keep(cell("ask('SELECT 1')", []))
    assert keep(cell("ask('SELECT 1')", ["1"])) == first
    assert project_files(first.folder(paths)) == project_files(project)
    assert keep(cell("ask('SELECT 2')", ["2"])) != first
    path.write_text("no notebook")
    assert project_files(project)["notebooks/mine.ipynb"] == b"no notebook"


def test_what_was_being_copied_when_somebody_ended_it_is_no_copy(project: Path, tmp_path: Path) -> None:
    paths = Paths.of(tmp_path / "state")
    half = paths.projects / ".half"
    half.mkdir(parents=True)
    (half / "catalog").mkdir()
    copy = keep_copy(paths, project, project_files(project))
    assert project_files(copy.folder(paths)) == project_files(project)
    drop_others(paths, copy)
    assert not half.exists()
