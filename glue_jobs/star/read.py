"""Reading what commits name: exact objects, checked, typed by contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StringType, StructField, StructType

from catalog.model import Contract
from catalog.spark import spark_schema
from glue_jobs.lake import layout, objects
from glue_jobs.lake.commits import Commit, DataObject, Partition


def session(job: str) -> SparkSession:
    """The Spark session of a job; what is set here is part of the result and the same everywhere."""
    # PySpark asks the JVM several questions for each column, only to name lines of this code in its errors.
    quiet = ("spark.python.sql.dataFrameDebugging.enabled", "false")
    spark = SparkSession.builder.appName(job).config(*quiet).getOrCreate()
    # Every time in the lake is UTC; formatting a timestamp without zone goes through the session's zone.
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def uri(bucket: str, key: str) -> str:
    """A key as Spark addresses it."""
    return f"s3://{bucket}/{key}"


def no_rows(spark: SparkSession, schema: StructType) -> DataFrame:
    """An empty table of a schema."""
    return spark.range(0).select(*[F.lit(None).cast(field.dataType).alias(field.name) for field in schema])


def accepted_objects(commits: Iterable[Commit], table: str, after_batch: int) -> list[DataObject]:
    """The objects of a raw table that validation accepted in batches after one."""
    return [
        data
        for commit in commits
        if table in commit.tables
        for partition in commit.tables[table].partitions
        if int(partition.values["batch"]) > after_batch
        for data in partition.objects
        if data.rows
    ]


def raw_rows(
    spark: SparkSession, s3: Any, bucket: str, contract: Contract, found: Sequence[DataObject]
) -> DataFrame:
    """Rows of a raw or a dead letter table from exactly these objects, which are checked first.

    Returns:
        The file's columns, ``captured_date`` and ``batch``.

    Raises:
        ChecksumMismatch: An object is not what its commit says.
    """
    objects.verify(s3, bucket, found)
    schema = spark_schema(contract, with_partitions=True)
    rows = []
    for prefix in (contract.prefix, layout.accepted_prefix(contract)):
        keys = [data.key for data in found if data.key.startswith(prefix)]
        if keys:
            reader = spark.read.schema(schema).option("basePath", uri(bucket, prefix))
            rows.append(reader.parquet(*[uri(bucket, key) for key in keys]))
    return reduce(DataFrame.unionByName, rows)


def star_rows(
    spark: SparkSession,
    s3: Any,
    bucket: str,
    prefix: str,
    schema: StructType,
    partition: str | None,
    found: Iterable[Partition],
) -> DataFrame | None:
    """Rows of some live partitions of a star table, from exactly the objects that their commits name.

    Args:
        spark: The session.
        s3: A boto3 ``s3`` client.
        bucket: The processed bucket.
        prefix: Where the table lies; ends in a slash.
        schema: The files' columns.
        partition: The partition column; it is read from the path, as text.
        found: The partitions.

    Returns:
        The rows, with the partition column; nothing if there are none.

    Raises:
        ChecksumMismatch: An object is not what its commit says.
    """
    named = [data for one in found for data in one.objects if data.rows]
    if not named:
        return None
    objects.verify(s3, bucket, named)
    if partition is not None:
        schema = StructType([*schema.fields, StructField(partition, StringType())])
    reader = spark.read.schema(schema).option("basePath", uri(bucket, prefix))
    rows = reader.parquet(*[uri(bucket, data.key) for data in named])
    return rows.select(*schema.names)
