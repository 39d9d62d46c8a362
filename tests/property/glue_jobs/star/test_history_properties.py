"""The history against a small oracle: whatever is captured, in whatever runs it is merged."""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.engine.protocol import Engine
from glue_jobs.star import merge
from glue_jobs.star.build import classify
from glue_jobs.star.merge_spec import BATCH, MergeSpec
from glue_jobs.star.summary import Tally, offsets, tally_of
from tests.examples import examples

HISTORY = MergeSpec(
    table="things",
    key=("id",),
    content=("size", "word", "created_month"),
    required=("id", "created_month"),
    keeps_history=True,
    partition="created_month",
    record_id="record_id",
)
LATEST = MergeSpec("things", ("id",), HISTORY.content, HISTORY.required, partition="created_month")
VERSION = pa.schema(
    [
        ("record_id", pa.int32()),
        ("id", pa.int32()),
        ("size", pa.int32()),
        ("word", pa.string()),
        ("created_month", pa.string()),
        ("batch_sequence", pa.int64()),
        ("captured_at", pa.timestamp("ms")),
        ("is_deleted", pa.bool_()),
    ]
)
CAPTURED = pa.schema([*list(VERSION)[1:], ("version_id", pa.int64())])
OFFSETS = pa.schema([(BATCH, pa.int64()), (merge.BLOCK, pa.int64()), ("_number_before", pa.int64())])

KEYS = [*range(12), *range(4090, 4102), 9000]
"""On both sides of a block's border, so that the numbering is put to the test as well."""

many = settings(max_examples=int(os.environ.get("HISTORIES", examples(30, 200))))


class Captured(NamedTuple):
    """One incoming row."""

    id: int
    size: int | None
    word: str | None
    created_month: str | None
    batch_sequence: int
    captured_at: dt.datetime
    is_deleted: bool
    version_id: int

    @property
    def content(self) -> tuple[Any, ...]:
        return self.size, self.word, self.created_month


class Version(NamedTuple):
    """One row of the history."""

    record_id: int
    id: int
    size: int | None
    word: str | None
    created_month: str | None
    batch_sequence: int
    captured_at: dt.datetime
    is_deleted: bool


def seen(batch: int) -> dt.datetime:
    return dt.datetime(2024, 1, 1) + dt.timedelta(minutes=5 * batch)  # noqa: DTZ001


@st.composite
def captures(draw: st.DrawFn) -> list[list[Captured]]:
    """Several batches over few keys: inserts, changes, repetitions, deletions, reinsertions, doubles."""
    values = st.tuples(
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, "", "a"]),
        st.sampled_from(["2024-01", "2024-02"]),
    )
    found = []
    for batch in range(1, draw(st.integers(1, 4)) + 1):
        rows = []
        for key in draw(st.lists(st.sampled_from(KEYS), max_size=30)):
            deleted = draw(st.booleans()) and draw(st.booleans())
            size, word, month = (None, None, None) if deleted else draw(values)
            version = draw(st.integers(1, 3))
            rows.append(Captured(key, size, word, month, batch, seen(batch), deleted, version))
        found.append(rows)
    return found


def oracle(batches: list[list[Captured]]) -> list[Version]:
    """The history, worked out row by row."""
    latest: dict[int, Version] = {}
    table: list[Version] = []
    for rows in batches:
        by_key = defaultdict(list)
        for row in rows:
            by_key[row.id].append(row)
        for key in sorted(by_key):
            # Empty cells come first.
            winner = max(
                by_key[key],
                key=lambda r: (r.version_id, r.is_deleted, [(v is not None, v) for v in r.content]),
            )
            before = latest.get(key)
            if winner.is_deleted and before is None:
                continue
            content = before[2:5] if winner.is_deleted and before else winner.content
            if before and (before[2:5], before.is_deleted) == (content, winner.is_deleted):
                continue
            lineage = (winner.batch_sequence, winner.captured_at, winner.is_deleted)
            version = Version._make((len(table) + 1, key, *content, *lineage))
            latest[key] = version
            table.append(version)
    return table


