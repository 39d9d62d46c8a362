"""Which members are inferred, against a small oracle: whatever arrives first, in whatever runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from catalog.catalogue import load_catalogue
from catalog.types import placeholder
from glue_jobs.star import current, members, project
from glue_jobs.star.local import local_frame
from glue_jobs.star.shape import shape_of
from tests.spark_lake import at

DIMENSION = load_catalogue().star["dim_payment_type"]
SHAPE = shape_of(DIMENSION)
NAME = "payment_type_name"
NOBODY_KNOWS = placeholder(DIMENSION.column(NAME).type)

RAW = (
    "payment_type_id int, payment_type_name string, operation string, version_id bigint, "
    "captured_at timestamp_ntz, batch bigint"
)
REFERRED = "dimension string, key bigint, batch_sequence bigint, captured_at timestamp_ntz"
HELD = (
    "payment_type_id int, payment_type_name string, is_inferred boolean, batch_sequence bigint, "
    "captured_at timestamp_ntz, is_deleted boolean"
)


class Row(NamedTuple):
    """A row of the dimension's source: no name means that it is gone."""

    key: int
    name: str | None
    version: int


class Batch(NamedTuple):
    """One capture: rows of the dimension's source, and the keys that accepted facts refer to."""

    rows: tuple[Row, ...]
    keys: tuple[int, ...]


class Member(NamedTuple):
    """What the dimension holds of a key."""

    name: str
    inferred: bool
    deleted: bool
    batch: int


KEYS = st.integers(1, 6)
ROWS = st.builds(Row, KEYS, st.sampled_from([None, "a", "b", NOBODY_KNOWS]), st.integers(1, 2))
BATCHES = st.lists(
    st.builds(Batch, st.lists(ROWS, max_size=6).map(tuple), st.lists(KEYS, max_size=4).map(tuple)),
    min_size=1,
    max_size=4,
)


def oracle(batches: Sequence[Batch]) -> dict[int, Member]:
    """The dimension, worked out row by row."""
    held: dict[int, Member] = {}
    for number, batch in enumerate(batches, start=1):
        winners = {
            row.key: row for row in sorted(batch.rows, key=lambda r: (r.version, r.name is None, r.name))
        }
        for key, row in winners.items():
            before = held.get(key)
            if row.name is not None:
                after = Member(row.name, False, False, number)
            elif before is not None and not before.inferred:
                after = before._replace(deleted=True, batch=number)
            else:
                continue
            if before is None or before[:3] != after[:3]:
                held[key] = after
        for key in batch.keys:
            held.setdefault(key, Member(NOBODY_KNOWS, True, False, number))
    return held


def seen(batch: int) -> Any:
    return at(f"2024-01-01 10:{batch:02}:00")


def after(spark: SparkSession, held: Mapping[int, Member], run: Mapping[int, Batch]) -> dict[int, Member]:
    """The dimension after one run over some batches."""
    base = None
    if held:
        stated = [
            (key, m.name, m.inferred, m.batch, seen(m.batch), m.deleted) for key, m in sorted(held.items())
        ]
        names = [column.split()[0] for column in HELD.split(", ")]
        base = local_frame(spark, [dict(zip(names, row, strict=True)) for row in stated], HELD)
    raw = local_frame(
        spark,
        [
            {
                "payment_type_id": row.key,
                NAME: row.name,
                "operation": "delete" if row.name is None else "update",
                "version_id": row.version,
                "captured_at": seen(number),
                "batch": number,
            }
            for number, batch in run.items()
            for row in batch.rows
        ],
        RAW,
    )
    referred = local_frame(
        spark,
        [
            {"dimension": DIMENSION.table, "key": key, "batch_sequence": number, "captured_at": seen(number)}
            for number, batch in run.items()
            for key in batch.keys
        ],
        REFERRED,
    )
    known = [members.arriving(DIMENSION, raw), *([members.held(DIMENSION, base)] if base is not None else [])]
    inferred = members.members(DIMENSION, members.missing(members.first([referred]), known))
    incoming = project.incoming(DIMENSION, raw).unionByName(inferred, allowMissingColumns=True)
    rows = current.merge_current(base, incoming, SHAPE).collect()
    return {
        row[SHAPE.key]: Member(row[NAME], row["is_inferred"], row["is_deleted"], row["batch_sequence"])
        for row in rows
    }


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(BATCHES, st.sets(st.integers(1, 3)))
def test_members_are_the_oracles_however_batches_are_grouped_and_a_second_time_changes_nothing(
    spark: SparkSession, batches: list[Batch], cuts: set[int]
) -> None:
    runs: list[dict[int, Batch]] = [{}]
    for number, batch in enumerate(batches, start=1):
        runs[-1][number] = batch
        if number in cuts:
            runs.append({})
    held: dict[int, Member] = {}
    for run in filter(None, runs):
        held = after(spark, held, run)
    assert held == oracle(batches)
    everything = dict(enumerate(batches, start=1))
    assert after(spark, held, everything) == held
