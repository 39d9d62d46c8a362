"""Replay: open dead letters are judged again by today's rules; what passes is a new batch of captured rows.

The new batch is a commit of the capture's own log, which carries on the state of the capture before it. So
nothing can come between looking for newer versions and sending a row on: of two that commit one steps aside.
A dead letter is open only while nothing newer of its key was captured, so the row is still what the source
held at the last capture, and says so in ``captured_at``. Validation of the new batch then closes the dead
letter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

from catalog.spark import spark_schema
from expectations import verdict
from expectations.rules import Suite
from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitConflict, CommitLog, Partition, TableCommit
from glue_jobs.lake.publish import publish
from glue_jobs.runtime import log
from glue_jobs.star import open_letters, read, write
from glue_jobs.star.stage import Stage, plan_for
from glue_jobs.star.validation import Court

REPLAYED = "replayed"
"""Where the commit keeps, by table, how many rows it sends on and which batches they came with."""

_PLACE = "_place"


def replay(stage: Stage, session: Callable[[], SparkSession], suites: Mapping[str, Suite]) -> int:
    """Judge every open dead letter again and send on what passes.

    Args:
        stage: The stage ``validate``.
        session: Gives the Spark session; asked only if something is open.
        suites: Today's rules by raw table.

    Returns:
        The exit code: 0 also when nothing passed, when a batch waits for its first verdict (which may close
        dead letters), or when another run was first.
    """
    captures = CommitLog(stage.s3, stage.buckets["ingestion"], "capture")
    newest, judged = captures.latest(), stage.log.latest()
    opened = open_letters.read_state(judged)
    if newest is None or judged is None or not opened:
        log.info("replay.nothing_open")
        return 0
    if judged.last_batch < newest.sequence:
        log.warning("replay.batches_wait", judged=judged.last_batch, captured=newest.sequence)
        return 0
    spark = session()
    plan_for(spark, sum(found.rows for found in opened.values()))
    attempt = layout.new_attempt()
    tables, replayed = {}, {}
    for table, found in opened.items():
        sent, batches = _sent_on(stage, spark, suites, newest, table, found, attempt)
        log.info("replay.table", table=table, open=found.rows, passed=sent.rows)
        if sent.rows:
            counts = {"read": sent.rows, "accepted": sent.rows, "rejected": 0, "new": sent.rows}
            tables[table] = TableCommit(counts=counts, partitions=(sent,))
            replayed[table] = {"rows": sent.rows, "batches": batches}
    log.step("replay.written", tables=len(tables))
    if not tables:
        log.info("replay.nothing_passes")
        return 0
    commit = replace(
        newest,
        sequence=newest.sequence + 1,
        attempt=attempt,
        committed_at=layout.iso(layout.utc_now()),
        first_batch=newest.sequence + 1,
        last_batch=newest.sequence + 1,
        tables=tables,
        state={**newest.state, REPLAYED: replayed},
    )
    try:
        captures.publish(commit)
    except CommitConflict:
        log.info("replay.stepped_aside", batch=commit.sequence)
        return 0
    log.step("replay.committed", batch=commit.sequence)
    publish(stage.s3, stage.glue, stage.catalogue, stage.buckets, commit)
    log.info(
        "replay.done", batch=commit.sequence, rows=sum(table.counts["read"] for table in tables.values())
    )
    return 0


def _sent_on(
    stage: Stage,
    spark: SparkSession,
    suites: Mapping[str, Suite],
    newest: Commit,
    table: str,
    found: open_letters.Open,
    attempt: str,
) -> tuple[Partition, list[int]]:
    """Write the open dead letters of a table that pass today, as raw rows; and the batches they came with."""
    bucket, raw = stage.buckets["ingestion"], stage.catalogue.raw[table]
    letters = open_letters.listed(spark, stage.s3, bucket, found)
    origins = letters.select(open_letters.SEQUENCE, open_letters.BATCH).distinct().collect()
    batches = sorted({row[open_letters.BATCH] for row in origins})
    # What was there then is there now: had it gone, a row of it would have been captured since.
    court = Court(stage, spark, suites, dict.fromkeys(batches, newest), attempt, 0)
    rows = _originals(stage, spark, table, letters, [(row[0], row[1]) for row in origins])
    judge = court.judges[table]
    accepted, _ = verdict.split(court.marked(judge, rows, {}), judge)
    captured_at = layout.from_iso(newest.state["captured_at"])
    sent = accepted.withColumn("captured_at", F.lit(captured_at.isoformat()).cast("timestamp_ntz"))
    location = layout.raw_location(raw, captured_at.date(), newest.sequence + 1, attempt)
    objects = write.write_table(
        sent, stage.s3, bucket, location, spark_schema(raw), raw.key, found.rows, raw.key[0]
    )
    values = {"captured_date": _day(captured_at.date()), "batch": str(newest.sequence + 1)}
    return Partition(values, location, objects), batches


def _originals(
    stage: Stage, spark: SparkSession, table: str, letters: DataFrame, origins: Sequence[tuple[int, int]]
) -> DataFrame:
    """The rows of open dead letters as captured; of several with a key and batch the newest version."""
    partitions: list[Partition] = []
    for sequence in sorted({sequence for sequence, _ in origins}):
        commit = stage.log.get(sequence)
        batches = {batch for other, batch in origins if other == sequence}
        dead = commit.tables[table].dead_letters if commit else ()
        partitions.extend(one for one in dead if int(one.values["batch"]) in batches)
    contract, raw = stage.catalogue.dead_letter[table], stage.catalogue.raw[table]
    objects = [data for one in partitions for data in one.objects]
    rows = read.raw_rows(spark, stage.s3, stage.buckets["ingestion"], contract, objects)
    key = raw.key[0]
    wanted = letters.select(*[F.col(name).alias(f"_{name}") for name in letters.columns])
    same = (
        F.col(f"_{open_letters.KEY}").eqNullSafe(F.col(key))
        & (F.col(f"_{open_letters.VERSION}") == F.col("version_id"))
        & (F.col(f"_{open_letters.BATCH}") == F.col(verdict.BATCH))
    )
    names = spark_schema(raw, with_partitions=True).names
    order = Window.partitionBy(key).orderBy(F.desc(verdict.BATCH), F.desc("version_id"), *names)
    newest = rows.join(wanted, same, "left_semi").withColumn(_PLACE, F.row_number().over(order))
    return newest.where(F.col(key).isNull() | (F.col(_PLACE) == 1)).select(*names)


def _day(day: date) -> str:
    return day.isoformat()
