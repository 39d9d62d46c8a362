"""Whichever step a job is killed at, the next run ends where a run that nobody killed would have ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from glue_jobs.lake import rebuilds
from glue_jobs.lake.commits import STAGES
from local_stack.spark_gateway import SparkJvm
from tests.faults import invariants
from tests.faults.conftest import CHANGES
from tests.faults.pipeline import JOBS, Base, Pipeline, start_from

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
        "load.copied",
        "load.copied#3",
        "load.recorded",
        "load.committed",
        "load.reported",
    ],
}
"""Every step of every job, a few of those that are done several times also later."""

FIRST_RUN = {"load": {"load.installed"}}
"""Steps that only a first run does; the scenarios of first runs kill jobs at these."""

REBUILD = {"load": {"load.emptied"}}
"""Steps that only a rebuild does; its own scenario kills jobs at these."""

COMMITTED = {stage: f"{stage}.committed" for stage in STAGES}


def deaths(stage: str) -> list[list[str]]:
    """Where a job dies: at every step before its commit, run after run; and at each later one alone."""
    steps = STEPS[stage]
    commit = steps.index(COMMITTED[stage])
    return [steps[:commit], *([step] for step in steps[commit:])]


KILLS = [(stage, steps) for stage in STAGES for steps in deaths(stage)]


@pytest.mark.parametrize(
    ("stage", "steps"), KILLS, ids=[f"{stage} at {', '.join(steps)}" for stage, steps in KILLS]
)
def test_a_job_killed_at_any_step_is_completed_by_the_next_run(
    bases: dict[str, Base],
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jvm: SparkJvm,
    stage: str,
    steps: list[str],
) -> None:
    never_killed = bases[[*STAGES, "done"][STAGES.index(stage) + 1]].published
    with start_from(bases[stage], tmp_path, spark, monkeypatch) as pipeline:
        for step in steps:
            pipeline.killed(stage, step, jvm if stage in ("validate", "dimensions", "facts") else None)
            invariants.check_lake(pipeline)
            invariants.check_order(pipeline)
        pipeline.job(stage)
        assert pipeline.published() == never_killed
        invariants.check_lake(pipeline)
        invariants.check_state(pipeline)


def test_the_steps_above_are_all_that_the_jobs_do(fresh: Pipeline) -> None:
    fresh.run()
    fresh.sql(CHANGES)
    fresh.run()
    rebuilds.request(fresh.lake.s3, fresh.lake.buckets["ingestion"])
    fresh.transform()
    done: dict[str, set[str]] = {stage: set() for stage in STAGES}
    stage_of = {job: stage for stage, job in JOBS.items()}
    for line in map(json.loads, fresh.output.splitlines()):
        if "step" in line:
            done[stage_of[line["job"]]].add(line["step"])
    stated = {stage: {step.partition("#")[0] for step in steps} for stage, steps in STEPS.items()}
    for further in (FIRST_RUN, REBUILD):
        stated = {stage: steps | further.get(stage, set()) for stage, steps in stated.items()}
    assert done == stated
    invariants.check(fresh)
