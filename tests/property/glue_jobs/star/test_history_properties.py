"""The history against a small oracle: whatever is captured, in whatever runs it is merged."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from glue_jobs.star import current, history, numbering
from glue_jobs.star.local import local_frame
from glue_jobs.star.shape import BATCH, Shape
from glue_jobs.star.summary import tally

SHAPE = Shape(
    table="things",
    key="id",
    content=("size", "word", "created_month"),
    required=("id", "created_month"),
    partition="created_month",
    record_id="record_id",
)
LATEST = Shape("things", "id", SHAPE.content, SHAPE.required, "created_month")
SCHEMA = (
    "id int, size int, word string, created_month string, batch_sequence bigint, "
    "captured_at timestamp_ntz, is_deleted boolean, version_id bigint"
)
VERSION = "record_id int, " + SCHEMA.rsplit(",", 1)[0]

KEYS = [*range(12), *range(4090, 4102), 9000]
"""On both sides of a block's border, so that the numbering is put to the test as well."""

slow = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


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


def frame(spark: SparkSession, rows: Sequence[Any], schema: str) -> DataFrame:
    return local_frame(spark, [row._asdict() for row in rows], schema)


def merged(spark: SparkSession, table: list[Version], incoming: list[Captured]) -> list[Version]:
    """The table after one run over some batches."""
    base = frame(spark, table, VERSION) if table else None
    classified = history.keep_every(history.classify(base, frame(spark, incoming, SCHEMA), SHAPE))
    counted = tally(classified, SHAPE)
    starts = numbering.offsets(counted.blocks, max((v.record_id for v in table), default=0))
    new = classified.where(history.KEPT).select(*SHAPE.columns)
    rows = numbering.numbered(new, SHAPE, starts).select(*Version._fields).collect()
    assert len(rows) == counted.kept
    return sorted([*table, *(Version._make(row) for row in rows)])


def runs(batches: list[list[Captured]], cuts: set[int]) -> list[list[Captured]]:
    """Batches put together into runs: a run ends after each batch whose place is a cut."""
    found: list[list[Captured]] = [[]]
    for place, rows in enumerate(batches):
        found[-1].extend(rows)
        if place in cuts:
            found.append([])
    return [rows for rows in found if rows]


@slow
@given(captures(), st.sets(st.integers(0, 2)))
def test_the_history_is_the_oracles_however_batches_are_grouped_in_runs(
    spark: SparkSession, batches: list[list[Captured]], cuts: set[int]
) -> None:
    table: list[Version] = []
    for rows in runs(batches, cuts):
        table = merged(spark, table, rows)
    assert table == oracle(batches)


@slow
@given(captures(), st.integers(0, 5))
def test_replaying_any_prefix_changes_nothing(
    spark: SparkSession, batches: list[list[Captured]], length: int
) -> None:
    table = oracle(batches)
    again = [row for rows in batches[:length] for row in rows]
    if again:
        assert merged(spark, table, again) == table


@slow
@given(captures(), st.sets(st.integers(0, 2)))
def test_a_current_table_is_the_last_version_of_each_key_of_the_history(
    spark: SparkSession, batches: list[list[Captured]], cuts: set[int]
) -> None:
    table: list[Captured] = []
    for rows in runs(batches, cuts):
        base = frame(spark, table, SCHEMA) if table else None
        after = current.merge_current(base, frame(spark, rows, SCHEMA), LATEST)
        table = [Captured._make((*row, 0)) for row in after.select(*LATEST.columns).orderBy("id").collect()]
    last = {version.id: version[1:] for version in oracle(batches)}
    assert [row[:-1] for row in table] == [last[key] for key in sorted(last)]


@slow
@given(captures())
def test_every_incoming_row_is_accounted_for(spark: SparkSession, batches: list[list[Captured]]) -> None:
    rows = [row for batch in batches for row in batch]
    if not rows:
        return
    classified = current.keep_latest(history.classify(None, frame(spark, rows, SCHEMA), LATEST), LATEST)
    counted = tally(classified, LATEST)
    assert counted.read == len(rows)
    assert counted.kept + counted.passed == len(oracle(batches))
    assert classified.where(F.col(history.KEPT)).select(F.max(BATCH)).first() is not None
