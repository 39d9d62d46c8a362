"""A commit says the same after it was written and read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, DataObject, Partition, TableCommit, from_json, to_json

names = st.text("abcdefgh_=/-0123456789", min_size=1, max_size=20)
counts = st.integers(0, 2**62)
key = st.tuples(st.integers(-(2**62), 2**62)) | st.tuples(names, names)
keys = st.none() | key
data_objects = st.builds(DataObject, names, counts, counts, names, keys, keys)
partitions = st.builds(
    Partition,
    st.dictionaries(names, names, max_size=2),
    names,
    st.lists(data_objects, max_size=3).map(tuple),
)
tables = st.builds(
    TableCommit,
    st.dictionaries(names, counts, max_size=3),
    st.lists(partitions, max_size=3).map(tuple),
    st.lists(data_objects, max_size=2).map(tuple),
    st.dictionaries(names, names, max_size=3),
    st.lists(partitions, max_size=2).map(tuple),
    st.lists(st.tuples(key, key), max_size=2).map(tuple),
)
commits = st.builds(
    Commit,
    names,
    counts,
    names,
    names,
    counts,
    counts,
    st.dictionaries(names, tables, max_size=2),
    st.dictionaries(names, counts | st.text(max_size=5) | st.lists(counts, max_size=2), max_size=3),
    st.none() | names,
    st.none() | names,
)
values = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@given(commits)
def test_a_commit_is_read_as_it_was_written(commit: Commit) -> None:
    assert from_json(to_json(commit)) == commit


@given(commits)
def test_the_same_commit_is_always_the_same_bytes(commit: Commit) -> None:
    assert to_json(from_json(to_json(commit))) == to_json(commit)


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.text("abc", max_size=2)) | st.none(), max_size=5))
def test_the_key_range_of_a_partition_is_known_only_when_every_object_states_one(
    stated: list[tuple[int, str] | None],
) -> None:
    partition = Partition({}, "x/", tuple(DataObject("k", 1, 1, "c", one, one) for one in stated))
    known = [one for one in stated if one is not None]
    if stated and None not in stated:
        columns = list(zip(*known, strict=True))
        assert partition.key_min == tuple(min(column) for column in columns)
        assert partition.key_max == tuple(max(column) for column in columns)
    else:
        assert (partition.key_min, partition.key_max) == (None, None)


def _with_more(stated: Any, more: dict[str, Any]) -> Any:
    """A document with further fields wherever it has fields."""
    if isinstance(stated, list):
        return [_with_more(one, more) for one in stated]
    if not isinstance(stated, dict):
        return stated
    return {**{name: _with_more(value, more) for name, value in stated.items()}, **more}


@given(commits, st.dictionaries(st.sampled_from(["later", "and_later"]), values))
def test_fields_that_are_not_known_are_passed_over(commit: Commit, more: dict[str, Any]) -> None:
    document = json.loads(to_json(commit))
    for table in document["tables"].values():
        for name in ("partitions", "changes", "dead_letters"):
            table[name] = [_with_more(one, more) for one in table[name]]
            for one in table[name]:
                if "values" in one:
                    one["values"] = {k: v for k, v in one["values"].items() if k not in more}
        table.update(more)
    document.update(more)
    assert from_json(json.dumps(document).encode()) == commit


@given(commits)
def test_a_commit_from_before_there_were_dead_letters_is_read(commit: Commit) -> None:
    document = json.loads(to_json(commit))
    for table in document["tables"].values():
        del table["dead_letters"]
    tables = {name: replace(table, dead_letters=()) for name, table in commit.tables.items()}
    assert from_json(json.dumps(document).encode()) == replace(commit, tables=tables)


def test_a_commit_of_a_later_format_is_refused() -> None:
    document = json.dumps({"format": 3, "stage": "capture"}).encode()
    with pytest.raises(ValueError, match="unknown format"):
        from_json(document)


@given(
    st.dictionaries(
        st.text("abc_", min_size=1, max_size=5), st.text("0123456789-", min_size=1, max_size=8), max_size=3
    )
)
def test_a_partition_spec_says_its_values(values: dict[str, str]) -> None:
    assert layout.partition_values(layout.partition_path(values)) == values


@given(st.datetimes())
def test_times_travel_to_the_millisecond(moment: object) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)  # type: ignore[attr-defined]
    assert layout.from_iso(layout.iso(whole)) == whole
