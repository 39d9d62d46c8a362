"""What the embedded engine cannot take, or could not finish, becomes Spark's, and arrives once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from glue_jobs.engine.protocol import OutOfResources
from glue_jobs.lake.commits import STAGES
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.star import drain
from glue_jobs.transformation.hand_over import STAGE, HandOver, unanswered
from glue_jobs.transformation.work import read_progress
from tests.faults import invariants
from tests.faults.pipeline import LARGE_WORKFLOW, Base, Pipeline, start_from
from tests.night import by_day

AUTO = ("--engine", "auto")
SPARK = ("--engine", "spark")

KILLS = ["transform.noted", "validate.checked", "validate.committed", "dimensions.written", "facts.written"]
"""Steps at which a run may be killed with something left to do."""


def request(pipeline: Pipeline) -> HandOver | None:
    return unanswered(pipeline.lake.clients, read_progress(pipeline.lake.clients))


def started(pipeline: Pipeline) -> int:
    """How often the workflow of large batches was started."""
    return len(pipeline.lake.glue.get_workflow_runs(Name=LARGE_WORKFLOW)["Runs"])


def decided(lines: list[dict[str, Any]]) -> str:
    (line,) = [line for line in lines if line.get("step") == "transform.decided"]
    return str(line["action"])


def large(pipeline: Pipeline) -> None:
    """Do what the jobs of transform_large do, by the functions that they call."""
    pipeline.lake.transform()
    pipeline.job("load")


def checked(pipeline: Pipeline, done: Base) -> None:
    """The pipeline has ended where one ends that nothing befell."""
    assert request(pipeline) is None
    assert pipeline.published() == done.published
    invariants.check(pipeline)


@pytest.mark.parametrize("step", by_day(["dimensions.written"], KILLS))
def test_after_a_run_that_was_killed_as_by_memory_the_next_tick_is_sparks(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        pipeline.transform_killed(step, *AUTO)
        invariants.check_lake(pipeline)
        assert decided(pipeline.transform(*AUTO)) == "hand over"
        asked = request(pipeline)
        assert asked is not None
        assert "was killed" in asked.reason
        # Ticks come and go while Spark is at it.
        assert decided(pipeline.transform(*AUTO)) == "leave"
        assert pipeline.commits(STAGE).latest_sequence() == 1
        large(pipeline)
        checked(pipeline, bases["done"])
        assert decided(pipeline.transform(*AUTO)) == "republish"


HAND_OVER_KILLS = ["transform.decided", "transform.handed_over", "transform.large_started"]


@pytest.mark.slow
def test_a_hand_over_that_is_killed_at_any_step_is_completed_by_the_next_tick(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        for step in HAND_OVER_KILLS:
            pipeline.transform_killed(step, *SPARK)
            invariants.check_order(pipeline)
        assert pipeline.commits(STAGE).latest_sequence() <= 1
        pipeline.transform(*SPARK)
        assert pipeline.commits(STAGE).latest_sequence() == 1
        assert started(pipeline) > 0
        assert pipeline.commits("validate").latest_sequence() == 1
        large(pipeline)
        checked(pipeline, bases["done"])


@pytest.mark.slow
def test_an_engine_without_memory_in_mid_run_leaves_the_rest_to_spark(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: Any, **__: Any) -> Any:
        raise OutOfResources("Out of Memory Error")

    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        with monkeypatch.context() as patch:
            patch.setattr(drain, "build_joined", out_of_memory)
            lines = pipeline.transform(*AUTO)
        assert "transform.out_of_resources" in [line["event"] for line in lines]
        assert pipeline.commits("validate").latest_sequence() == 2
        assert pipeline.commits("dimensions").latest_sequence() == 1
        invariants.check_lake(pipeline)
        assert decided(pipeline.transform(*AUTO)) == "leave"
        large(pipeline)
        checked(pipeline, bases["done"])


@pytest.mark.slow
def test_a_warehouse_that_is_away_leaves_the_star_committed_and_the_next_run_only_loads(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        pipeline.use_warehouse(make_conninfo(pipeline.loader_dsn, port="1"))
        for _ in range(2):
            with pytest.raises(UserError, match="warehouse"):
                pipeline.transform(*AUTO)
            built = {stage: pipeline.commits(stage).latest_sequence() for stage in STAGES[1:]}
            assert built == {"validate": 2, "dimensions": 2, "facts": 2, "load": 1}
            invariants.check_lake(pipeline)
        pipeline.use_warehouse(pipeline.loader_dsn)
        lines = pipeline.transform(*AUTO)
        assert decided(lines) == "republish"
        steps = {line["step"] for line in lines if "step" in line}
        assert {"load.committed", "load.reported"} <= steps
        assert not any(step.endswith((".read", ".written", ".judged")) for step in steps)
        checked(pipeline, bases["done"])


def test_transform_run_twice_changes_nothing_the_second_time(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        for _ in range(2):
            pipeline.transform(*AUTO)
            assert {pipeline.commits(stage).latest_sequence() for stage in STAGES} == {2}
        checked(pipeline, bases["done"])


BESIDE = ["transform.decided", "transform.noted", "validate.checked", "dimensions.written", "facts.committed"]


@pytest.mark.slow
@pytest.mark.parametrize("step", by_day(["dimensions.written"], BESIDE))
def test_transform_beside_itself_ends_where_one_run_ends(
    bases: dict[str, Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with start_from(bases["validate"], tmp_path, monkeypatch) as pipeline:
        _at_step(monkeypatch, step, pipeline.transform)
        pipeline.transform()
        assert {pipeline.commits(stage).latest_sequence() for stage in STAGES} == {2}
        checked(pipeline, bases["done"])


def _at_step(monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], object]) -> None:
    original, waits = log.step, [step]

    def done(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name in waits:
            waits.remove(name)
            act()

    monkeypatch.setattr(log, "step", done)
