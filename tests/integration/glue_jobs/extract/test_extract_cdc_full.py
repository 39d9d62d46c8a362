"""A full capture can be asked for, of one table or of all, and is answered once by a commit."""

from __future__ import annotations

import pytest

from glue_jobs.runtime.errors import UserError
from glue_jobs.sources import full_captures
from glue_jobs.sources.capture_run import TablesPaused
from tests.integration.glue_jobs.extract.conftest import READER, World


def request(world: World, table: str | None, reason: str = "Somebody asks.") -> int:
    return full_captures.request_full_capture(world.clients, table, reason)


def updates(world: World, table: str) -> list[tuple[str, int]]:
    key = world.catalogue.raw[table].key[0]
    return [("update", row[key]) for row in world.source_rows(table)]


def test_a_table_is_captured_in_full_once_for_each_request(world: World) -> None:
    world.run()
    assert request(world, "department") == 1
    world.run()
    assert world.operations(2) == {"department": updates(world, "department")}
    world.run()
    assert world.commits.latest_sequence() == 2
    assert request(world, "department") == 2
    world.run()
    assert world.operations(3) == {"department": updates(world, "department")}


def test_an_argument_of_the_job_asks_for_it(world: World) -> None:
    world.run()
    lines = world.run(full_capture="department, currency")
    assert set(world.operations(2)) == {"department", "currency"}
    (line,) = [line for line in lines if line["event"] == "capture.in_full_requested"]
    assert set(line["tables"]) == {"department", "currency"}
    world.run(full_capture="all")
    assert set(world.operations(3)) == set(world.catalogue.raw) - {"purchase_order"}
    world.assert_lake_equals_source()
    with pytest.raises(UserError, match=r"There is no table nobody .*The tables are: address"):
        world.run(full_capture="nobody")


def test_what_is_asked_for_twice_is_one_request_until_it_is_answered(world: World) -> None:
    world.run()
    assert request(world, "department") == request(world, "department") == 1
    assert request(world, None) == 2
    assert request(world, "staff") == 3
    world.run()
    assert request(world, "staff") == 4


def test_a_table_that_is_paused_answers_once_it_goes_on(world: World) -> None:
    world.run()
    world.sql(f"REVOKE SELECT ON staff FROM {READER}")
    request(world, None)
    with pytest.raises(TablesPaused):
        world.run()
    assert "staff" not in world.operations(2)
    assert "department" in world.operations(2)
    world.sql(f"GRANT SELECT ON staff TO {READER}")
    world.run()
    assert world.operations(3) == {"staff": updates(world, "staff")}
    world.run()
    assert world.commits.latest_sequence() == 3


def test_an_empty_table_answers_too(world: World) -> None:
    world.run()
    request(world, "purchase_order")
    world.run()
    assert world.operations(2) == {}
    assert world.latest().state["tables"]["purchase_order"]["full_request"] == 1
    world.run()
    assert world.commits.latest_sequence() == 2


def test_a_request_before_the_first_capture_is_answered_by_it(world: World) -> None:
    request(world, "department")
    world.run()
    world.run()
    assert world.commits.latest_sequence() == 1
