"""What runs on Spark's executors: reading and writing objects with Arrow.

Functions here take and yield Arrow batches, as ``DataFrame.mapInArrow`` calls them, in a Python process of an
executor. Each process makes its own client, with the job's credentials by the usual provider chain.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext

from glue_jobs.engine.parquet import ObjectWriter
from glue_jobs.engine.protocol import Destination
from glue_jobs.lake import objects
from glue_jobs.lake.commits import DataObject
from glue_jobs.runtime.aws import S3Client

BATCH_ROWS = 65_536
"""Rows that are read at once."""

BATCH_BYTES = 16 << 20
"""About how many bytes of them, where texts are large."""

MESSAGE = "message"
"""The one column of what :func:`write_objects` yields: a document for each object."""


def read_objects(
    batches: Iterable[pa.RecordBatch],
    region: str,
    bucket: str,
    tasks: Sequence[Sequence[tuple[DataObject, Sequence[Any]]]],
    schema: pa.Schema,
    partition_schema: pa.Schema,
    first: Mapping[int, int],
) -> Iterator[pa.RecordBatch]:
    """Read the objects of this task, each once and compared with its checksum before a row of it is used.

    Args:
        batches: What Spark hands in: the number by which ``first`` names the task.
        region: The bucket's region.
        bucket: The bucket.
        tasks: For every task its objects, each with the values of its partition columns.
        schema: The columns wanted from the files.
        partition_schema: The partition columns.
        first: By the number that Spark hands in, the task.

    Yields:
        Rows with the columns of both schemas.
    """
    named = [first[number] for batch in batches for number in batch.column(0).to_pylist()]
    wanted = pa.schema([*schema, *partition_schema])
    for data, values in (one for task in named for one in tasks[task]):
        with objects.open_verified(client(region), bucket, data) as file:
            for batch in _batches(file, schema):
                constants = [
                    pa.repeat(pa.scalar(value, field.type), batch.num_rows)
                    for value, field in zip(values, partition_schema)
                ]
                yield pa.RecordBatch.from_arrays([*batch.columns, *constants], schema=wanted)


def write_objects(
    batches: Iterable[pa.RecordBatch], region: str, destination: Destination
) -> Iterator[pa.RecordBatch]:
    """Write the rows of this task.

    Args:
        batches: The rows, sorted.
        region: The bucket's region.
        destination: Where and how.

    Yields:
        A message for each object: its partition value, and what a commit says of it.
    """
    writer = ObjectWriter(client(region), destination, _task())
    try:
        for batch in batches:
            writer.write(batch)
        written = writer.close()
    finally:
        writer.abandon()
    messages = [
        json.dumps({"value": value, **asdict(data)}) for value, found in written.items() for data in found
    ]
    yield pa.RecordBatch.from_arrays([pa.array(messages, pa.string())], [MESSAGE])


@functools.cache
def client(region: str) -> S3Client:
    """This process's client."""
    return boto3.client("s3", region_name=region)


def _task() -> int:
    context = TaskContext.get()
    if context is None:
        raise RuntimeError("only a task of Spark's may call this")
    return context.partitionId()


def _batches(file: IO[bytes], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a file: columns by name, those that it lacks empty, all of the stated types."""
    parquet = pq.ParquetFile(file)
    names = set(parquet.schema_arrow.names)
    columns = [field.name for field in schema if field.name in names]
    for group in range(parquet.num_row_groups):
        stated = parquet.metadata.row_group(group)
        rows = max(1, min(BATCH_ROWS, BATCH_BYTES * stated.num_rows // max(stated.total_byte_size, 1)))
        for batch in parquet.iter_batches(rows, row_groups=[group], columns=columns):
            arrays = [
                batch.column(columns.index(field.name)).cast(field.type)
                if field.name in names
                else pa.nulls(batch.num_rows, field.type)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
