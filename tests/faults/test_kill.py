"""Whichever step a job is killed at, the next run ends where a run that nobody killed would have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from glue_jobs.lake.commits import STAGES
from tests.faults import invariants
from tests.faults.pipeline import Base, start_from

STEPS = {
    "capture": [
        "capture.mended",
        "capture.snapshot",
        "capture.counted",
        "capture.file_uploaded",
        "capture.file_uploaded#3",
        "capture.uploaded",
        "capture.committed",
        "capture.published",
        "transform.started",
    ],
    "validate": [
        "validate.mended",
        "validate.judged",
        "validate.committed",
        "validate.published",
    ],
    "dimensions": [
        "dimensions.mended",
        "dimensions.read",
        "star.written",
        "star.written#3",
        "dimensions.written",
        "dimensions.committed",
        "dimensions.published",
    ],
    "facts": [
        "facts.mended",
        "facts.read",
        "star.written",
        "facts.written",
        "facts.committed",
        "facts.published",
    ],
    "load": [
        "load.locked",
        "load.installed",
        "load.copied",
        "load.copied#3",
        "load.recorded",
        "load.committed",
        "load.reported",
    ],
}
"""Every step of every job, a few of those that are done several times also later."""

KILLS = [(stage, step) for stage, steps in STEPS.items() for step in steps]


@pytest.fixture(scope="module")
def never_killed(
    bases: dict[str, Base], spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What is published once a stage has done its work, by stage."""
    found = {}
    after = [*STAGES[1:], "done"]
    for stage, state in zip(STAGES, after, strict=True):
        folder = tmp_path_factory.mktemp(f"after-{stage}")
        with (
            pytest.MonkeyPatch.context() as patch,
            start_from(bases[state], folder, spark, patch) as pipeline,
        ):
            found[stage] = pipeline.published()
    return found


@pytest.mark.parametrize(("stage", "step"), KILLS, ids=[f"{stage} at {step}" for stage, step in KILLS])
def test_a_job_killed_at_any_step_is_completed_by_the_next_run(
    bases: dict[str, Base],
    never_killed: dict[str, Any],
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    step: str,
) -> None:
    with start_from(bases[stage], tmp_path, spark, monkeypatch) as pipeline:
        pipeline.killed(stage, step)
        invariants.check_lake(pipeline)
        invariants.check_state(pipeline, drained=False)
        pipeline.job(stage)
        assert pipeline.published() == never_killed[stage]
        pipeline.job(stage)
        assert pipeline.published() == never_killed[stage]
        invariants.check_lake(pipeline)
        invariants.check_state(pipeline, drained=False)


def test_the_steps_above_are_all_that_the_jobs_do(
    bases: dict[str, Base], spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = {stage: {step.partition("#")[0] for step in steps} for stage, steps in STEPS.items()}
    done = {}
    with start_from(bases["capture"], tmp_path, spark, monkeypatch) as pipeline:
        for stage in STAGES:
            done[stage] = {line["step"] for line in pipeline.job(stage) if "step" in line}
        invariants.check(pipeline)
    assert done == stated
