"""What a capture knows of keys that are texts, against sets of texts, capture after capture."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime.errors import TablePaused
from glue_jobs.sources import key_ledger
from glue_jobs.sources.key_ledger import ResumedKeys, TextLedger, open_ledger
from glue_jobs.validation.references import parts_of
from tests.integration.glue_jobs.extract.conftest import World
from tests.keyed import keyed

LINES = keyed("lines", order_code="text", line="integer")
NUMBERED = keyed("numbered", id="bigint")


def columns(keys: list[tuple[str | None, int]]) -> list[pa.Array]:
    return [pa.array([k for k, _ in keys], pa.string()), pa.array([n for _, n in keys], pa.int32())]


class Captures:
    """Captures of one table, one after the other."""

    def __init__(self, world: World, folder: Path) -> None:
        self.store = KeyStore(world.clients.s3, world.given.ingestion_bucket)
        self.kept: StateObject | None = None
        self.number = 0
        self._folder = folder

    def open(self) -> TextLedger:
        self.number += 1
        ledger = open_ledger(LINES, self.store, self.kept, None, self._folder)
        assert isinstance(ledger, TextLedger)
        return ledger

    def end(self, ledger: TextLedger) -> bool:
        kept, changed = ledger.live(f"label-{self.number}", once=True)
        self.kept = kept
        return changed

    def take(self, written: list[tuple[str, int]], source: set[tuple[str, int]]) -> dict[str, Any]:
        """One capture that reads these rows, and all keys where the numbers do not agree."""
        ledger = self.open()
        seen: dict[tuple[str, int], bool] = {}
        for start in range(0, len(written), 7):
            some = written[start : start + 7]
            found = ledger.look_up(columns([*some, (None, 1)]), np.full(len(some) + 1, 5), 9)
            assert found.has_key.tolist() == [True] * len(some) + [False]
            seen.update(zip(some, found.known.tolist(), strict=False))
        gone: set[tuple[str, int]] = set()
        if ledger.known(once=True) != len(source):
            ledger.begin_source()
            if source:
                ledger.add_source(columns(sorted(source)))
            assert not ledger.has_unknown(once=True)
            for key in ledger.gone().columns():
                gone |= set(zip(*(column.to_pylist() for column in key.values()), strict=True))
        return {"known": seen, "gone": gone, "changed": self.end(ledger)}


@pytest.mark.parametrize("small", [0, 40], ids=["written whole each time", "written beside what was there"])
def test_what_came_stayed_and_went_is_told_as_sets_would(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(key_ledger, "SMALL_CHANGE", small)
    monkeypatch.setattr(key_ledger, "PARTS", 4)
    chosen, captures = random.Random(small), Captures(world, tmp_path)
    every = [(code, line) for code in ("a", "a/", "~1", "", "é") for line in range(20)]
    live: set[tuple[str, int]] = set()
    for _ in range(7):
        source = set(chosen.sample(every, chosen.choice([0, 30, 60, len(live)])))
        kept = live & source
        written = sorted(source - live) + chosen.sample(sorted(kept), len(kept) // 3)
        told = captures.take(written, source)
        assert told["known"] == {key: key in live for key in written}
        assert told["gone"] == live - source
        assert told["changed"] == (live != source)
        live = source
        assert captures.kept is None or captures.kept.count == len(live)
    if small:
        assert captures.kept is not None
        assert 1 <= len(captures.kept.parts) <= 4


def test_a_capture_that_finds_nothing_new_reads_none_of_the_keys(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = Captures(world, tmp_path)
    source = {("a", 1), ("b", 2)}
    captures.take(sorted(source), source)
    monkeypatch.setattr(KeyStore, "download", None)
    before = captures.kept
    told = captures.take([], source)
    assert (told["changed"], captures.kept) == (False, before)


def test_a_key_of_the_source_that_nobody_has_read_is_noticed(world: World, tmp_path: Path) -> None:
    captures = Captures(world, tmp_path)
    captures.take([("a", 1)], {("a", 1)})
    ledger = captures.open()
    ledger.begin_source()
    ledger.add_source(columns([("a", 1), ("b", 1)]))
    assert ledger.has_unknown(once=True)
    assert ledger.has_unknown(once=False)


def test_a_version_that_was_published_is_known_by_key_and_transaction(world: World, tmp_path: Path) -> None:
    captures = Captures(world, tmp_path)
    first = captures.open()
    first.look_up(columns([("a", 1), ("a", 2)]), np.array([7, 3]), 5)
    versions = first.seen_next()
    assert versions is not None
    seen = captures.store.keep_seen("lines", "seen", versions)
    ledger = open_ledger(LINES, captures.store, None, seen, tmp_path)
    found = ledger.look_up(columns([("a", 1), ("a", 1), ("a", 2), (None, 1)]), np.array([7, 8, 7, 7]), 5)
    assert found.again.tolist() == [True, False, False, False]


def test_which_missing_keys_a_person_let_go_is_counted_and_checked(world: World, tmp_path: Path) -> None:
    captures = Captures(world, tmp_path)
    source = {("a", line) for line in range(10)}
    captures.take(sorted(source), source)

    def missing(count: int) -> Any:
        ledger = captures.open()
        ledger.begin_source()
        ledger.add_source(columns([("a", line) for line in range(count, 10)]))
        return ledger.gone()

    four, six = missing(4), missing(6)
    resumed = ResumedKeys("here", four.checksum(), four.body)
    assert (len(six), six.without([resumed]), four.without([resumed])) == (6, 2, 0)
    assert four.checksum() == missing(4).checksum() != six.checksum()
    with pytest.raises(ChecksumMismatch, match="here is not what was missing"):
        six.without([ResumedKeys("here", six.checksum(), four.body)])


def test_live_keys_of_another_kind_are_refused_in_words(world: World, tmp_path: Path) -> None:
    captures = Captures(world, tmp_path)
    captures.take([("a", 1)], {("a", 1)})
    with pytest.raises(TablePaused, match="The key of numbered is of another kind than before"):
        open_ledger(NUMBERED, captures.store, captures.kept, None, tmp_path)


def test_objects_of_keys_are_numbered_once_however_many_batches_stand_on_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures, states = Captures(world, tmp_path), {}
    source: set[tuple[str, int]] = set()
    for batch in range(1, 5):
        if batch == 4:
            monkeypatch.setattr(key_ledger, "PARTS", 1)
        source.add(("a", batch))
        captures.take([("a", batch)], source)
        assert captures.kept is not None
        states[batch] = captures.kept
    found = parts_of(states)
    assert [row["last_part"] - row["first_part"] for row in found.batches] == [0, 1, 2, 0]
    assert [row["first_part"] for row in found.batches] == [0, 0, 0, 3]
    assert [len(one.objects) for one in found.partitions] == [1] * 4
