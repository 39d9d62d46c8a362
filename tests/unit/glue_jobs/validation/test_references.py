from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.live_keys import keys_of
from glue_jobs.validation import references
from glue_jobs.validation.references import Answer, Reference
from tests.keyed import keyed

ROWS = pa.schema([("parent", pa.int64()), ("operation", pa.string()), ("batch", pa.int64())])


PARENT = keyed("parents", id="bigint")


def bitmap(*keys: int) -> Any:
    return keys_of(np.array(keys, np.int64))


@pytest.mark.parametrize(
    ("keys", "spans"),
    [
        ((), ()),
        ((7,), ((7, 7),)),
        ((1, 2, 3, 9, 11, 12), ((1, 3), (9, 9), (11, 12))),
        ((-3, -2, 5), ((-3, -2), (5, 5))),
        ((-2, -1, 2**63 - 2, 2**63 - 1), ((-2, -1), (2**63 - 2, 2**63 - 1))),
        ((-(2**63), -1), ((-(2**63), -(2**63)), (-1, -1))),
    ],
)
def test_spans_are_what_a_bitmap_consists_of(keys: tuple[int, ...], spans: references.Spans) -> None:
    assert references.few_spans(bitmap(*keys)) == spans


def test_more_than_a_few_spans_are_not_listed() -> None:
    assert references.few_spans(bitmap(*range(0, 64, 2))) is not None
    assert references.few_spans(bitmap(*range(0, 66, 2))) is None


@pytest.mark.parametrize("is_complete", [True, False])
@pytest.mark.parametrize("density", [0.03, 0.5, 0.97])
def test_whether_a_row_was_there_is_the_same_by_spans_and_by_blocks(
    engine: Engine, density: float, is_complete: bool
) -> None:
    rng = random.Random(density)
    places = [rng.randrange(-9_000, 9_000) for _ in range(300)] + [-1, 0, 4095, 4096, -4096, -4097]
    live = {
        1: {key for key in range(-9_000, 9_000) if rng.random() < density},
        2: {key for key in range(-9_000, 9_000) if rng.random() < density},
    }
    pairs = [(key, batch) for key in places for batch in (1, 2, 3)]
    rows = [{"parent": key, "operation": "insert", "batch": batch} for key, batch in [*pairs, (None, 1)]]
    engine.rows("children", ROWS, rows)
    wanted = engine.fetch(references.wanted("children", "parent", live))
    blocks: list[dict[str, Any]] = []
    keys: list[dict[str, Any]] = []
    for batch, alive in live.items():
        found = references.live_blocks(bitmap(*alive), [row for row in wanted if row["at_batch"] == batch])
        blocks, keys = blocks + found[0], keys + found[1]
    engine.rows("blocks", references.BLOCKS_SCHEMA, blocks)
    engine.rows("others", references.KEYS_SCHEMA, keys)
    by_block = Reference(
        "parent", PARENT, tuple(Answer((batch,), None, is_complete) for batch in live), "blocks", "others"
    )
    by_span = Reference(
        "parent",
        PARENT,
        tuple(
            Answer((batch,), references.few_spans(bitmap(*alive), 10**6), is_complete)
            for batch, alive in live.items()
        ),
    )

    def known(key: int, batch: int) -> bool | None:
        if batch not in live:
            return None
        return True if key in live[batch] else (False if is_complete else None)

    expected = sorted(((batch, key, known(key, batch)) for key, batch in pairs), key=str)
    for reference in (by_block, by_span):
        columns = f"children.*, {reference.value('children')} AS {reference.name}"
        found_rows = engine.fetch(f"SELECT {columns} FROM children{reference.join('children')}")
        assert len(found_rows) == len(rows)
        said = [(row["batch"], row["parent"], row["known__parent"]) for row in found_rows]
        assert sorted((one for one in said if one[1] is not None), key=str) == expected
        assert [one for one in said if one[1] is None] == [(1, None, None)]


def test_blocks_hold_no_more_than_what_is_asked_about() -> None:
    live = bitmap(*range(1, 1_000_000, 2))
    asked = [{"at_batch": 5, "key_block": 0, "key_low": 7, "key_high": 7}]
    assert references.live_blocks(live, asked) == ([{"at_batch": 5, "key_block": 0}], [])
    nobody = [{"at_batch": 5, "key_block": 0, "key_low": 8, "key_high": 8}]
    assert references.live_blocks(live, nobody) == ([], [])


def test_without_an_answer_nobody_can_tell(engine: Engine) -> None:
    engine.rows("children", ROWS, [{"parent": 1, "operation": "insert", "batch": 1}])
    reference = Reference("parent", PARENT, ())
    assert engine.fetch(f"SELECT {reference.value('children')} AS known FROM children") == [{"known": None}]
