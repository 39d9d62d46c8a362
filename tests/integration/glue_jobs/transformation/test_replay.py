"""A replay takes the same decision as batches do: within the limits here, above them on Spark."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from glue_jobs.engine.protocol import OutOfResources
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime import arguments, log
from glue_jobs.transformation import replay
from glue_jobs.transformation.attempts import AttemptNotes
from glue_jobs.transformation.choice import ChoiceArguments
from tests.lake import raw_row

from .conftest import LIMITS, Job

LARGE = "replay_large"
JOB = "replay_dead_letters"

Replay = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def replayed(job: Job) -> Replay:
    """Replays, in a lake that has two unresolved dead letters, and returns what is logged."""
    wrong = [raw_row("currency", key, currency_code="wrong") for key in (1, 2)]
    job.lake.capture({"currency": wrong})
    assert job.run() == 0
    assert ValidationState.of(job.lake.commit("validate")).unresolved_rows == {"currency": 2}

    def run(**changes: Any) -> list[dict[str, Any]]:
        stated = {
            "large_workflow": LARGE,
            "engine": "auto",
            **LIMITS,
            "memory_megabytes": 200,
            "disk_megabytes": 1_000,
            "threads": 1,
            **changes,
        }
        words = [word for name, value in stated.items() for word in (f"--{name}", str(value))]
        given = arguments.parse(ChoiceArguments, [*job.lake.argv, *words])
        log.start(JOB, [])
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert replay.run(given, job.clients, JOB) == 0
        return [json.loads(line) for line in out.getvalue().splitlines()]

    return run


def action(lines: list[dict[str, Any]]) -> tuple[str, str]:
    (line,) = [line for line in lines if line.get("step") == "replay.decided"]
    return line["action"], line["reason"]


def test_a_replay_of_a_few_rows_runs_here_as_often_as_it_is_asked_for(job: Job, replayed: Replay) -> None:
    for _ in range(2):
        lines = replayed()
        assert action(lines) == ("run", "it is within the limits")
        assert "replay.nothing_passes" in [line["event"] for line in lines]
    assert job.runs.started == []


def test_more_unresolved_dead_letters_than_the_limit_are_replayed_on_spark(
    job: Job, replayed: Replay
) -> None:
    assert action(replayed(waiting_rows=1)) == ("hand over", "2 rows wait, more than 1")
    assert job.runs.started == [LARGE]
    assert action(replayed(engine="spark")) == ("hand over", "Spark is asked for")


def test_an_engine_that_runs_out_of_memory_leaves_the_replay_to_spark(
    job: Job, replayed: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(*_: Any) -> int:
        raise OutOfResources("Out of Memory Error")

    with monkeypatch.context() as patch:
        patch.setattr(replay, "replay", out)
        replayed()
    assert job.runs.started == [LARGE]
    assert action(replayed()) == ("run", "it is within the limits")


def test_a_replay_that_was_killed_is_sparks_the_next_time(
    job: Job, replayed: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = log.step

    def killed(name: str, **fields: Any) -> None:
        original(name, **fields)
        if name == "replay.noted":
            # Nothing can tidy up behind a kill.
            monkeypatch.setattr(AttemptNotes, "end", lambda *_: None)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(log, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            replayed()
    assert action(replayed())[0] == "hand over"
    assert job.runs.started == [LARGE]


def test_there_is_nothing_to_replay_in_an_empty_lake(job: Job) -> None:
    words = [word for name, value in LIMITS.items() for word in (f"--{name}", str(value))]
    more = ["--large_workflow", LARGE, "--engine", "auto", "--memory_megabytes", "200"]
    more += ["--disk_megabytes", "1000", "--threads", "1"]
    given = arguments.parse(ChoiceArguments, [*job.lake.argv, *words, *more])
    assert replay.run(given, job.clients, JOB) == 0
    assert job.runs.started == []
