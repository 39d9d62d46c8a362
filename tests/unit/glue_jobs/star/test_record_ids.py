from __future__ import annotations

import pyarrow as pa

from glue_jobs.engine.protocol import Engine
from glue_jobs.star import merge
from glue_jobs.star.build import OFFSETS, classify
from glue_jobs.star.merge_spec import BATCH, MergeSpec
from glue_jobs.star.summary import offsets, tally_of

SPEC = MergeSpec("things", ("id",), (), ("id",), keeps_history=True, record_id="record_id")
INCOMING = pa.schema(
    [
        ("id", pa.int32()),
        (BATCH, pa.int64()),
        ("captured_at", pa.timestamp("ms")),
        ("is_deleted", pa.bool_()),
        ("version_id", pa.int64()),
    ]
)


def test_offsets_follow_batch_then_block_and_continue_from_the_highest() -> None:
    starts = offsets({(2, 0): 5, (1, 7): 3, (1, -1): 2}, highest=100)
    assert starts == {(1, -1): 100, (1, 7): 102, (2, 0): 105}


def test_numbers_are_dense_and_follow_batch_then_key(engine: Engine) -> None:
    keys = {1: (9000, -5, 4096), 2: (4095, 3, -4097, 8192)}
    rows = [
        {"id": key, BATCH: batch, "is_deleted": False, "version_id": 1}
        for batch, some in keys.items()
        for key in some
    ]
    engine.rows("incoming", INCOMING, rows)
    classified = classify(engine, SPEC, "test", "incoming", None)
    counted = tally_of(SPEC, engine.fetch(merge.tally(SPEC, classified)))
    starts = offsets(counted.blocks, highest=7)
    listed = [{BATCH: b, merge.BLOCK: k, "_number_before": n} for (b, k), n in starts.items()]
    engine.rows("offsets", OFFSETS, listed)
    found = engine.fetch(merge.record_ids(SPEC, classified, "offsets"))
    numbered = sorted((row["record_id"], row[BATCH], row["id"]) for row in found)
    expected = sorted((row[BATCH], row["id"]) for row in rows)
    assert numbered == [(8 + place, *row) for place, row in enumerate(expected)]