def housed(table: Sequence[Version]) -> list[Version]:
    """The same history with all versions of a record in the partition of its newest one."""
    home = {version.id: version.created_month for version in table}
    return [version._replace(created_month=home[version.id]) for version in table]


def merged(
    engine: Engine, spec: MergeSpec, table: Sequence[Version], incoming: Sequence[Captured]
) -> tuple[list[Version], Tally]:
    """The table after one run over some batches, and what became of the rows."""
    engine.forget()
    engine.rows("incoming", CAPTURED, [row._asdict() for row in incoming])
    engine.rows("held", VERSION, [row._asdict() for row in table])
    classified = classify(engine, spec, "test", "incoming", "held" if table else None)
    counted = tally_of(spec, engine.fetch(merge.tally(spec, classified)))
    starts = offsets(counted.blocks, max((version.record_id for version in table), default=0))
    listed = [{BATCH: b, merge.BLOCK: k, "_number_before": n} for (b, k), n in starts.items()]
    engine.rows("offsets", OFFSETS, listed)
    engine.table("new", merge.record_ids(spec, classified, "offsets"))
    engine.table("home", merge.homes(spec, classified))
    columns = [
        name for name in VERSION.names if name != "created_month" and (name != "record_id" or spec.record_id)
    ]
    rows = engine.fetch(merge.rewritten(spec, columns, "held" if table else None, "new", "home"))
    assert sum(counted.kept_in.values()) == counted.kept
    return sorted(Version(**{"record_id": 0, **row}) for row in rows), counted


def runs(batches: list[list[Captured]], cuts: set[int]) -> list[list[Captured]]:
    """Batches put together into runs: a run ends after each batch whose place is a cut."""
    found: list[list[Captured]] = [[]]
    for place, rows in enumerate(batches):
        found[-1].extend(rows)
        if place in cuts:
            found.append([])
    return [rows for rows in found if rows]


@many
@given(captures(), st.sets(st.integers(0, 2)))
def test_the_history_is_the_oracles_however_batches_are_grouped_in_runs(
    engine: Engine, batches: list[list[Captured]], cuts: set[int]
) -> None:
    table: list[Version] = []
    for rows in runs(batches, cuts):
        table, _ = merged(engine, HISTORY, table, rows)
    assert table == housed(oracle(batches))


@many
@given(captures(), st.integers(0, 5))
def test_replaying_any_prefix_changes_nothing(
    engine: Engine, batches: list[list[Captured]], length: int
) -> None:
    table = housed(oracle(batches))
    again = [row for rows in batches[:length] for row in rows]
    if again:
        assert merged(engine, HISTORY, table, again)[0] == table


@many
@given(captures(), st.sets(st.integers(0, 2)))
def test_a_current_table_is_the_last_version_of_each_key_of_the_history(
    engine: Engine, batches: list[list[Captured]], cuts: set[int]
) -> None:
    table: list[Version] = []
    for rows in runs(batches, cuts):
        table, _ = merged(engine, LATEST, table, rows)
    last = {version.id: version._replace(record_id=0) for version in oracle(batches)}
    assert sorted(table, key=lambda version: version.id) == [last[key] for key in sorted(last)]


@many
@given(captures())
def test_every_incoming_row_is_accounted_for(engine: Engine, batches: list[list[Captured]]) -> None:
    rows = [row for batch in batches for row in batch]
    for spec in (LATEST, HISTORY):
        _, counted = merged(engine, spec, [], rows)
        assert counted.read == len(rows)
        assert counted.kept + counted.passed == len(oracle(batches))


@many
@given(captures())
def test_partitions_that_hold_versions_of_a_record_which_moves_are_found(
    engine: Engine, batches: list[list[Captured]]
) -> None:
    # As an older release left them: every version in the partition that it named itself.
    table = oracle(batches[:-1])
    merged(engine, HISTORY, table, batches[-1])
    home = {row["id"]: row[merge.HOME] for row in engine.fetch("SELECT * FROM home")}
    found = engine.fetch(merge.strays(HISTORY, "held", "home")) if table else []
    stray = {v.created_month for v in table if v.id in home and v.created_month != home[v.id]}
    assert {row[merge.PARTITION_VALUE] for row in found} == stray
