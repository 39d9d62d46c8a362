"""Commits that the last release with format 1 wrote say in format 2 what they said then."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from glue_jobs.lake.commits import STAGES, Commit, DataObject, from_json, to_json
from glue_jobs.lake.load_state import LoadState
from glue_jobs.lake.rebuilds import Rebuilt
from glue_jobs.lake.snapshot import SourceIdentity
from glue_jobs.lake.source_state import CaptureState, Pause, SourceState
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.lake.table_state import TableState
from glue_jobs.lake.validation_state import ValidationResult, ValidationState, validated_batches
from tests.format_1 import documents, objects

STORED = {stage: documents(stage) for stage in (*STAGES, "rebuild")}


def commits(stage: str) -> list[Commit]:
    return [from_json(json.dumps(document).encode()) for document in STORED[stage]]


def _object(stated: dict[str, Any] | None) -> StateObject | None:
    return None if stated is None else StateObject(**stated)


def _source(stated: dict[str, Any]) -> SourceIdentity:
    return SourceIdentity(stated["system_id"], stated["timeline"])


def _key(value: int | None) -> tuple[int, ...] | None:
    return None if value is None else (value,)


@pytest.mark.parametrize("stage", STORED)
def test_a_commit_of_format_1_is_read_whole_and_is_the_same_in_format_2(stage: str) -> None:
    assert STORED[stage]
    for document, commit in zip(STORED[stage], commits(stage), strict=True):
        assert document["format"] == 1
        for name in ("stage", "sequence", "attempt", "committed_at", "first_batch", "last_batch"):
            assert getattr(commit, name) == document[name]
        assert commit.captured_at == document["state"].get("captured_at")
        assert commit.tables.keys() == document["tables"].keys()
        assert json.loads(to_json(commit))["format"] == 2
        assert from_json(to_json(commit)) == commit


@pytest.mark.parametrize("stage", STORED)
def test_every_object_is_named_as_it_lies_there(stage: str) -> None:
    zone = "processed" if stage in ("dimensions", "facts") else "ingestion"
    stored = {key: (len(body), hashlib.sha256(body).hexdigest()) for key, body in objects(zone)}
    for document, commit in zip(STORED[stage], commits(stage), strict=True):
        for name, table in commit.tables.items():
            stated = document["tables"][name]
            assert table.versions == stated["versions"]
            assert dict(table.counts).keys() == {
                "unparseable" if one == "unrepresentable" else one for one in stated["counts"]
            }
            named = [
                data for part in stated["partitions"] + stated["dead_letters"] for data in part["objects"]
            ]
            for data, old in zip(table.objects, named + stated["changes"], strict=True):
                assert stored[data.key] == (data.bytes, data.sha256)
                assert (data.key_min, data.key_max) == (_key(old["key_min"]), _key(old["key_max"]))
                assert (data.key, data.rows) == (old["key"], old["rows"])


def test_the_state_of_a_capture_is_read() -> None:
    for document, commit in zip(STORED["capture"], commits("capture"), strict=True):
        old, state = document["state"], SourceState.of(commit)
        assert state.captured_at == old["captured_at"]
        assert state.source == _source(old)
        assert (state.snapshot_xmin, state.snapshot_xmax) == (old["low"], old["high"])
        assert state.schemas == old["schemas"]
        assert commit.state.get("replayed") == old.get("replayed")
        for name, table in old["tables"].items():
            held = table["held"]
            pause = held and Pause(
                held["reason"],
                held["since"],
                held["conflict"],
                held["letters"],
                held["base"],
                held["high"],
                _source(held),
                _object(held["seen"]),
            )
            live, seen = _object(table["live"]), _object(table["seen"])
            assert state.tables[name] == CaptureState(
                table["base"], table["high"], _source(table), table["structure"], live, seen, pause
            )
    newest = SourceState.of(commits("capture")[-1]).tables
    paused = {name: state.pause for name, state in newest.items() if state.pause is not None}
    assert paused.keys() == {"department", "payment"}
    assert paused["department"].quarantined == 4
    assert any(state.seen_versions for state in newest.values())
    assert any("replayed" in commit.state for commit in commits("capture"))


def test_the_state_of_validation_is_read() -> None:
    for document, commit in zip(STORED["validate"], commits("validate"), strict=True):
        old, state = document["state"], ValidationState.of(commit)
        assert state.results == {
            table: {int(batch): ValidationResult(**found) for batch, found in by_batch.items()}
            for table, by_batch in old["verdicts"].items()
        }
        assert state.unresolved == {
            table: tuple(DataObject(**data) for data in found)
            for table, found in old["open_dead_letters"].items()
        }
        assert {(one.table, one.batch) for one in validated_batches(commit)} == {
            (table, int(batch)) for table, found in old["verdicts"].items() for batch in found
        }
    assert ValidationState.of(commits("validate")[-1]).unresolved_rows == {"design": 1, "sales_order": 16}


@pytest.mark.parametrize("stage", ["dimensions", "facts"])
def test_the_state_of_a_star_table_is_read(stage: str) -> None:
    for document, commit in zip(STORED[stage], commits(stage), strict=True):
        assert Rebuilt.of(commit) == Rebuilt()
        for name, old in document["state"]["tables"].items():
            ranges = {path: (_key(low), _key(high)) for path, (low, high) in old["key_ranges"].items()}
            assert TableState.of(commit, name) == TableState(
                document["tables"][name]["versions"],
                ranges,
                old["highest_record_id"],
                frozenset(old["years"]),
            )
    newest = {name: TableState.of(commits(stage)[-1], name) for name in commits(stage)[-1].tables}
    assert any(state.highest_record_id for state in newest.values()) == (stage == "facts")
    assert any(state.years for state in newest.values()) == (stage == "dimensions")
    assert any(len(state.key_ranges) > 1 for state in newest.values())


def test_the_state_of_a_load_is_read() -> None:
    for document, commit in zip(STORED["load"], commits("load"), strict=True):
        old = document["state"]
        assert LoadState.of(commit) == LoadState(old["dimensions"], old["facts"], old["captured_at"])


def test_partitions_have_several_objects() -> None:
    parts = [part for one in commits("facts") for table in one.tables.values() for part in table.partitions]
    assert any(len(part.objects) > 1 for part in parts)


def test_a_reason_that_stood_alone_is_read() -> None:
    document = json.loads(json.dumps(STORED["capture"][-1]))
    document["state"]["tables"]["staff"]["held"] = "It may not be read."
    state = SourceState.of(from_json(json.dumps(document).encode()))
    assert state.tables["staff"].pause == Pause("It may not be read.", "")
