"""From where the next capture reads, and what it is told."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from glue_jobs.sources.live_keys import StateObject
from glue_jobs.sources.postgres import Snapshot
from glue_jobs.sources.state import NEW, TableState, base_for, read_states, write_states

SNAPSHOT = Snapshot(1, 2, 990, 1000, dt.datetime(2024, 11, 15), "exported")  # noqa: DTZ001
KNOWN = TableState(base=500, high=600, system_id=1, timeline=2, structure="s")


def test_a_known_table_is_read_from_its_base() -> None:
    assert base_for(KNOWN, SNAPSHOT, "s") == 500


@pytest.mark.parametrize(
    ("state", "structure"),
    [
        (NEW, "s"),
        (replace(KNOWN, base=None), "s"),
        (replace(KNOWN, system_id=9), "s"),
        (replace(KNOWN, timeline=9), "s"),
        (replace(KNOWN, base=1001), "s"),
        (replace(KNOWN, high=1001), "s"),
        (KNOWN, "other"),
    ],
    ids=[
        "new",
        "no base",
        "another cluster",
        "a failover",
        "base ahead",
        "counter went back",
        "other columns",
    ],
)
def test_all_rows_are_read_when_the_base_says_nothing(state: TableState, structure: str) -> None:
    assert base_for(state, SNAPSHOT, structure) is None


def test_all_rows_are_read_after_a_whole_turn_of_the_counter_and_not_before() -> None:
    just = replace(SNAPSHOT, high=500 + 2**32 - 1)
    assert base_for(KNOWN, just, "s") == 500
    assert base_for(KNOWN, replace(just, high=500 + 2**32), "s") is None


def test_states_survive_the_commit_document() -> None:
    states = {
        "a": replace(KNOWN, live=StateObject("k", "f", 3), seen=StateObject("s", "e", 1)),
        "b": replace(NEW, held="because"),
    }
    written = json.loads(json.dumps(write_states(SNAPSHOT, "2024-11-15T00:00:00.000Z", states)))
    assert read_states(written) == states
    assert (written["low"], written["high"], written["system_id"], written["timeline"]) == (990, 1000, 1, 2)


def test_no_commit_means_no_states() -> None:
    assert read_states({}) == {}
