"""Whatever a carrier does to its bucket, and wherever runs die: the lake has what a plain reading says."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from glue_jobs.lake.commits import Commit, CommitLog
from glue_jobs.runtime import log
from tests.files import BUCKET, PREFIX, WORKFLOW, Carrier, event, fetch, lines
from tests.integration.totesys.test_files import rows_of, unequal
from tests.lake import Lake, lake

Event = tuple[int, str]
"""An event's key, and what tells its versions apart."""

CONTENTS: tuple[tuple[Event, ...] | None, ...] = (
    ((1, "a"),),
    ((1, "b"), (2, "b")),
    # Two versions of an event in one file.
    ((2, "c"), (1, "c"), (2, "d")),
    ((3, "e"),),
    (),
    # What nobody can read.
    None,
)


def _body(said: tuple[Event, ...] | None) -> bytes:
    if said is None:
        return b"["
    return lines(*(event(key, carrier=name) for key, name in said)) if said else b"[]"


BODIES = [_body(said) for said in CONTENTS]

Put = tuple[Literal["put"], str, int]
Act = Put | tuple[Literal["remove"], str] | tuple[Literal["run", "race"]] | tuple[Literal["die"], int]
NAMES = st.sampled_from(["x", "y", "z"])
ACTS: st.SearchStrategy[Act] = st.one_of(
    st.tuples(st.just("put"), NAMES, st.integers(0, len(BODIES) - 1)),
    st.tuples(st.just("put"), NAMES, st.integers(0, len(BODIES) - 1)),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("run")),
    st.tuples(st.just("race")),
    st.tuples(st.just("die"), st.integers(1, 12)),
)


class Died(BaseException):
    """A run's end, where nothing can tidy up."""


@dataclasses.dataclass
class Oracle:
    """A plain reading of the files, in the order in which runs saw them.

    Attributes:
        versions: What the lake has, in order.
        seen: By name, what the bucket showed when the last run was through.
        read: The contents whose rows were taken.
        held: By name, the contents that it had, in order.
    """

    versions: list[Event] = dataclasses.field(default_factory=list)
    seen: dict[str, tuple[Any, int]] = dataclasses.field(default_factory=dict)
    read: set[int] = dataclasses.field(default_factory=set)
    held: dict[str, list[int]] = dataclasses.field(default_factory=dict)

    def run(self, bucket: dict[str, tuple[Any, int]]) -> None:
        """What a run sees that is through: by name, when a file was written and what it holds."""
        for name, (written, content) in sorted(bucket.items(), key=lambda one: (one[1][0], one[0])):
            if self.seen.get(name) != (written, content):
                self.take(name, content)
        self.seen = dict(bucket)

    def take(self, name: str, content: int) -> None:
        said, own = CONTENTS[content], self.held.setdefault(name, [])
        back = content in own and own[-1] != content
        if said is not None and (content not in self.read or back):
            self.versions += said
            self.read.add(content)
        own.append(content)


@dataclasses.dataclass
class World:
    """A lake, a carrier, and what should be."""

    lake: Lake
    carrier: Carrier
    oracle: Oracle = dataclasses.field(default_factory=Oracle)
    contents: dict[str, int] = dataclasses.field(default_factory=dict)

    def put(self, name: str, content: int) -> None:
        self.carrier.put(name, BODIES[content])
        self.contents[name] = content

    def remove(self, name: str) -> None:
        self.carrier.remove(name)
        self.contents.pop(name, None)

    def run(self) -> None:
        fetch(self.lake)
        listed = self.lake.s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", ())
        names = {one["Key"].removeprefix(PREFIX): one["LastModified"] for one in listed}
        self.oracle.run({name: (when, self.contents[name]) for name, when in names.items()})

    def check(self) -> None:
        found = [(row["event_id"], row["carrier"]) for row in rows_of(self.lake)]
        assert by_key(found) == by_key(self.oracle.versions)
        assert unequal(self.lake) == ([], {})


