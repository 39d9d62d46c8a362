"""Nothing is started that can only end as before, and what changes is taken up at the next tick."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from glue_jobs.lake import approvals, backoff, layout
from glue_jobs.lake.layout import utc_now
from glue_jobs.runtime.secrets import SecretRefused
from glue_jobs.sources.capture_run import StillRefused
from glue_jobs.validation.approval import BatchAwaitsApproval
from tests.faults.pipeline import Pipeline
from tests.faults.test_alarms import BROKEN

Clock = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Moves what jobs take for now, in minutes from the real time."""

    def move(minutes: float) -> None:
        monkeypatch.setattr(layout, "utc_now", lambda: utc_now() + timedelta(minutes=minutes))

    return move


def starts(pipeline: Pipeline, *more: str) -> bool:
    """Capture; whether that started *transform*."""
    return any(line.get("step") == "transform.started" for line in pipeline.capture(*more))


@pytest.mark.slow
def test_a_refused_secret_is_tried_after_ever_longer_waits_and_another_one_at_the_next_tick(
    pipeline: Pipeline, clock: Clock
) -> None:
    good = pipeline.reader_dsn
    pipeline.use_source(good.replace("@", "x@"))
    tried = []
    for minute in range(0, 150, 5):
        clock(minute + 0.1 * minute / 150)
        with pytest.raises((StillRefused, SecretRefused)) as refused:
            pipeline.capture()
        if refused.type is SecretRefused:
            tried.append(minute)
        else:
            assert "not tried again before" in str(refused.value)
    assert tried == [0, 5, 15, 35, 75, 135]
    pipeline.use_source(good)
    pipeline.capture()
    assert backoff.waiting(pipeline.lake.s3, pipeline.lake.buckets["ingestion"]) == []


def test_a_person_tries_at_once(pipeline: Pipeline) -> None:
    pipeline.use_source(pipeline.reader_dsn.replace("@", "x@"))
    with pytest.raises(SecretRefused):
        pipeline.capture()
    with pytest.raises(StillRefused):
        pipeline.capture()
    with pytest.raises(SecretRefused):
        pipeline.capture("--retry", "1")
    bucket = pipeline.lake.buckets["ingestion"]
    (wait,) = backoff.end(pipeline.lake.s3, bucket)
    assert wait.job == "extract_cdc"
    with pytest.raises(SecretRefused):
        pipeline.capture()


def test_a_batch_that_awaits_approval_starts_nothing_until_it_is_approved(
    pipeline: Pipeline, clock: Clock
) -> None:
    pipeline.sql(BROKEN)
    assert starts(pipeline)
    with pytest.raises(BatchAwaitsApproval):
        pipeline.transform()
    # A change that comes meanwhile waits behind it, so it starts nothing either.
    pipeline.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    assert not starts(pipeline)
    assert not starts(pipeline)
    clock(6)
    assert starts(pipeline)
    with pytest.raises(BatchAwaitsApproval):
        pipeline.transform()
    assert not starts(pipeline)
    approvals.approve(pipeline.lake.s3, pipeline.lake.buckets["ingestion"], layout.iso(utc_now()))
    assert starts(pipeline)
    pipeline.transform()
    assert not starts(pipeline)


def test_corrected_rules_start_it_too(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.sql(BROKEN)
    pipeline.capture()
    with pytest.raises(BatchAwaitsApproval):
        pipeline.transform()
    assert not starts(pipeline)
    monkeypatch.setattr(backoff, "rules", lambda: "of another release")
    assert starts(pipeline)


@pytest.mark.slow
def test_a_warehouse_whose_secret_is_refused_starts_nothing_until_another_is_there(
    pipeline: Pipeline,
) -> None:
    good = pipeline.loader_dsn
    pipeline.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    pipeline.use_warehouse(good.replace("@", "x@"))
    assert starts(pipeline)
    with pytest.raises(SecretRefused):
        pipeline.transform()
    assert not starts(pipeline)
    (wait,) = backoff.waiting(pipeline.lake.s3, pipeline.lake.buckets["ingestion"])
    assert (wait.job, "password authentication failed" in wait.reason) == ("transform", True)
    assert "x@" not in json.dumps(wait.reason)
    pipeline.use_warehouse(good)
    assert starts(pipeline)
    pipeline.transform()
    assert not starts(pipeline)


def test_a_paused_table_starts_nothing_and_its_end_does(pipeline: Pipeline) -> None:
    pipeline.sql("ALTER TABLE payment RENAME company_ac_number TO account")
    for _ in range(2):
        with pytest.raises(Exception, match="Held: payment"):
            pipeline.capture()
        pipeline.transform()
    before = len(pipeline.output)
    with pytest.raises(Exception, match="Held: payment"):
        pipeline.capture()
    assert "transform.started" not in pipeline.output[before:]
    pipeline.sql("ALTER TABLE payment RENAME account TO company_ac_number")
    assert starts(pipeline)


@pytest.mark.slow
def test_sites_are_asked_for_once_stages_have_committed_and_hourly_at_most(
    pipeline: Pipeline, clock: Clock
) -> None:
    pipeline.lake.glue.create_workflow(Name="document")

    def asked() -> bool:
        lines = pipeline.capture("--document_workflow", "document")
        return any(line["event"] == "document.started" for line in lines)

    found = {}
    for minute in range(0, 200, 10):
        clock(minute)
        found[minute] = asked()
        if minute in (0, 30, 60):
            pipeline.sql(f"UPDATE address SET city = 'City {minute}' WHERE address_id = 2")
            pipeline.run()
    # The first look asks nobody; an hour later it is for what was committed until then, and then no more.
    assert [minute for minute, was in found.items() if was] == [60, 120]
