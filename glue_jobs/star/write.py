"""Writing star tables: every attempt under a prefix of its own, measured before a commit names it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StructType

from glue_jobs.lake import layout, objects
from glue_jobs.lake.commits import DataObject, Partition
from glue_jobs.star.read import uri

VERSION = "version"
"""Directory column after the partition's own: which version of it this is."""

OPTIONS = {
    "compression": "zstd",
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    # Labels are never shared, so nothing of another attempt is ever replaced. What matters here is
    # that in this mode Spark stages each job in a directory of its own: attempts side by side do not
    # clear away each other's files under the table's root.
    "partitionOverwriteMode": "dynamic",
}
"""How every table is written."""

ONE_TASK = 200_000
"""Rows that one task sorts and writes: fewer are not worth a shuffle, and make one file a partition."""

THREADS = 4
"""Partitions whose objects are listed at once."""


def write_table(
    rows: DataFrame,
    s3: Any,
    bucket: str,
    location: str,
    schema: StructType,
    order: Sequence[str],
    expected: int,
    key: str | None = None,
) -> tuple[DataObject, ...]:
    """Write small or unpartitioned rows below a prefix that no other attempt shares.

    Args:
        rows: The rows.
        s3: A boto3 ``s3`` client.
        bucket: The processed bucket.
        location: The prefix; ends in a slash.
        schema: The files' columns; others are left out.
        order: Columns that each file is sorted by.
        expected: How many rows there are to be.
        key: A column of whole numbers whose range is wanted.

    Returns:
        The objects, measured.
    """
    sorted_rows = _arranged(typed(rows, schema), expected).sortWithinPartitions(*order)
    return write_as_it_lies(sorted_rows, s3, bucket, location, schema, key)


def write_as_it_lies(
    rows: DataFrame, s3: Any, bucket: str, location: str, schema: StructType, key: str | None = None
) -> tuple[DataObject, ...]:
    """Write rows below a prefix that no other attempt shares, in the tasks and the order that they are in.

    Args:
        rows: The rows.
        s3: A boto3 ``s3`` client.
        bucket: The bucket.
        location: The prefix; ends in a slash.
        schema: The files' columns; others are left out.
        key: A column of whole numbers whose range is wanted.

    Returns:
        The objects, measured.
    """
    typed(rows, schema).write.options(**OPTIONS).parquet(uri(bucket, location))
    found = objects.describe(s3, bucket, objects.list_keys(s3, bucket, location), key)
    return tuple(data for data in found if data.rows)


def write_partitions(
    rows: DataFrame,
    s3: Any,
    bucket: str,
    prefix: str,
    schema: StructType,
    partition: str,
    cuts: Iterable[str],
    label: str,
    order: Sequence[str],
    expected: int,
    key: str,
) -> tuple[Partition, ...]:
    """Write whole partitions of a table in one job, as a new version of each.

    Args:
        rows: Every row of these partitions, with the partition column.
        s3: A boto3 ``s3`` client.
        bucket: The processed bucket.
        prefix: Where the table lies; ends in a slash.
        schema: The files' columns; others are left out.
        partition: The partition column; it stands in the path and not in the files.
        cuts: Its values; one that has no rows any more becomes an empty partition.
        label: Names the version; shared with no other attempt.
        order: Columns that each file is sorted by.
        expected: How many rows there are to be.
        key: A column of whole numbers whose range is wanted.

    Returns:
        The partitions, measured.
    """
    by_cut = typed(rows, schema, partition).withColumn(VERSION, F.lit(label))
    sorted_rows = _arranged(by_cut, expected, partition).sortWithinPartitions(partition, VERSION, *order)
    writer = sorted_rows.write.options(**OPTIONS).mode("overwrite").partitionBy(partition, VERSION)
    writer.parquet(uri(bucket, prefix))

    def measured(cut: str) -> Partition:
        values = {partition: cut}
        location = f"{prefix}{layout.partition_spec(values)}/{VERSION}={label}/"
        found = objects.describe(s3, bucket, objects.list_keys(s3, bucket, location), key)
        return Partition(values, location, tuple(found))

    with ThreadPoolExecutor(THREADS) as pool:
        return tuple(pool.map(measured, sorted(cuts)))


def typed(rows: DataFrame, schema: StructType, *further: str) -> DataFrame:
    """The rows with exactly the columns of a schema, and further ones after them.

    Raises:
        TypeError: A column is of another type: the contract's types would not be what is written.
    """
    chosen = rows.select(*schema.names, *further)
    for wanted in schema:
        found = chosen.schema[wanted.name].dataType
        if found != wanted.dataType:
            raise TypeError(f"{wanted.name} is {found.simpleString()}, not {wanted.dataType.simpleString()}")
    return chosen


def _arranged(rows: DataFrame, expected: int, *by: str) -> DataFrame:
    """Rows in as few tasks as their number is worth."""
    return rows.coalesce(1) if expected <= ONE_TASK else rows.hint("rebalance", *by)
