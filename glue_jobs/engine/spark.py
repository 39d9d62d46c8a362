"""The Spark engine: executors read and write objects with Arrow; no path of S3's reaches Spark.

Both are ``DataFrame.mapInArrow``, whose functions are in :mod:`glue_jobs.engine.spark_tasks`: reading turns a
number of empty tasks into rows, writing turns sorted rows into one message for each object.
"""

from __future__ import annotations

import functools
import heapq
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Callable, Optional

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.storagelevel import StorageLevel

from glue_jobs.engine import spark_tasks
from glue_jobs.engine.parallel import run_in_threads
from glue_jobs.engine.parquet import check_columns, sql_type
from glue_jobs.engine.protocol import Dataset, Destination, ResultT
from glue_jobs.engine.spark_text import spark_text
from glue_jobs.lake.commits import DataObject, data_objects
from glue_jobs.lake.objects import ChecksumMismatch, ObjectExists

THREADS = 4
"""Pieces of work that run at once."""

TASK_ROWS = 500_000
"""Rows that one task sorts and writes: fewer are not worth a shuffle, and make one file a partition."""

RANGE_ROWS = 10_000_000
"""Rows from which a partition may be several tasks': they take ranges of keys, which a sample finds."""

TASK_BYTES = 64 << 20
"""Bytes of objects that one task reads."""

FEW_ROWS, FEW_BYTES = 50_000, 8 << 20
"""Rows and bytes up to which one task reads them: to sort or to join one task's rows Spark moves none."""

EXPANSION = 4
"""About how many bytes of rows a byte of an object holds."""

SETTINGS = {
    # Queries mean the same as on DuckDB: errors instead of wrong values, times without a zone.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.variable.substitute": "false",
    # What Spark derives of columns' values costs more than it saves, and is wrong of what a table keeps:
    # Spark 4.1 then misses columns where such a table is united with another relation.
    "spark.sql.constraintPropagation.enabled": "false",
    # Batches on their way to Python: many rows, since each costs Python work, but few large texts.
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(spark_tasks.BATCH_ROWS),
    "spark.sql.execution.arrow.maxBytesPerBatch": str(spark_tasks.BATCH_BYTES),
}
"""What every session has, wherever it runs; see also :mod:`glue_jobs.engine.spark_text`."""

_RAISED = re.compile(r"^(?:[\w.]+\.)?(ChecksumMismatch|ObjectExists|ValueError): (.*)$", re.MULTILINE)
"""The last line of the traceback of a task that failed, by what its driver raises for it."""

_FAILURES: Mapping[str, type[Exception]] = {
    "ChecksumMismatch": ChecksumMismatch,
    "ObjectExists": ObjectExists,
    "ValueError": ValueError,
}


