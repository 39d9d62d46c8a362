"""A database that nobody wrote contracts for, its jobs killed at every step, as in the engine's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.project import VARIABLE
from glue_jobs.lake.commits import STAGES
from tests.faults import invariants
from tests.faults.pipeline import Base, Pipeline, keep, start_from
from tests.faults.test_kill import AFTER, WHOLE, before_commit, kill
from tests.foreign import FREIGHT, foreign_server, init

pytestmark = pytest.mark.slow

REJECTED = """
UPDATE depot SET opened = 'infinity' WHERE code = 'D/3~';
UPDATE "Sales".invoice SET "issuedAt" = 'infinity' WHERE "No" = 11;
"""
"""Changes that are rejected, of a dimension and of a fact: each stage lists what lacks one."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project, which `bases` has written."""
    return tmp_path_factory.mktemp("foreign") / FREIGHT.name


@pytest.fixture(scope="module")
def bases(root: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Base]]:
    """By stage, a pipeline in which a batch waits for it; in ``done`` none waits."""
    folder = tmp_path_factory.mktemp("bases")
    with foreign_server(root, folder / "pg", FREIGHT) as server, pytest.MonkeyPatch.context() as patch:
        server.ensure_role("shop_reader")
        server.ensure_role("warehouse_loader")
        server.ensure_database("empty_warehouse", owner="warehouse_loader")
        with server.connect(FREIGHT.name) as source:
            for schema in FREIGHT.schemas:
                source.execute(f"GRANT USAGE ON SCHEMA {schema} TO shop_reader".encode())
                source.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO shop_reader".encode())
        init(server, FREIGHT, project)
        patch.setenv(VARIABLE, str(project))
        found = {}
        empty = Base(server, FREIGHT.name, "empty_warehouse", {}, {})
        with start_from(empty, folder / "own", patch) as pipeline:
            pipeline.run()
            pipeline.sql(FREIGHT.changes + REJECTED)
            for stage in STAGES:
                found[stage] = keep(pipeline, folder / stage)
                pipeline.job(stage)
            found["done"] = keep(pipeline, folder / "done")
        yield found


@pytest.fixture(autouse=True)
def _is_chosen(bases: dict[str, Base], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bases
    monkeypatch.setenv(VARIABLE, str(project))


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_killed_at_any_step_before_its_commit_is_completed_by_the_next_run(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    never_killed = bases[[*STAGES, "done"][STAGES.index(stage) + 1]].published
    with start_from(bases[stage], tmp_path, monkeypatch) as pipeline:
        for step in before_commit(stage):
            kill(pipeline, stage, step)
        pipeline.job(stage)
        assert pipeline.published() == never_killed
        invariants.check_lake(pipeline)
        invariants.check_state(pipeline)


@pytest.mark.parametrize("steps", AFTER, ids=[" ".join(steps.values()) for steps in AFTER])
def test_jobs_killed_after_their_commits_are_completed_by_the_next_runs(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: dict[str, str]
) -> None:
    with start_from(bases["capture"], tmp_path, monkeypatch) as pipeline:
        for stage, step in steps.items():
            kill(pipeline, stage, step)
            pipeline.job(stage)
        finished(pipeline, bases)


def test_a_run_of_every_stage_that_is_killed_after_each_commit_is_completed_stage_by_stage(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        for step in WHOLE:
            pipeline.transform_killed(step, "--engine", "embedded")
            invariants.check_lake(pipeline)
            invariants.check_order(pipeline)
        pipeline.transform()
        finished(pipeline, bases)


def finished(pipeline: Pipeline, bases: dict[str, Base]) -> None:
    """All is as if nobody had killed anything."""
    assert pipeline.published() == bases["done"].published
    invariants.check(pipeline)
