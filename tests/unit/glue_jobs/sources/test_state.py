"""From where the next capture reads, and what it is told."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
from pyroaring import BitMap64

from glue_jobs.sources.live_keys import StateObject
from glue_jobs.sources.set_aside import SetAside, hold_after
from glue_jobs.sources.snapshot import Snapshot
from glue_jobs.sources.state import (
    NEW,
    Hold,
    TableState,
    base_for,
    conflicts,
    letters_base,
    read_states,
    write_states,
)

SNAPSHOT = Snapshot(1, 2, 990, 1000, dt.datetime(2024, 11, 15), "exported")  # noqa: DTZ001
KNOWN = TableState(base=500, high=600, system_id=1, timeline=2, structure="s")
NOW = "2024-11-15T00:00:00.000Z"
HELD = Hold("because", NOW, conflict="c", letters=7, base=700, high=800, system_id=1, timeline=2)


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
        "b": replace(NEW, held=replace(HELD, seen=StateObject("s", "e", 1))),
        "c": replace(KNOWN, held=Hold(reason="because", since=NOW)),
    }
    schemas = {"a": {"contract": "1.0.0", "version": 3}}
    written = json.loads(json.dumps(write_states(SNAPSHOT, NOW, states, schemas)))
    assert written["schemas"] == schemas
    assert read_states(written) == states
    assert (written["low"], written["high"], written["system_id"], written["timeline"]) == (990, 1000, 1, 2)


def test_a_reason_that_an_older_commit_states_is_read() -> None:
    stated = {"tables": {"a": {**vars(NEW), "held": "because"}}}
    assert read_states(stated) == {"a": replace(NEW, held=Hold(reason="because", since=""))}


def test_letters_continue_where_they_ended() -> None:
    assert letters_base(replace(KNOWN, held=HELD), SNAPSHOT, "c") == 700


@pytest.mark.parametrize(
    "held",
    [
        None,
        Hold(reason="may not be read", since=NOW),
        replace(HELD, conflict="another structure"),
        replace(HELD, system_id=9),
        replace(HELD, timeline=9),
        replace(HELD, base=1001),
    ],
)
def test_letters_begin_anew_for_another_structure_or_source(held: Hold | None) -> None:
    assert letters_base(replace(KNOWN, held=held), SNAPSHOT, "c") is None


END = TableState(base=990, high=1000, system_id=1, timeline=2, seen=StateObject("s", "e", 1))
LATER = "2024-11-15T00:05:00.000Z"


def test_a_hold_is_since_its_first_moment_and_counts_the_letters_of_its_conflict() -> None:
    first = hold_after(None, "renamed", NOW, SetAside("c", 7, 0, False, BitMap64()), END)
    assert (first.since, first.letters, first.base, first.seen) == (NOW, 7, 990, END.seen)
    more = hold_after(first, "renamed", LATER, SetAside("c", 2, 1, True, BitMap64()), END)
    assert (more.since, more.letters) == (NOW, 9)
    other = hold_after(more, "dropped", LATER, SetAside("d", 10, 0, False, BitMap64()), END)
    assert (other.since, other.reason, other.conflict, other.letters) == (NOW, "dropped", "d", 10)


def test_a_held_table_that_may_not_be_seen_keeps_its_letters() -> None:
    hidden = hold_after(HELD, "may not be read", LATER, None, END)
    assert hidden == replace(HELD, reason="may not be read")
    assert hold_after(None, "may not be read", NOW, None, END) == Hold("may not be read", NOW)


def test_the_tables_that_are_held_are_told_with_their_conflict() -> None:
    states = {"a": KNOWN, "b": replace(KNOWN, held=HELD), "c": replace(NEW, held=Hold("x", NOW))}
    assert conflicts(states) == {"b": "c", "c": None}


def test_no_commit_means_no_states() -> None:
    assert read_states({}) == {}
