"""A run notes its attempt; who finds the note of a run that was killed hands over instead of trying again."""

from __future__ import annotations

from typing import Any

import pytest

from glue_jobs.runtime import log
from glue_jobs.star import drain
from glue_jobs.transformation.attempts import PREFIX
from tests.lake import raw_row
from tests.night import by_day

from .conftest import LARGE, Job, Killed

CURRENCIES = {"currency": [raw_row("currency", 1)]}


def notes(job: Job) -> list[str]:
    pages = job.lake.s3.get_paginator("list_objects_v2").paginate(Bucket=job.bucket, Prefix=PREFIX)
    return [found["Key"][len(PREFIX) :] for page in pages for found in page.get("Contents", ())]


def killed_at(job: Job, monkeypatch: pytest.MonkeyPatch, step: str, **changes: Any) -> None:
    """Run the job until it has done a step, and no line further."""
    original = log.step

    def done(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(log, "step", done)
        with pytest.raises(Killed):
            job.run(**changes)


STEPS = ["transform.noted", "validate.checked", "dimensions.read", "facts.read", "facts.written"]


@pytest.mark.parametrize("step", by_day(["dimensions.read", "facts.written"], STEPS))
def test_after_a_run_that_was_killed_the_next_is_sparks(
    job: Job, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    job.lake.capture(CURRENCIES)
    killed_at(job, monkeypatch, step)
    # What comes meanwhile changes nothing: the same batches wait among others.
    job.lake.capture({"currency": [raw_row("currency", 2)]})
    assert job.run() == 0
    assert job.decision == ("hand over", "an earlier run on the same batches was killed")
    assert job.runs.started == [LARGE]
    job.lake.transform()
    job.lake.capture({"currency": [raw_row("currency", 3)]})
    assert job.run() == 0
    assert job.decision[0] == "run"
    assert len(job.lake.rows("dim_currency")) == 3


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "ERROR", "STOPPED"])
def test_a_run_is_taken_for_killed_in_every_state_that_is_not_its_own_end(
    job: Job, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    job.lake.capture(CURRENCIES)
    killed_at(job, monkeypatch, "transform.noted")
    job.runs.states["jr_1"] = state
    job.run()
    assert job.decision[0] == "hand over"


def test_a_run_that_nobody_has_heard_of_is_over(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.lake.capture(CURRENCIES)
    killed_at(job, monkeypatch, "transform.noted")
    del job.runs.states["jr_1"]
    job.run()
    assert job.decision[0] == "hand over"


def test_a_run_that_still_goes_on_is_left_alone(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.lake.capture(CURRENCIES)
    killed_at(job, monkeypatch, "dimensions.read")
    job.runs.states["jr_1"] = "RUNNING"
    assert job.run() == 0
    assert job.decision == ("stay away", "another run is at it")
    assert (job.request(), job.runs.started) == (None, [])
    assert job.batches()["dimensions"] == 0


def test_a_run_that_is_forced_passes_the_note_over(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.lake.capture(CURRENCIES)
    for _ in range(2):
        killed_at(job, monkeypatch, "dimensions.written", engine="embedded")
    assert job.run(engine="embedded") == 0
    assert (job.request(), job.runs.started) == (None, [])
    assert job.batches()["facts"] == 1
    assert notes(job) == [f"0000000000-0000000001/000{number}.json" for number in (1, 2, 3)]


def failing(*_: Any, **__: Any) -> Any:
    raise RuntimeError("no way")


def test_a_run_that_failed_in_words_is_tried_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.lake.capture(CURRENCIES)
    with monkeypatch.context() as patch:
        patch.setattr(drain, "build_table", failing)
        with pytest.raises(RuntimeError, match="no way"):
            job.run()
    failed = [line["stage"] for line in job.lines if line["event"] == "transform.stage_failed"]
    # The others were tried too.
    assert failed == ["dimensions", "facts"]
    assert job.batches()["validate"] == 1
    assert "0000000000-0000000001/0001.ended.json" in notes(job)
    assert job.run() == 0
    assert job.decision[0] == "run"


def test_a_run_that_does_every_stage_leaves_its_note_alone(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    job.run()
    assert notes(job) == ["0000000000-0000000001/0001.json"]
    job.run()
    assert notes(job) == ["0000000000-0000000001/0001.json"]
    job.lake.capture({"currency": [raw_row("currency", 2)]})
    job.run()
    assert notes(job)[-1] == "0000000000-0000000002/0001.json"


def test_stages_that_are_run_one_by_one_are_no_killed_runs(job: Job) -> None:
    job.lake.capture(CURRENCIES)
    for stage in ("validate", "dimensions", "facts"):
        assert job.run(stages=stage) == 0
        assert job.decision[0] == "run"
    assert job.batches()["facts"] == 1


def test_of_two_runs_that_note_themselves_at_once_one_stays_away(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.lake.capture(CURRENCIES)
    original, beside = log.step, [True]

    def done(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == "transform.decided" and beside:
            # Before this run has noted itself another one does, and goes on.
            beside.clear()
            with monkeypatch.context() as patch:
                patch.setattr(log, "step", original)
                killed_at(job, patch, "transform.noted")
            job.runs.states["jr_2"] = "RUNNING"

    with monkeypatch.context() as patch:
        patch.setattr(log, "step", done)
        assert job.run() == 0
    decided = [line["action"] for line in job.lines if line.get("step") == "transform.decided"]
    assert decided[-1] == "stay away"
    assert job.batches()["validate"] == 0
    assert notes(job) == ["0000000000-0000000001/0001.json"]
