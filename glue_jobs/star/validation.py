"""Judging captured batches: check the objects, read them by contract, count, commit the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitConflict, Partition, TableCommit
from glue_jobs.runtime import log
from glue_jobs.star import gates, read, verdicts
from glue_jobs.star.stage import Stage

_TABLE = "table"


def validate(stage: Stage, session: Callable[[], SparkSession]) -> int:
    """Judge everything that waits and commit one verdict over it.

    Args:
        stage: The stage ``validate``.
        session: Gives the Spark session; asked only if rows wait.

    Returns:
        The exit code: 0 also when nothing waited or another attempt was first.
    """
    began = layout.utc_now()
    latest = stage.mended()
    waiting = stage.waiting(latest)
    if not waiting:
        log.info("validate.nothing_waits")
        return 0
    tables = verdicts_on(stage, session, waiting)
    log.step("validate.judged", batch=waiting[-1].last_batch, tables=len(tables))
    try:
        commit = stage.commit(latest, layout.new_attempt(), waiting, tables, {})
    except CommitConflict:
        log.info("validate.stepped_aside", batch=waiting[-1].last_batch)
        return 0
    seconds = (layout.utc_now() - began).total_seconds()
    stage.show(commit, seconds)
    log.step("validate.published", sequence=commit.sequence, batch=commit.last_batch)
    for name, table in commit.tables.items():
        log.info("validate.table", table=name, batch=commit.last_batch, **table.counts)
    log.info("validate.done", batch=commit.last_batch, seconds=round(seconds, 3))
    return 0


def verdicts_on(
    stage: Stage, session: Callable[[], SparkSession], waiting: Sequence[Commit]
) -> dict[str, TableCommit]:
    """The verdict on each table of captured batches: what is accepted, and how many rows there were.

    Raises:
        ChecksumMismatch: An object is not what its commit says.
        GateError: An object does not hold the rows that its commit names.
    """
    captured: dict[str, list[Partition]] = {}
    for commit in waiting:
        for name, table in commit.tables.items():
            captured.setdefault(name, []).extend(p for p in table.partitions if p.rows)
    captured = {name: captured[name] for name in sorted(captured) if captured[name]}
    if not captured:
        return {}
    spark = session()
    counted = []
    for name, partitions in captured.items():
        found = [data for partition in partitions for data in partition.objects if data.rows]
        rows = read.raw_rows(spark, stage.s3, stage.buckets["ingestion"], stage.catalogue.raw[name], found)
        counted.append(verdicts.tallied(verdicts.judged(rows)).withColumn(_TABLE, F.lit(name)))
    # One Spark job for all tables.
    seen = {
        (row[_TABLE], row[verdicts.BATCH]): row for row in reduce(DataFrame.unionByName, counted).collect()
    }
    return {name: _verdict(name, partitions, seen) for name, partitions in captured.items()}


def _verdict(name: str, partitions: Sequence[Partition], seen: Mapping[tuple[str, int], Row]) -> TableCommit:
    """Pass on the captured objects themselves, since nothing in them is rejected."""
    named: dict[int, int] = {}
    for partition in partitions:
        batch = int(partition.values["batch"])
        named[batch] = named.get(batch, 0) + partition.rows
    counted = {batch: seen[name, batch] for batch in named if (name, batch) in seen}
    for batch, rows in named.items():
        gates.check_captured(name, batch, rows, counted[batch][verdicts.READ] if batch in counted else 0)
    read_rows = sum(row[verdicts.READ] for row in counted.values())
    rejected = sum(row[verdicts.REFUSED] for row in counted.values())
    counts = {"read": read_rows, "accepted": read_rows - rejected, "rejected": rejected}
    return TableCommit(counts=counts, partitions=tuple(partitions))
