"""How much waits is told by commits alone: rows, bytes, and the partitions that can hold a waiting key."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from glue_jobs.lake.commits import Partition
from glue_jobs.transformation.decide import Work
from tests.lake import at, raw_row

from .conftest import Job


def order(key: int, month: int, **changes: Any) -> dict[str, Any]:
    return raw_row("sales_order", key, created_at=at(f"2024-{month:02d}-14 09:30:00"), **changes)


def capture(
    job: Job, *orders: dict[str, Any], spans: tuple[tuple[int, int], ...] = (), ranges: bool = True
) -> None:
    """Capture orders; the commit says in which spans their keys lie, and in which range an object's."""
    job.lake.capture({"sales_order": list(orders)})
    if spans or not ranges:
        commit = job.lake.commit("capture")
        table = commit.tables["sales_order"]
        stated = tuple(((low,), (high,)) for low, high in spans)
        job.lake.s3.delete_object(Bucket=job.bucket, Key=job.lake.log("capture").key(commit.sequence))
        partitions = table.partitions if ranges else tuple(map(without_ranges, table.partitions))
        tables = {"sales_order": dataclasses.replace(table, key_spans=stated, partitions=partitions)}
        job.lake.log("capture").publish(dataclasses.replace(commit, tables=tables))


def without_ranges(partition: Partition) -> Partition:
    """A partition as captures of earlier releases state it."""
    objects = (dataclasses.replace(data, key_min=None, key_max=None) for data in partition.objects)
    return dataclasses.replace(partition, objects=tuple(objects))


@pytest.fixture
def months(job: Job) -> Job:
    """Three months of ten orders each, built."""
    capture(job, *(order(month * 100 + number, month) for month in (1, 2, 3) for number in range(10)))
    assert job.run() == 0
    return job


def test_nothing_waits_in_an_empty_lake(job: Job) -> None:
    assert job.work() == Work()


def test_waiting_rows_and_bytes_are_those_of_the_captured_objects(job: Job) -> None:
    capture(job, order(1, 1), order(2, 1))
    capture(job, order(3, 1))
    objects = [
        data for commit in job.lake.log("capture").after(0) for data in commit.tables["sales_order"].objects
    ]
    found = job.work()
    assert (found.waiting_batches, found.waiting_rows) == (2, 3)
    assert found.waiting_bytes == sum(data.bytes for data in objects)
    assert (found.partition_rows, found.partition_bytes) == (0, 0)


def test_partitions_count_where_their_keys_can_be_among_the_waiting_ones(months: Job) -> None:
    capture(months, order(101, 1), order(305, 3), spans=((101, 101), (305, 305)))
    found = months.work()
    assert (found.waiting_rows, found.partition_rows) == (2, 20)
    live = months.lake.commit("facts").tables["fact_sales_order"].partitions
    touched = [p for p in live if p.values["created_month"] != "2024-02"]
    assert found.partition_bytes == sum(data.bytes for p in touched for data in p.objects)


def test_new_keys_touch_no_partition(months: Job) -> None:
    capture(months, order(401, 4), spans=((401, 401),))
    assert months.work().partition_rows == 0


def test_every_partition_counts_where_a_capture_states_no_keys(months: Job) -> None:
    capture(months, order(401, 4), ranges=False)
    assert months.work().partition_rows == 30


def test_ranges_of_objects_say_as_much_as_spans(months: Job) -> None:
    capture(months, order(101, 1))
    assert months.work().partition_rows == 10


def test_a_table_without_partitions_counts_whole_and_so_do_the_snapshots_it_is_joined_from(job: Job) -> None:
    staff = [raw_row("staff", key, department_id=1) for key in range(1, 6)]
    job.lake.capture({"staff": staff, "department": [raw_row("department", 1)]})
    job.run()
    job.lake.capture({"department": [raw_row("department", 1, location="York")]})
    # dim_staff, and the snapshots of staff and department.
    assert job.work().partition_rows == 5 + 5 + 1


def test_a_stage_that_is_ahead_is_not_counted_again(months: Job) -> None:
    capture(months, order(101, 1), spans=((101, 101),))
    assert months.work().partition_rows == 10
    months.run(stages="validate,facts")
    found = months.work()
    assert (found.waiting_rows, found.partition_rows) == (1, 0)


def test_counting_ends_at_the_first_limit_that_is_passed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in range(1, 6):
        capture(job, order(key, 1))
    assert job.work(waiting_rows=2).waiting_rows == 3
    assert job.work(waiting_batches=4) == Work(waiting_batches=5)