class SparkEngine:
    """Spark as an :class:`~glue_jobs.engine.protocol.Engine`.

    Args:
        region: The buckets' region; executors make clients of their own.
        job: The application's name.
    """

    name = "spark"

    def __init__(self, region: str, job: str) -> None:
        # PySpark asks the JVM several questions for each column, only to name lines of code in its errors.
        quiet = ("spark.python.sql.dataFrameDebugging.enabled", "false")
        self._spark = SparkSession.builder.appName(job).config(*quiet).getOrCreate()
        for name, value in SETTINGS.items():
            self._spark.conf.set(name, value)
        self._region = region
        self._relations: dict[str, DataFrame] = {}
        self._tables: set[str] = set()

    def read(self, name: str, dataset: Dataset) -> None:
        """Make a relation of objects; executors read them wherever it is used."""
        read = functools.partial(
            spark_tasks.read_objects,
            region=self._region,
            bucket=dataset.bucket,
            tasks=self._read_tasks(dataset),
            schema=_microseconds(dataset.schema),
            partition_schema=_microseconds(dataset.partition_schema),
        )
        self._keep(name, self._mapped(dataset, read))

    def rows(self, name: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
        """Make a relation of a few rows that the caller has."""
        wanted = _microseconds(schema)
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in wanted]
        nullable = pa.schema([field.with_nullable(True) for field in wanted])
        self._keep(name, self._spark.createDataFrame(pa.table(columns, schema=nullable)).coalesce(1))

    def view(self, name: str, query: str) -> None:
        """Make a relation of a query, which runs wherever the relation is used."""
        self._keep(name, self._query(query))

    def table(self, name: str, query: str) -> int:
        """Make a relation of a query, which runs once; gives the number of its rows."""
        with _task_failures():
            # Cut off from the plan that made it: a plan with WITH in it, persisted, is not always recognised
            # where it is used, and Spark 4.1 fails to plan it there again.
            kept = self._query(query).localCheckpoint(False, StorageLevel.MEMORY_AND_DISK)
            # The job that counts its rows is the one that makes it.
            rows = int(_checkpoint(kept).count())
        self._keep(name, kept)
        self._tables.add(name)
        return rows

    def cache(self, name: str, query: str) -> None:
        """Make a relation of a query that is used several times: each use would read the objects again."""
        self.table(name, query)

    def fetch(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, few enough for this process."""
        with _task_failures():
            rows: list[dict[str, Any]] = self._query(query).toArrow().to_pylist()
            return rows

    def write(self, query: str, destination: Destination, rows: int) -> dict[str, tuple[DataObject, ...]]:
        """Write the rows of a query with Arrow, each object by one conditional PUT."""
        wanted = self._query(query)
        check_columns({name: _sql_name(kind) for name, kind in wanted.dtypes}, destination)
        write = functools.partial(spark_tasks.write_objects, region=self._region, destination=destination)
        with _task_failures():
            answers = _sorted(wanted, destination, rows).mapInArrow(write, f"{spark_tasks.MESSAGE} STRING")
            messages = [json.loads(answer[0]) for answer in answers.collect()]
        written: dict[str, list[DataObject]] = defaultdict(list)
        for message in messages:
            written[message["value"]] += data_objects([message])
        return {
            value: tuple(sorted(found, key=lambda data: data.key)) for value, found in sorted(written.items())
        }

    def run_in_parallel(self, work: Iterable[Callable[[], ResultT]]) -> list[ResultT]:
        """Run pieces of work that use this engine, some at once: Spark has tasks of several to run."""
        return run_in_threads(work, THREADS)

    def forget(self, names: Optional[Iterable[str]] = None) -> None:
        """Drop relations, all of them unless named, and what they hold in memory and on disk."""
        for name in list(self._relations if names is None else names):
            relation = self._relations.pop(name, None)
            if relation is not None:
                self._spark.catalog.dropTempView(name)
                if name in self._tables:
                    self._tables.remove(name)
                    # Else Spark waits with it until Java collects its garbage.
                    checkpoint = _checkpoint(relation).id()
                    self._spark.sparkContext._jsc.sc().unpersistRDD(checkpoint, False)  # noqa: SLF001

    def close(self) -> None:
        """Drop everything; the session stays, since a process has only one."""
        self.forget()

    def _query(self, query: str) -> DataFrame:
        return self._spark.sql(spark_text(query))

    def _keep(self, name: str, relation: DataFrame) -> None:
        relation.createOrReplaceTempView(name)
        self._relations[name] = relation

    def _read_tasks(self, dataset: Dataset) -> list[list[tuple[DataObject, tuple[Any, ...]]]]:
        """Spread objects evenly: few tasks where there is little to read."""
        found = [
            (
                data,
                tuple(_typed(partition.values[field.name], field.type) for field in dataset.partition_schema),
            )
            for partition in dataset.partitions
            for data in partition.objects
            if data.rows
        ]
        few = dataset.rows <= FEW_ROWS and dataset.bytes <= FEW_BYTES
        parallel = 1 if few else self._spark.sparkContext.defaultParallelism
        number = max(1, min(len(found), max(parallel, dataset.bytes // TASK_BYTES)))
        tasks: list[list[tuple[DataObject, tuple[Any, ...]]]] = [[] for _ in range(number)]
        sizes = [(0, task) for task in range(number)]
        for data, values in sorted(found, key=lambda one: -one[0].bytes):
            size, task = heapq.heappop(sizes)
            tasks[task].append((data, values))
            heapq.heappush(sizes, (size + data.bytes, task))
        return tasks

    def _mapped(self, dataset: Dataset, read: functools.partial[Iterator[pa.RecordBatch]]) -> DataFrame:
        """As many tasks as ``read`` has, with the size that Spark is to believe.

        Spark knows of a mapped relation what it knows of its input, per row. Its input is a range as long as
        makes this right, of which a filter leaves the first number of each task: so Spark broadcasts what is
        small. That number names the task's objects; the partition's own does not, where relations are united.
        """
        fields = [*dataset.schema, *dataset.partition_schema]
        number = len(read.keywords["tasks"])
        columns = ", ".join(f"{field.name} {_spark_type(field.type)}" for field in fields)
        length = max(dataset.rows, dataset.bytes * EXPANSION // (8 * len(fields)), number)
        first = {task * length // number: task for task in range(number)}
        starts = self._spark.range(0, length, 1, number).where(F.col("id").isin(*first))
        return starts.mapInArrow(functools.partial(read, first=first), columns)


def _sorted(rows: DataFrame, destination: Destination, expected: int) -> DataFrame:
    """The destination's columns, its partition column as text, in tasks and order as they are written."""
    columns: list[Any] = [F.col(field.name) for field in destination.schema]
    order = [F.expr(key).asc_nulls_first() for key in destination.sort_keys]
    if destination.partition_by:
        value = F.col(destination.partition_by)
        columns.append(value.cast("string").alias(destination.partition_by))
        order.insert(0, value.asc_nulls_first())
    if not order:
        return rows.select(*columns)
    return _spread(rows, destination, expected, order).sortWithinPartitions(*order).select(*columns)


def _spread(rows: DataFrame, destination: Destination, expected: int, order: Sequence[Any]) -> DataFrame:
    """The rows in several tasks, none with keys between those of another one within a partition value.

    Where nobody wants partitions or keys of objects, many rows stay in the tasks that have them.
    """
    number = -(-expected // TASK_ROWS)
    if number <= 1:
        return rows.coalesce(1) if expected <= FEW_ROWS else rows.repartition(1)
    if not destination.key and not destination.partition_by:
        return rows
    if destination.partition_by and number * TASK_ROWS < RANGE_ROWS:
        return rows.repartition(number, destination.partition_by)
    return rows.repartitionByRange(number, *order)


def _checkpoint(relation: DataFrame) -> Any:
    """Java's own handle of what a table keeps."""
    return relation._jdf.logicalPlan().rdd()  # noqa: SLF001


def _typed(value: str, arrow: pa.DataType) -> Any:
    return pa.scalar(value).cast(arrow).as_py()


def _microseconds(schema: pa.Schema) -> pa.Schema:
    """A schema with times as Spark holds them."""
    return pa.schema(
        [
            field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
            for field in schema
        ]
    )


def _spark_type(arrow: pa.DataType) -> str:
    name = sql_type(arrow)
    return "TIMESTAMP_NTZ" if name == "TIMESTAMP" else name


def _sql_name(kind: str) -> str:
    name = kind.upper()
    return "TIMESTAMP" if name == "TIMESTAMP_NTZ" else name


@contextmanager
def _task_failures() -> Iterator[None]:
    """Raise on the driver what a task raised."""
    try:
        yield
    except PySparkException as error:
        raised = _RAISED.findall(str(error))
        if not raised:
            raise
        kind, message = raised[-1]
        raise _FAILURES[kind](message) from error
