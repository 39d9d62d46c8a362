from __future__ import annotations

from pyspark.sql import SparkSession

from glue_jobs.star import numbering
from glue_jobs.star.local import local_frame
from glue_jobs.star.shape import Shape

SHAPE = Shape("things", "id", (), ("id",), None, "record_id")


def test_offsets_follow_batch_then_block_and_continue_from_the_highest() -> None:
    starts = numbering.offsets({(2, 0): 5, (1, 7): 3, (1, -1): 2}, highest=100)
    assert starts == {(1, -1): 100, (1, 7): 102, (2, 0): 105}


def test_numbers_are_dense_and_follow_batch_then_key(spark: SparkSession) -> None:
    rows = [{"id": key, "batch_sequence": batch} for batch in (1, 2) for key in (9000, -5, 4096, 4095, 3)]
    frame = local_frame(spark, rows, "id int, batch_sequence bigint")
    counted = {
        (row["batch_sequence"], row["_block"]): row["count"]
        for row in frame.groupBy("batch_sequence", numbering.block_of("id")).count().collect()
    }
    numbered = numbering.numbered(frame, SHAPE, numbering.offsets(counted, highest=7))
    found = [
        tuple(row)
        for row in numbered.orderBy("record_id").select("record_id", "batch_sequence", "id").collect()
    ]
    expected = sorted((row["batch_sequence"], row["id"]) for row in rows)
    assert found == [(8 + place, *row) for place, row in enumerate(expected)]
    assert dict(numbered.dtypes)["record_id"] == "int"


def test_a_table_without_numbers_is_left_as_it_is(spark: SparkSession) -> None:
    frame = local_frame(spark, [{"id": 1}], "id int")
    assert numbering.numbered(frame, Shape("t", "id", (), ()), {}) is frame
