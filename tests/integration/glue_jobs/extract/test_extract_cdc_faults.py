"""A capture may die, run twice or run beside itself: what is published ends the same."""

from __future__ import annotations

from typing import Any

import pytest

from glue_jobs.sources import capture, capture_run
from glue_jobs.sources.postgres_source import SourceUnavailable
from tests.integration.glue_jobs.extract.conftest import World


def test_a_run_beside_another_steps_aside(world: World) -> None:
    world.run()
    world.sql("UPDATE address SET city = 'York' WHERE address_id = 2")
    events = world.clients.s3.meta.events
    first = []

    def before_commit(params: dict[str, Any], **_: Any) -> None:
        if "_commits/capture/" in params["url_path"]:
            events.unregister("before-call.s3.PutObject", before_commit)
            world.run()
            first.append(world.commits.get(2))

    events.register("before-call.s3.PutObject", before_commit)
    assert capture_run.run(world.given, world.clients, world.manager, world.catalogue) == 0
    assert world.commits.latest_sequence() == 2
    assert [world.commits.get(2)] == first
    assert world.operations(2) == {"address": [("update", 2)]}
    world.run()
    assert world.commits.latest_sequence() == 2
    world.assert_lake_equals_source()


def test_a_batch_that_waits_downstream_starts_the_transform_again(world: World) -> None:
    world.run()
    steps = [line.get("step") for line in world.run()]
    assert "capture.committed" not in steps
    assert "transform.started" in steps or any(
        "transform.running" in line for line in world.output.splitlines()
    )


def test_a_capture_that_the_source_cancels_is_begun_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    original = capture.capture

    def cancelled_once(*arguments: Any) -> Any:
        counts.append(1)
        if len(counts) == 1:
            raise SourceUnavailable("Cancelled by recovery.", "Again.")
        return original(*arguments)

    monkeypatch.setattr("glue_jobs.sources.capture_run.capture", cancelled_once)
    lines = world.run()
    assert "capture.again" in {line["event"] for line in lines}
    world.assert_lake_equals_source()


def test_a_source_that_keeps_cancelling_is_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(*_: Any) -> Any:
        raise SourceUnavailable("Cancelled by recovery.", "Again.")

    monkeypatch.setattr("glue_jobs.sources.capture_run.capture", cancelled)
    with pytest.raises(SourceUnavailable):
        world.run()
    assert world.commits.latest_sequence() == 0


def test_no_row_and_no_secret_is_in_the_log(world: World) -> None:
    world.sql("UPDATE staff SET last_name = 'Zanzibarski', created_at = 'infinity' WHERE staff_id = 2")
    world.run()
    password = world.postgres.dsn(user="shop_reader").split(":")[2].split("@")[0]
    assert "Zanzibarski" not in world.output
    assert password not in world.output