def by_key(versions: list[Event]) -> dict[int, list[str]]:
    """By key its versions in order: within a batch the order says nothing."""
    found: dict[int, list[str]] = {}
    for key, name in versions:
        found.setdefault(key, []).append(name)
    return found


def newest(versions: list[Event]) -> dict[int, list[str]]:
    """By key its versions as the star has them: one that is as the one before is none."""
    return {key: [name for name, _ in itertools.groupby(names)] for key, names in by_key(versions).items()}


@contextmanager
def dies_at(step: int) -> Iterator[None]:
    """Runs die once they have done so many steps."""
    real, left = log.step, itertools.count(1)

    def counted(name: str, **fields: Any) -> None:
        real(name, **fields)
        if next(left) == step:
            raise Died

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(log, "step", counted)
        yield


@contextmanager
def overtaken(lake: Lake) -> Iterator[None]:
    """A capture commits before the feed can, once."""
    real, first = CommitLog.publish, iter([True])

    def publish(log: CommitLog, commit: Commit) -> None:
        if next(first, False):
            newest = lake.commit("capture")
            number = newest.sequence + 1
            captured = dataclasses.replace(newest, sequence=number, attempt="captured", tables={})
            real(log, dataclasses.replace(captured, first_batch=number, last_batch=number))
        real(log, commit)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CommitLog, "publish", publish)
        yield


@contextmanager
def world() -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patched,
        lake(Path(folder), patched) as one,
    ):
        one.glue.create_workflow(Name=WORKFLOW)
        one.capture({})
        yield World(one, Carrier(one))


def live(world: World, acts: list[Act]) -> None:
    for act in [*acts, ("run",)]:
        if act[0] == "put":
            world.put(act[1], act[2])
        elif act[0] == "remove":
            world.remove(act[1])
        elif act[0] == "run":
            world.run()
        elif act[0] == "die":
            with dies_at(act[1]), suppress(Died):
                fetch(world.lake)
            # Whoever comes next goes on where it ended.
            world.run()
        else:
            with overtaken(world.lake):
                world.run()
        world.check()


def _any_files(acts: list[Act]) -> None:
    with world() as one:
        live(one, acts)
        one.lake.transform()
        rows = sorted(one.lake.rows("fact_delivery_event"), key=lambda row: row["batch_sequence"])
        found = [(row["event_id"], row["carrier"]) for row in rows]
        assert by_key(found) == newest(one.oracle.versions)


_FEW = settings(max_examples=4, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@_FEW
@given(st.lists(ACTS, min_size=4, max_size=8))
def test_any_interleaving_is_what_a_plain_reading_says(acts: list[Act]) -> None:
    _any_files(acts)


@pytest.mark.slow
@settings(_FEW, max_examples=120)
@given(st.lists(ACTS, min_size=4, max_size=14))
def test_many_interleavings_are_what_a_plain_reading_says(acts: list[Act]) -> None:
    _any_files(acts)


@pytest.mark.parametrize("step", [2, 5, pytest.param(0, marks=pytest.mark.slow)])
def test_killed_at_each_step_nothing_is_lost_or_doubled(step: int) -> None:
    for number in [step] if step else range(1, 30):
        with world() as one:
            for content, name in enumerate(("x", "y", "z")):
                one.put(name, content)
            with dies_at(number):
                try:
                    fetch(one.lake)
                    died = False
                except Died:
                    died = True
            one.run()
            one.check()
        if not died:
            assert number > 10, "all of its steps were tried"
            return


@pytest.mark.parametrize("step", [1, 3])
def test_what_was_kept_before_a_kill_is_taken_though_its_file_is_another_by_now(step: int) -> None:
    with world() as one:
        one.put("x", 0)
        with dies_at(step), suppress(Died):
            fetch(one.lake)
        one.put("x", 1)
        fetch(one.lake)
        # Its rows came first, wherever it died.
        found = [(row["event_id"], row["carrier"]) for row in rows_of(one.lake)]
        assert by_key(found) == {1: ["a", "b"], 2: ["b"]}
        assert unequal(one.lake) == ([], {})
