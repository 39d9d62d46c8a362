"""Whichever step a job is killed at, the next run ends where a run that nobody killed would have ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glue_jobs.lake import rebuilds
from glue_jobs.lake.commits import STAGES
from tests.faults import invariants
from tests.faults.pipeline import JOBS, Base, Pipeline, start_from
from tests.faults.test_rejected_changes import REJECT
from tests.night import at_night

STEPS = {
    "capture": [
        "capture.republished",
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
        "transform.decided",
        "transform.noted",
        "validate.republished",
        "validate.checked",
        "validate.committed",
        "validate.published",
        "transform.attempt_ended",
    ],
    "dimensions": [
        "transform.decided",
        "transform.noted",
        "dimensions.republished",
        "dimensions.read",
        "star.written",
        "star.written#3",
        "star.listed",
        "dimensions.written",
        "dimensions.committed",
        "dimensions.published",
        "transform.attempt_ended",
    ],
    "facts": [
        "transform.decided",
        "transform.noted",
        "facts.republished",
        "facts.read",
        "star.written",
        "star.listed",
        "facts.written",
        "facts.committed",
        "facts.published",
        "transform.attempt_ended",
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
"""Every step of every stage's job, a few of those that are done several times also later."""

FIRST_RUN = {"load": {"load.installed"}}
"""Steps that only a first run does; the scenarios of first runs kill jobs at these."""

REBUILD = {"load": {"load.emptied"}}
"""Steps that only a rebuild does; its own scenario kills jobs at these."""

COPYING = ("redact.republished", "redact.written", "redact.committed", "redact.published")
"""Every step of making the copies without personal columns, which the job of the load does after it."""

LISTED = "star.listed"
"""A step that only a run does whose batches reject a change, or resolve one."""

LISTING = ("dimensions", "facts")
"""The stages that do it."""

WHOLE = [f"{stage}.committed" for stage in STAGES[1:]]
"""Steps at which a run that does every stage is killed, one run after another."""

COMMITTED = {stage: f"{stage}.committed" for stage in STAGES}


def before_commit(stage: str) -> list[str]:
    """The steps of a stage before its commit: each run that dies there leaves the work to the next."""
    steps = STEPS[stage][: STEPS[stage].index(COMMITTED[stage])]
    return [step for step in steps if step != LISTED]


def after_commit(place: int) -> dict[str, str]:
    """Of each stage, a step that long after its commit, or its last one; the next run finds nothing to do."""
    found = {}
    for stage, steps in STEPS.items():
        later = steps[steps.index(COMMITTED[stage]) :]
        found[stage] = later[min(place, len(later) - 1)]
    return found


AFTER = [after_commit(place) for place in range(3)]


def kill(pipeline: Pipeline, stage: str, step: str) -> None:
    pipeline.killed(stage, step)
    invariants.check_lake(pipeline)
    invariants.check_order(pipeline)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_job_killed_at_any_step_before_its_commit_is_completed_by_the_next_run(
    bases: dict[str, Base],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    never_killed = bases[[*STAGES, "done"][STAGES.index(stage) + 1]].published
    with start_from(bases[stage], tmp_path, monkeypatch) as pipeline:
        for step in before_commit(stage):
            kill(pipeline, stage, step)
        pipeline.job(stage)
        assert pipeline.published() == never_killed
        invariants.check_lake(pipeline)
        invariants.check_state(pipeline)


@pytest.mark.slow
def test_a_job_killed_as_it_lists_rejected_changes_is_completed_by_the_next_run(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for stages in ((), LISTING):
        with start_from(bases["full"], tmp_path / str(len(stages)), monkeypatch) as pipeline:
            pipeline.sql(REJECT)
            for stage in STAGES:
                if stage in stages:
                    kill(pipeline, stage, LISTED)
                pipeline.job(stage)
            invariants.check(pipeline)
            ends.append(pipeline.published())
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "steps",
    [AFTER[0], *map(at_night, AFTER[1:])],
    ids=[" ".join(steps.values()) for steps in AFTER],
)
def test_jobs_killed_after_their_commits_are_completed_by_the_next_runs(
    bases: dict[str, Base],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: dict[str, str],
) -> None:
    with start_from(bases["capture"], tmp_path, monkeypatch) as pipeline:
        for stage, step in steps.items():
            kill(pipeline, stage, step)
            pipeline.job(stage)
        assert pipeline.published() == bases["done"].published
        invariants.check(pipeline)


@pytest.mark.slow
def test_a_run_of_every_stage_that_is_killed_after_each_commit_is_completed_stage_by_stage(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        for step in WHOLE:
            pipeline.transform_killed(step, "--engine", "embedded")
            invariants.check_lake(pipeline)
            invariants.check_order(pipeline)
        pipeline.transform()
        assert pipeline.published() == bases["done"].published
        invariants.check(pipeline)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [COPYING[:-1], COPYING[-1:]], ids=" ".join)
def test_copies_whose_making_is_killed_at_any_step_are_completed_by_the_next_run(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...]
) -> None:
    with start_from(bases["load"], tmp_path, monkeypatch) as pipeline:
        for step in steps:
            kill(pipeline, "load", step)
        pipeline.job("load")
        assert pipeline.published() == bases["done"].published
        assert pipeline.copied() == bases["done"].copied
        invariants.check(pipeline)


def test_every_step_is_one_that_some_test_kills_a_job_at() -> None:
    killed = {(stage, step) for stage in STAGES for step in before_commit(stage)}
    killed |= {(stage, step) for steps in AFTER for stage, step in steps.items()}
    killed |= {(stage, LISTED) for stage in LISTING}
    assert killed == {(stage, step) for stage, steps in STEPS.items() for step in steps}


def test_the_steps_above_are_all_that_the_jobs_do(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = bases["done"]
    with start_from(done, tmp_path, monkeypatch) as pipeline:
        rebuilds.request(pipeline.lake.clients)
        pipeline.transform()
        invariants.check(pipeline)
    seen: dict[str, set[str]] = {job: set() for job in JOBS.values()}
    for line in map(json.loads, (done.output + pipeline.output).splitlines()):
        if "step" in line:
            seen[line["job"]].add(line["step"])
    stated: dict[str, set[str]] = {job: set() for job in JOBS.values()}
    for stage, steps in STEPS.items():
        further = FIRST_RUN.get(stage, set()) | REBUILD.get(stage, set())
        stated[JOBS[stage]] |= {step.partition("#")[0] for step in steps} | further
    stated[JOBS["load"]] |= set(COPYING)
    assert seen == stated
