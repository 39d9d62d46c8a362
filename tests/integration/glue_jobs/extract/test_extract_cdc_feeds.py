"""A capture and a feed write one log: neither loses what the other did, whoever is first."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from catalog.catalogue import load_catalogue
from glue_jobs.lake.commits import Commit, CommitLog
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import read_schemas
from glue_jobs.sources.feeds import FeedBatch, FeedWriter, Turn
from tests.integration.glue_jobs.extract.conftest import World
from tests.night import at_night

FEED = "weather"


def feed(world: World, number: int) -> Commit | None:
    """Publish what a feed would whose state is a number."""
    lake, catalogue = world.clients, load_catalogue()
    schemas = read_schemas(lake.glue, world.registry.name, catalogue)

    def build(turn: Turn) -> FeedBatch:
        known = {int(text) for text in turn.known.asked}
        return FeedBatch((), FeedState(asked=tuple(str(one) for one in sorted({*known, number}))))

    return FeedWriter(lake, catalogue, schemas, FEED, "staff").publish(build)


def numbers(world: World) -> set[int]:
    return {int(text) for text in SourceState.of(world.latest()).feeds[FEED].asked}


def change(world: World, number: int) -> None:
    world.sql(f"UPDATE staff SET first_name = 'Name {number}' WHERE staff_id = 1")


def test_what_a_feed_knows_survives_captures(world: World) -> None:
    world.run()
    feed(world, 1)
    for number in (1, 2):
        change(world, number)
        world.run()
    assert numbers(world) == {1}
    assert world.latest().sequence == 4
    world.assert_lake_equals_source()


def test_a_capture_that_a_feed_overtakes_begins_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()
    beats = len(world.heartbeats())
    change(world, 1)
    real = CommitLog.publish
    overtaken = iter([True, False])

    def publish(log: CommitLog, commit: Commit) -> None:
        if log.stage == "capture" and commit.tables and next(overtaken):
            feed(world, 1)
        real(log, commit)

    monkeypatch.setattr(CommitLog, "publish", publish)
    said = [line["event"] for line in world.run()]
    assert "capture.feed_was_first" in said
    assert "capture.commit_conflict" not in said
    assert numbers(world) == {1}
    assert [commit.sequence for commit in world.commits.after(0)] == [1, 2, 3]
    assert len(world.heartbeats()) == beats + 1
    world.assert_lake_equals_source()


@pytest.mark.slow
def test_a_capture_that_feeds_overtake_each_time_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run()
    change(world, 1)
    real: Any = CommitLog.publish
    count = iter(range(100))

    def publish(log: CommitLog, commit: Commit) -> None:
        if log.stage == "capture" and commit.tables:
            feed(world, next(count))
        real(log, commit)

    with monkeypatch.context() as patched:
        patched.setattr(CommitLog, "publish", publish)
        with pytest.raises(UserError, match="3 batches while this capture ran"):
            world.run()
    world.run()
    assert numbers(world) == {0, 1, 2}
    world.assert_lake_equals_source()


@pytest.mark.parametrize("races", [3, at_night(200)])
def test_captures_and_feeds_that_race_lose_nothing(world: World, races: int) -> None:
    world.run()
    beats = len(world.heartbeats())
    failures: list[BaseException] = []
    round_begins = threading.Barrier(2, timeout=300)

    def race() -> None:
        try:
            for number in range(races):
                round_begins.wait()
                feed(world, number)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    other = threading.Thread(target=race)
    other.start()
    for number in range(races):
        change(world, number)
        round_begins.wait()
        world.run()
    other.join()
    assert failures == []
    assert numbers(world) == set(range(races))
    assert len(world.heartbeats()) == beats + races
    sequences = [commit.sequence for commit in world.commits.after(0)]
    assert sequences == list(range(1, 2 * races + 2))
    times = [str(commit.captured_at) for commit in world.commits.after(0)]
    assert times == sorted(times)
    world.assert_lake_equals_source()
