"""The commit log against a real S3 interface."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from glue_jobs.lake import conditional
from glue_jobs.lake.commits import (
    FIRST_STAGE,
    Commit,
    CommitConflict,
    CommitLog,
    CommitMemory,
    lake_identity,
    to_json,
)

from .conftest import BUCKETS, Lake


def _log(lake: Lake, request: pytest.FixtureRequest) -> CommitLog:
    """A log that no other test writes to."""
    return CommitLog(lake.s3, BUCKETS["ingestion"], request.node.name.replace("[", "-").rstrip("]"))


def _commit(log: CommitLog, sequence: int, attempt: str = "a", batches: tuple[int, int] = (0, 0)) -> Commit:
    first, last = batches if batches != (0, 0) else (sequence, sequence)
    return Commit(log.stage, sequence, attempt, "2024-11-15T10:00:00.000Z", first, last)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 33])
def test_the_newest_commit_is_found_whatever_their_number(
    lake: Lake, request: pytest.FixtureRequest, count: int
) -> None:
    log = _log(lake, request)
    for sequence in range(1, count + 1):
        log.publish(_commit(log, sequence))
    assert _log(lake, request).latest_sequence() == count
    latest = log.latest()
    assert (latest.sequence if latest else 0) == count
    assert [c.sequence for c in log.after(0)] == list(range(1, count + 1))


@pytest.fixture(scope="module")
def stages(lake: Lake) -> str:
    """A bucket of a lake in which validation is where the capture is, and the others are elsewhere."""
    bucket = "stages-in-step"
    lake.s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": lake.s3.meta.region_name}
    )
    for stage, count in IN_STEP.items():
        for sequence in range(1, count + 1):
            key = CommitLog(lake.s3, bucket, stage).key(sequence)
            lake.s3.put_object(Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*")
    return bucket


IN_STEP = {"capture": 21, "validate": 21, "dimensions": 20, "facts": 24, "load": 3, "redact": 0, "rebuild": 2}


@pytest.mark.parametrize(
    ("stage", "probes"),
    [("validate", 2), ("dimensions", 2), ("facts", 6), ("load", 9), ("redact", 7), ("rebuild", 3)],
)
def test_the_newest_commit_is_looked_for_about_where_the_other_stages_are(
    lake: Lake, stages: str, stage: str, probes: int
) -> None:
    memory = CommitMemory()
    assert CommitLog(lake.s3, stages, "capture", memory).latest_sequence() == IN_STEP["capture"]
    asked: list[str] = []
    lake.s3.meta.events.register("before-send.s3.HeadObject", lambda request, **_: asked.append(request.url))
    log = CommitLog(lake.s3, stages, stage, memory)
    assert log.latest_sequence() == IN_STEP[stage]
    first = len(asked)
    assert first <= probes
    assert log.latest_sequence() == IN_STEP[stage]
    assert len(asked) == first + 1, "where nothing is new, one probe says so"


def test_of_two_attempts_at_a_sequence_one_wins(lake: Lake, request: pytest.FixtureRequest) -> None:
    log = _log(lake, request)
    log.publish(_commit(log, 1, "first"))
    with pytest.raises(CommitConflict):
        log.publish(_commit(log, 1, "second"))
    published = log.get(1)
    assert published is not None
    assert published.attempt == "first"


def test_of_many_attempts_at_once_exactly_one_wins(lake: Lake, request: pytest.FixtureRequest) -> None:
    log = _log(lake, request)

    def publish(name: str) -> bool:
        try:
            log.publish(_commit(log, 1, name))
        except CommitConflict:
            return False
        return True

    names = [f"attempt{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = [name for name, first in zip(names, pool.map(publish, names), strict=True) if first]
    published = log.get(1)
    assert published is not None
    assert won == [published.attempt]


def test_a_repeated_put_of_the_same_attempt_counts_as_success(
    lake: Lake, request: pytest.FixtureRequest
) -> None:
    log = _log(lake, request)
    log.publish(_commit(log, 1, "mine"))
    log.publish(_commit(log, 1, "mine"))
    assert _log(lake, request).latest_sequence() == 1


def test_what_waits_is_found_from_the_newest_back(lake: Lake, request: pytest.FixtureRequest) -> None:
    log = _log(lake, request)
    for sequence, batches in enumerate([(1, 1), (2, 5), (6, 6)], 1):
        log.publish(_commit(log, sequence, batches=batches))
    assert [c.sequence for c in log.covering(0)] == [1, 2, 3]
    assert [c.sequence for c in log.covering(1)] == [2, 3]
    assert [c.sequence for c in log.covering(5)] == [3]
    assert log.covering(6) == []


def test_a_sequence_that_was_never_published_is_nothing(lake: Lake, request: pytest.FixtureRequest) -> None:
    log = _log(lake, request)
    assert log.get(1) is None
    assert not log.exists(0)
    assert log.latest() is None


@contextmanager
def _failing(client: Any, operation: str, status: int, code: str, times: int) -> Iterator[None]:
    """Make the next calls of an operation fail before they are sent, as the service would."""
    left = [times]

    def fail(**_: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise ClientError(
                {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
                operation,
            )

    event = f"before-call.s3.{operation}"
    client.meta.events.register(event, fail)
    try:
        yield
    finally:
        client.meta.events.unregister(event, fail)


def test_a_409_is_tried_again(
    lake: Lake, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    log = _log(lake, request)
    with _failing(lake.s3, "PutObject", 409, "ConditionalRequestConflict", 2):
        log.publish(_commit(log, 1))
    assert log.latest_sequence() == 1


def test_a_409_that_stays_is_an_error(
    lake: Lake, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    log = _log(lake, request)
    failing = _failing(lake.s3, "PutObject", 409, "ConditionalRequestConflict", conditional.CONFLICT_TRIES)
    with failing, pytest.raises(ClientError, match="ConditionalRequestConflict"):
        log.publish(_commit(log, 1))
    assert log.latest_sequence() == 0


@pytest.mark.parametrize("operation", ["HeadObject", "GetObject"])
def test_a_refusal_is_never_taken_for_nothing_there(
    lake: Lake, request: pytest.FixtureRequest, operation: str
) -> None:
    log = _log(lake, request)
    failing = _failing(lake.s3, operation, 403, "AccessDenied", 1)
    with failing, pytest.raises(ClientError, match="AccessDenied"):
        log.exists(1) if operation == "HeadObject" else log.get(1)


def test_a_run_reads_no_commit_twice_and_sees_what_others_publish_meanwhile(
    lake: Lake, request: pytest.FixtureRequest
) -> None:
    log, others = _log(lake, request), _log(lake, request)
    for sequence in range(1, 6):
        others.publish(_commit(log, sequence))
    asked: list[str] = []

    def note(model: OperationModel, **_: object) -> None:
        asked.append(model.name)

    lake.s3.meta.events.register("before-call.s3", note)
    try:
        assert [log.latest(), *log.after(3)][0] == log.get(5)
        asked.clear()
        assert log.latest() == log.get(5)
        assert log.exists(2)
        assert asked == ["HeadObject"]
    finally:
        lake.s3.meta.events.unregister("before-call.s3", note)
    others.publish(_commit(log, 6))
    assert log.latest() == others.get(6)


def test_commits_of_different_stages_do_not_meet(lake: Lake, request: pytest.FixtureRequest) -> None:
    log = _log(lake, request)
    other = CommitLog(lake.s3, BUCKETS["ingestion"], f"{log.stage}-other")
    log.publish(_commit(log, 1))
    other.publish(replace(_commit(log, 1, "b"), stage=other.stage))
    assert (log.latest_sequence(), other.latest_sequence()) == (1, 1)


def test_every_commit_of_a_lake_carries_the_identity_of_its_first_capture(lake: Lake) -> None:
    bucket = f"identity-{uuid4().hex[:8]}"
    lake.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    capture, facts = (CommitLog(lake.s3, bucket, stage) for stage in ("capture", "facts"))
    assert lake_identity(CommitLog(lake.s3, bucket, FIRST_STAGE)) is None
    capture.publish(_commit(capture, 1, "the-first"))
    capture.publish(_commit(capture, 2, "the-second"))
    facts.publish(_commit(facts, 1, "another"))

    assert lake_identity(CommitLog(lake.s3, bucket, FIRST_STAGE)) == "the-first"
    published = [*capture.after(0), *facts.after(0)]
    assert [commit.lake for commit in published] == ["the-first"] * 3


def test_a_lake_of_an_earlier_release_has_an_identity_too(lake: Lake) -> None:
    bucket = f"identity-{uuid4().hex[:8]}"
    lake.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    log = CommitLog(lake.s3, bucket, "capture")
    lake.s3.put_object(Bucket=bucket, Key=log.key(1), Body=to_json(_commit(log, 1, "the-first")))
    log.publish(_commit(log, 2, "the-second"))
    assert [commit.lake for commit in log.after(0)] == [None, "the-first"]
