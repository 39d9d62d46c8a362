"""From where the next capture reads, and what it is told."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from pyroaring import BitMap64

from glue_jobs.lake.commits import Commit
from glue_jobs.lake.snapshot import Snapshot, SourceIdentity
from glue_jobs.lake.source_state import (
    NEW,
    CaptureState,
    FeedState,
    Pause,
    SourceState,
    conflicts,
    horizon_for,
    is_renamed,
    quarantine_horizon,
    server_starts,
)
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.sources.quarantine import QuarantinedRows, pause_after

SNAPSHOT = Snapshot(1, 2, 990, 1000, dt.datetime(2024, 11, 15), "exported", 3, 77)  # noqa: DTZ001
SERVER = SourceIdentity(1, 2, 3)
FEEDS = {"rates": FeedState(StateObject("v", "a", 7), StateObject("r", "b", 2), ("GBP", "USD"))}
CLONE, FAILOVER, COPY = SourceIdentity(9, 2, 3), SourceIdentity(1, 9, 3), SourceIdentity(1, 2, 4)
KNOWN = CaptureState(
    xmin_horizon=500, snapshot_xmax=600, source=SERVER, server_starts=(76, 77), structure="s"
)
NOW = "2024-11-15T00:00:00.000Z"
PAUSE = Pause(
    "because",
    NOW,
    "c",
    quarantined=7,
    xmin_horizon=700,
    snapshot_xmax=800,
    source=SERVER,
    server_starts=(77,),
)


def test_a_known_table_is_read_from_its_horizon() -> None:
    assert horizon_for(KNOWN, SNAPSHOT, "s") == 500


@pytest.mark.parametrize(
    ("state", "structure"),
    [
        (NEW, "s"),
        (replace(KNOWN, xmin_horizon=None), "s"),
        (replace(KNOWN, source=CLONE), "s"),
        (replace(KNOWN, source=FAILOVER), "s"),
        (replace(KNOWN, source=COPY), "s"),
        (replace(KNOWN, server_starts=(76,)), "s"),
        (replace(KNOWN, xmin_horizon=1001), "s"),
        (replace(KNOWN, snapshot_xmax=1001), "s"),
        (KNOWN, "other"),
    ],
    ids=[
        "new",
        "no horizon",
        "another cluster",
        "a failover",
        "another database",
        "a server that was started since",
        "horizon ahead",
        "counter went back",
        "other columns",
    ],
)
def test_all_rows_are_read_when_the_horizon_says_nothing(state: CaptureState, structure: str) -> None:
    assert horizon_for(state, SNAPSHOT, structure) is None


def test_all_rows_are_read_after_a_whole_turn_of_the_counter_and_not_before() -> None:
    just = replace(SNAPSHOT, xmax=500 + 2**32 - 1)
    assert horizon_for(KNOWN, just, "s") == 500
    assert horizon_for(KNOWN, replace(just, xmax=500 + 2**32), "s") is None


def test_states_survive_the_commit_document() -> None:
    states = {
        "a": replace(
            KNOWN,
            labels={"17": "SALE"},
            live_keys=StateObject("k", "f", 3),
            seen_versions=StateObject("s", "e", 1),
            leaves=StateObject("l", "d", 2),
            full_request=4,
        ),
        "b": replace(NEW, pause=replace(PAUSE, seen_transactions=StateObject("s", "e", 1))),
        "c": replace(KNOWN, pause=Pause(reason="because", since=NOW)),
    }
    schemas = {"a": {"contract": "1.0.0", "version": 3}}
    stated = SourceState.after(SNAPSHOT, NOW, states, schemas, FEEDS)
    written = json.loads(json.dumps(stated.state))
    assert SourceState.of(_commit(written)) == stated
    assert stated == SourceState(NOW, SERVER, 990, 1000, schemas, states, FEEDS)
    of_feeds = {one.key for one in FEEDS["rates"].objects}
    assert {one.key for one in stated.objects} == {"k", "s", "l", *of_feeds}


def test_what_a_later_release_adds_to_a_state_is_passed_over() -> None:
    states = {"a": replace(KNOWN, live_keys=StateObject("k", "f", 3), pause=PAUSE)}
    stated = SourceState.after(SNAPSHOT, NOW, states, {}, FEEDS)
    written = json.loads(json.dumps(stated.state))
    table = written["tables"]["a"]
    for one in (
        written,
        written["feeds"]["rates"],
        written["source"],
        table,
        table["source"],
        table["live_keys"],
        table["pause"],
    ):
        one["later"] = 1
    assert SourceState.of(_commit(written)) == stated


def _commit(state: dict[str, Any]) -> Commit:
    return Commit("capture", 1, "a", NOW, 1, 1, state=state)


def test_quarantine_continues_where_it_ended() -> None:
    assert quarantine_horizon(replace(KNOWN, pause=PAUSE), SNAPSHOT, "c") == 700


@pytest.mark.parametrize(
    "pause",
    [
        None,
        Pause(reason="may not be read", since=NOW),
        replace(PAUSE, conflict="another structure"),
        replace(PAUSE, source=CLONE),
        replace(PAUSE, source=FAILOVER),
        replace(PAUSE, xmin_horizon=1001),
    ],
)
def test_quarantine_starts_again_for_another_structure_or_source(pause: Pause | None) -> None:
    assert quarantine_horizon(replace(KNOWN, pause=pause), SNAPSHOT, "c") is None


END, SEEN = CaptureState(xmin_horizon=990, snapshot_xmax=1000, source=SERVER), StateObject("s", "e", 1)


def test_a_server_is_trusted_until_it_is_started_again_and_so_are_the_others_behind_its_name() -> None:
    assert server_starts(KNOWN, SNAPSHOT) == (76, 77)
    assert server_starts(KNOWN, replace(SNAPSHOT, server_started=78)) == (76, 77, 78)
    assert server_starts(replace(KNOWN, source=CLONE), SNAPSHOT) == (77,)
    many = replace(KNOWN, server_starts=tuple(range(20)))
    assert server_starts(many, SNAPSHOT) == (*range(5, 20), 77)


def test_a_value_that_is_called_otherwise_is_noticed_and_a_new_one_is_none() -> None:
    assert is_renamed({"1": "a"}, {"1": "b"})
    assert is_renamed({"1": "a"}, {"2": "a"})
    assert not is_renamed({"1": "a"}, {"1": "a", "2": "b"})


LATER = "2024-11-15T00:05:00.000Z"


def test_a_pause_is_since_its_first_moment_and_counts_the_rows_of_its_conflict() -> None:
    first = pause_after(None, "renamed", NOW, QuarantinedRows("c", 7, 0, False, BitMap64()), END, SEEN)
    assert (first.since, first.quarantined, first.xmin_horizon, first.seen_transactions) == (
        NOW,
        7,
        990,
        SEEN,
    )
    more = pause_after(first, "renamed", LATER, QuarantinedRows("c", 2, 1, True, BitMap64()), END, SEEN)
    assert (more.since, more.quarantined) == (NOW, 9)
    other = pause_after(more, "dropped", LATER, QuarantinedRows("d", 10, 0, False, BitMap64()), END, SEEN)
    assert (other.since, other.reason, other.conflict, other.quarantined) == (NOW, "dropped", "d", 10)


def test_a_paused_table_that_may_not_be_seen_keeps_its_quarantine() -> None:
    hidden = pause_after(PAUSE, "may not be read", LATER, None, END, None)
    assert hidden == replace(PAUSE, reason="may not be read")
    assert pause_after(None, "may not be read", NOW, None, END, None) == Pause("may not be read", NOW)


def test_the_tables_that_are_paused_are_told_with_their_conflict() -> None:
    states = {"a": KNOWN, "b": replace(KNOWN, pause=PAUSE), "c": replace(NEW, pause=Pause("x", NOW))}
    assert conflicts(states) == {"b": "c", "c": None}


def test_no_commit_means_no_states() -> None:
    assert SourceState.of(None).tables == {}
