"""Which members are inferred, against a small oracle: whatever arrives first, in whatever runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.catalogue import load_catalogue
from catalog.types import placeholder
from glue_jobs.engine.protocol import Engine
from glue_jobs.star import members, merge, projection
from glue_jobs.star.build import classify
from tests.examples import examples
from tests.lake import at

CATALOG = load_catalogue()
DIMENSION = CATALOG.star["dim_payment_type"]
SPEC = projection.spec_of(DIMENSION, CATALOG)
NAME = "payment_type_name"
NOBODY_KNOWS = placeholder(DIMENSION.column(NAME).type)

RAW = pa.schema(
    [
        ("payment_type_id", pa.int32()),
        ("payment_type_name", pa.string()),
        ("operation", pa.string()),
        ("version_id", pa.int64()),
        ("captured_at", pa.timestamp("ms")),
        ("batch", pa.int64()),
    ]
)
REFERRED = pa.schema(
    [
        ("dimension", pa.string()),
        ("member_key", pa.int64()),
        ("batch_sequence", pa.int64()),
        ("captured_at", pa.timestamp("ms")),
    ]
)
HELD = pa.schema(
    [
        ("payment_type_id", pa.int32()),
        ("payment_type_name", pa.string()),
        ("is_inferred", pa.bool_()),
        ("batch_sequence", pa.int64()),
        ("captured_at", pa.timestamp("ms")),
        ("is_deleted", pa.bool_()),
    ]
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


def after(engine: Engine, held: Mapping[int, Member], run: Mapping[int, Batch]) -> dict[int, Member]:
    """The dimension after one run over some batches."""
    engine.forget()
    stated = [(key, m.name, m.inferred, m.batch, seen(m.batch), m.deleted) for key, m in sorted(held.items())]
    engine.rows("held", HELD, [dict(zip(HELD.names, row, strict=True)) for row in stated])
    raw = [
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
    ]
    engine.rows("raw", RAW, raw)
    referred = [
        {
            "dimension": DIMENSION.table,
            "member_key": key,
            "batch_sequence": number,
            "captured_at": seen(number),
        }
        for number, batch in run.items()
        for key in batch.keys
    ]
    engine.rows("mentioned", REFERRED, referred)
    engine.table("referred", members.first(["SELECT * FROM mentioned"]))
    known = [members.arriving(DIMENSION, "raw"), *([members.known_keys(DIMENSION, "held")] if held else [])]
    engine.table("missing", members.missing("referred", known))
    engine.view("inferred", members.members(DIMENSION, CATALOG, "missing"))
    engine.view("from_source", projection.incoming(DIMENSION, CATALOG, "raw"))
    columns = (*SPEC.columns, "version_id", *SPEC.flag_columns)
    engine.table("incoming", str(projection.union("from_source", "inferred", columns)))
    classified = classify(engine, SPEC, "test", "incoming", "held" if held else None)
    engine.table("home", merge.homes(SPEC, classified))
    engine.table("new", merge.record_ids(SPEC, classified, "nothing"))
    rows = engine.fetch(merge.rewritten(SPEC, SPEC.columns, "held" if held else None, "new", "home"))
    return {
        row[SPEC.key[0]]: Member(row[NAME], row["is_inferred"], row["is_deleted"], row["batch_sequence"])
        for row in rows
    }


@settings(max_examples=int(os.environ.get("HISTORIES", examples(30, 200))))
@given(BATCHES, st.sets(st.integers(1, 3)))
def test_members_are_the_oracles_however_batches_are_grouped_and_a_second_time_changes_nothing(
    engine: Engine, batches: list[Batch], cuts: set[int]
) -> None:
    runs: list[dict[int, Batch]] = [{}]
    for number, batch in enumerate(batches, start=1):
        runs[-1][number] = batch
        if number in cuts:
            runs.append({})
    held: dict[int, Member] = {}
    for run in filter(None, runs):
        held = after(engine, held, run)
    assert held == oracle(batches)
    everything = dict(enumerate(batches, start=1))
    assert after(engine, held, everything) == held
