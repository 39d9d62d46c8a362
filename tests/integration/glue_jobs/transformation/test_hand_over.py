"""What the embedded engine does not take is handed over to Spark, once, and left alone until it is built."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from glue_jobs.engine.protocol import OutOfResources
from glue_jobs.lake import layout, rebuilds
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.star import drain
from glue_jobs.transformation.hand_over import STAGE
from glue_jobs.transformation.transform_run import EngineTooSmall
from tests.lake import raw_row

from .conftest import LARGE, Job

CURRENCIES = {"currency": [raw_row("currency", 1)]}


def steps(job: Job) -> list[str]:
    return [line["step"] for line in job.lines if line.get("event") == "step"]


def hand_built(job: Job, engine: str = "embedded") -> None:
    """Have what waits built as the Spark chain would, by the functions that it calls."""
    job.lake.transform()


def test_an_ordinary_batch_goes_through_in_one_run(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    assert job.run() == 0
    assert job.decision == ("run", "it is within the limits")
    assert job.batches() == {"capture": 1, "validate": 1, "dimensions": 1, "facts": 1}
    assert [row["currency_id"] for row in job.lake.rows("dim_currency")] == [1]
    assert (job.request(), job.runs.started, job.metric) == (None, [], 0.0)

    assert job.run() == 0
    assert job.decision == ("republish", "nothing waits")
    assert job.batches()["facts"] == 1
    assert [job.lake.commit(stage).sequence for stage in ("validate", "dimensions", "facts")] == [1, 1, 1]


def test_what_passes_a_limit_is_handed_over_once_and_left_alone(job: Job) -> None:
    job.lake.capture({"currency": [raw_row("currency", 1), raw_row("currency", 2)]})
    job.lake.capture({"currency": [raw_row("currency", 3)]})
    assert job.run(waiting_rows=2) == 0
    request = job.request()
    assert request is not None
    assert (request.number, request.first_batch, request.last_batch) == (1, 1, 2)
    assert request.reason == "3 rows wait, more than 2"
    assert job.batches() == {"capture": 2, "validate": 0, "dimensions": 0, "facts": 0}
    assert job.runs.started == [LARGE]

    # The next tick asks nobody again, whatever the limits are by then and whatever came meanwhile.
    job.lake.capture({"currency": [raw_row("currency", 4)]})
    job.runs.busy.add(LARGE)
    assert job.run() == 0
    assert job.decision == ("leave", "it was handed over to Spark")
    assert job.batches()["validate"] == 0
    assert job.lake.log(STAGE).latest_sequence() == 1
    job.runs.busy.clear()
    assert job.run() == 0
    assert job.runs.started == [LARGE, LARGE]

    hand_built(job)
    assert job.request() is None
    assert job.run() == 0
    assert job.decision[0] == "republish"
    job.lake.capture({"currency": [raw_row("currency", 5)]})
    assert job.run() == 0
    assert job.decision[0] == "run"
    assert len(job.lake.rows("dim_currency")) == 5


def test_a_request_is_open_until_every_stage_has_answered_it(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    job.run(engine="spark")
    for stage in (job.lake.validate, job.lake.dimensions):
        assert stage() == 0
        assert job.request() is not None
    assert job.lake.facts() == 0
    assert job.request() is None


def test_how_long_spark_has_been_asked_for_is_a_metric(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.lake.capture(CURRENCIES)
    job.run(engine="spark")
    assert job.metric < 60
    now = layout.utc_now()
    monkeypatch.setattr(layout, "utc_now", lambda: now + timedelta(minutes=61))
    job.run()
    assert job.metric > 3600


def test_a_run_that_dies_between_asking_and_starting_is_completed_by_the_next(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    job.runs.busy.add(LARGE)
    job.run(engine="spark")
    assert job.request() is not None
    assert job.runs.started == []
    job.runs.busy.clear()
    job.run()
    assert job.runs.started == [LARGE]


def test_a_run_that_is_forced_onto_the_embedded_engine_takes_what_was_handed_over(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    job.run(engine="spark")
    assert job.run(engine="embedded") == 0
    assert job.request() is None
    assert job.metric == 0.0
    assert job.batches()["facts"] == 1


def test_a_batch_that_one_engine_began_is_handed_over_from_where_it_is(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    assert job.run(stages="validate") == 0
    assert job.batches() == {"capture": 1, "validate": 1, "dimensions": 0, "facts": 0}
    job.run(engine="spark")
    request = job.request()
    assert request is not None
    assert (request.first_batch, request.last_batch) == (1, 1)
    hand_built(job)
    assert job.request() is None


def test_a_rebuild_takes_the_same_decision(job: Job) -> None:
    for key in (1, 2, 3):
        job.lake.capture({"currency": [raw_row("currency", key)]})
        job.run()
    number = rebuilds.request(job.lake.clients)
    assert job.work().waiting_rows == 3
    job.run(waiting_rows=2)
    request = job.request()
    assert request is not None
    assert (request.first_batch, request.last_batch, request.rebuild) == (1, 3, number)
    assert job.run() == 0
    assert job.decision[0] == "leave"

    assert job.lake.dimensions() == 0
    assert job.request() is not None
    assert job.lake.facts() == 0
    assert job.request() is None

    rebuilds.request(job.lake.clients)
    assert job.run() == 0
    assert job.decision[0] == "run"
    assert rebuilds.unanswered(job.lake.clients) == []


def test_a_batch_that_comes_after_the_decision_is_left_to_the_next_run(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = log.step
    came: list[int] = []

    def capture_after_the_decision(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == "transform.decided" and len(came) < 2:
            came.append(job.lake.capture({"currency": [raw_row("currency", 10 + len(came))]}))

    monkeypatch.setattr(log, "step", capture_after_the_decision)
    # Nothing waits, then a batch comes; one waits, then another one comes.
    for batch in (0, 1, 2):
        assert job.run() == 0
        assert {stage: done for stage, done in job.batches().items() if stage != "capture"} == {
            "validate": batch,
            "dimensions": batch,
            "facts": batch,
        }
    assert came == [1, 2]


def failing(error: Exception) -> Any:
    def build(*_: Any, **__: Any) -> Any:
        raise error

    return build


def test_an_engine_that_runs_out_of_memory_hands_over_what_is_left(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.lake.capture(CURRENCIES)
    with monkeypatch.context() as patch:
        patch.setattr(drain, "build_table", failing(OutOfResources("Out of Memory Error")))
        assert job.run() == 0
    request = job.request()
    assert request is not None
    assert "no memory or no disk left" in request.reason
    assert job.batches() == {"capture": 1, "validate": 1, "dimensions": 0, "facts": 0}
    assert job.runs.started == [LARGE]
    assert steps(job)[-3:] == ["transform.handed_over", "transform.large_started", "transform.attempt_ended"]
    assert job.run() == 0
    assert job.decision[0] == "leave"
    hand_built(job)
    assert job.run() == 0
    assert job.decision[0] == "republish"


def test_an_engine_that_is_forced_and_runs_out_of_memory_fails_in_words(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.lake.capture(CURRENCIES)
    with monkeypatch.context() as patch:
        patch.setattr(drain, "build_table", failing(MemoryError()))
        with pytest.raises(EngineTooSmall, match="memory_megabytes"):
            job.run(engine="embedded")
    assert job.request() is None
    assert job.run() == 0
    assert job.decision[0] == "run"


def test_an_engine_or_a_stage_that_there_is_not_is_refused(job: Job) -> None:
    with pytest.raises(UserError, match="--engine is quantum"):
        job.run(engine="quantum")
    with pytest.raises(UserError, match="--stages names extract"):
        job.run(stages="extract,facts")
