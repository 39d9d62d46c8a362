"""Which dead letters are still open: rejected rows of whose key nothing newer has come.

A later row of the key, accepted, rejected or a deletion, closes a dead letter: the source has said something
newer, or a replay has sent the row on. What is open is kept as a small table of keys for each raw table,
written anew when it changes, so neither counting nor replaying reads the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import LongType, StructField, StructType

from glue_jobs.lake import objects
from glue_jobs.lake.commits import Commit, DataObject
from glue_jobs.lake.layout import OPEN_DEAD_LETTERS
from glue_jobs.star import read, write

PREFIX = "_commits/validate-state/open/"


KEY, VERSION, BATCH, SEQUENCE = "key", "version_id", "batch", "sequence"
"""Columns: the row's key and version, the batch that brought it, the verdict that rejected it."""

SCHEMA = StructType([StructField(name, LongType()) for name in (KEY, VERSION, BATCH, SEQUENCE)])

_LATEST = "_latest"
_ARRIVED = "_arrived"


@dataclass(frozen=True)
class Open:
    """The open dead letters of one table.

    Attributes:
        objects: Where they are listed, in the ingestion bucket.
    """

    objects: tuple[DataObject, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(data.rows for data in self.objects)


def read_state(commit: Commit | None) -> dict[str, Open]:
    """What is open by a commit of ``validate``, by raw table; tables without any are left out."""
    stated: Mapping[str, Any] = commit.state.get(OPEN_DEAD_LETTERS, {}) if commit else {}
    return {table: Open(tuple(DataObject(**data) for data in found)) for table, found in stated.items()}


def write_state(tables: Mapping[str, Open]) -> dict[str, Any]:
    """What :func:`read_state` finds again."""
    return {
        table: [asdict(data) for data in found.objects]
        for table, found in sorted(tables.items())
        if found.rows
    }


def listed(spark: SparkSession, s3: Any, bucket: str, found: Open) -> DataFrame:
    """The open dead letters of a table: columns of ``SCHEMA``.

    Raises:
        ChecksumMismatch: An object is not what its commit says.
    """
    if not found.rows:
        return read.no_rows(spark, SCHEMA)
    objects.verify(s3, bucket, found.objects)
    return spark.read.schema(SCHEMA).parquet(*[read.uri(bucket, data.key) for data in found.objects])


def still_open(letters: DataFrame, arrived: DataFrame) -> DataFrame:
    """The dead letters of whose key nothing has arrived after them.

    Args:
        letters: Columns of ``SCHEMA``.
        arrived: ``key`` and ``batch`` of every row that has arrived, whatever became of it.
    """
    # Letters are few beside what arrives, and hardly anything that arrives is of their keys.
    arrived = arrived.join(F.broadcast(letters.select(KEY)), KEY, "left_semi")
    newest = arrived.groupBy(F.col(KEY).alias(_ARRIVED)).agg(F.max(BATCH).alias(_LATEST))
    joined = letters.join(newest, F.col(KEY) == F.col(_ARRIVED), "left")
    return joined.where(F.col(_LATEST).isNull() | (F.col(_LATEST) <= F.col(BATCH))).select(*SCHEMA.names)


def keep(letters: DataFrame, s3: Any, bucket: str, table: str, label: str) -> Open:
    """Write the list for a commit that is about to be made."""
    place = f"{PREFIX}{table}/{label}/"
    rows = letters.select(*SCHEMA.names)
    return Open(write.write_table(rows, s3, bucket, place, SCHEMA, [KEY, BATCH], write.ONE_TASK))
