"""Judging captured batches: check the objects, judge rows by the rules, split them, commit the verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from catalog.spark import spark_schema
from expectations import report, verdict
from expectations.rules import Suite
from expectations.verdict import Judge, Verdict
from glue_jobs.lake import held_verdicts, layout
from glue_jobs.lake.commits import Commit, CommitConflict, Partition, TableCommit
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.verdicts import VERDICTS, result_key
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.errors import UserError
from glue_jobs.star import gates, open_letters, read, write
from glue_jobs.star.conditions import judges
from glue_jobs.star.context import Context
from glue_jobs.star.stage import Stage, plan_for

_METHOD_LIMIT = "spark.sql.codegen.hugeMethodLimit"
_HOTSPOT_LIMIT = 8_000
"""Bytes of a method beyond which HotSpot does not compile it."""


class BatchHeld(UserError):  # noqa: N818 - named for what was done
    """So much of a batch would be rejected that a person has to look at it first; nothing was committed."""


@dataclass(frozen=True)
class Limits:
    """What may be rejected before a person has looked.

    Attributes:
        share: Of a table's rows in one batch.
        minimum: Fewer rejected rows than this never hold a batch.
    """

    share: float = 0.2
    minimum: int = 10


@dataclass(frozen=True)
class Judgement:
    """What a run found and wrote.

    Attributes:
        tables: What the commit says of each table.
        verdicts: By table and batch.
        open: What is open then, by table.
    """

    tables: Mapping[str, TableCommit]
    verdicts: Mapping[str, Mapping[int, Verdict]]
    open: Mapping[str, open_letters.Open]

    @property
    def state(self) -> dict[str, Any]:
        """What the commit keeps of it."""
        return {
            VERDICTS: {
                table: {str(batch): asdict(found) for batch, found in by_batch.items()}
                for table, by_batch in self.verdicts.items()
            },
            layout.OPEN_DEAD_LETTERS: open_letters.write_state(self.open),
        }


def validate(
    stage: Stage,
    session: Callable[[], SparkSession],
    suites: Mapping[str, Suite],
    limits: Limits = Limits(),
) -> int:
    """Judge everything that waits and commit one verdict over it.

    Args:
        stage: The stage ``validate``.
        session: Gives the Spark session; asked only if rows wait.
        suites: The rules by raw table.
        limits: What may be rejected before a person has looked.

    Returns:
        The exit code: 0 also when nothing waited or another attempt was first.

    Raises:
        BatchHeld: More would be rejected than the limits allow; nothing was committed.
    """
    began = layout.utc_now()
    latest = stage.mended()
    if latest is not None:
        show_results(stage, latest, suites)
    waiting = stage.waiting(latest)
    if not waiting:
        log.info("validate.nothing_waits")
        return 0
    attempt = layout.new_attempt()
    found = judged(stage, session, suites, limits, latest, waiting, attempt)
    log.step("validate.judged", batch=waiting[-1].last_batch, tables=len(found.tables))
    try:
        commit = stage.commit(latest, attempt, waiting, dict(found.tables), found.state)
    except CommitConflict:
        log.info("validate.stepped_aside", batch=waiting[-1].last_batch)
        return 0
    seconds = (layout.utc_now() - began).total_seconds()
    stage.show(commit, seconds)
    show_results(stage, commit, suites)
    log.step("validate.published", sequence=commit.sequence, batch=commit.last_batch)
    for name, table in commit.tables.items():
        log.info("validate.table", table=name, batch=commit.last_batch, **table.counts)
    _tell_broken(suites, found.verdicts)
    opened = sum(one.rows for one in found.open.values())
    _tell_how_many(commit, opened)
    log.info("validate.done", batch=commit.last_batch, open=opened, seconds=round(seconds, 3))
    return 0


def _tell_how_many(commit: Commit, opened: int) -> None:
    """Emit what an alarm stands on: the share of the rows that was rejected, and what is open by now."""
    read, rejected = (
        sum(t.counts.get(name, 0) for t in commit.tables.values()) for name in ("read", "rejected")
    )
    share = round(100 * rejected / read, 3) if read else 0.0
    values = {"rows_rejected": rejected, "percent_rejected": share, "dead_letters_open": opened}
    metrics.emit({"job": "validate_raw"}, values)


def judged(
    stage: Stage,
    session: Callable[[], SparkSession],
    suites: Mapping[str, Suite],
    limits: Limits,
    latest: Commit | None,
    waiting: Sequence[Commit],
    attempt: str,
) -> Judgement:
    """Judge captured batches, write what is split, and say what is accepted.

    Raises:
        ChecksumMismatch: An object is not what its commit says.
        GateError: An object does not hold the rows that its commit names.
        BatchHeld: More would be rejected than the limits allow.
    """
    held = open_letters.read_state(latest)
    captured: dict[str, list[Partition]] = {}
    for commit in waiting:
        for name, table in commit.tables.items():
            captured.setdefault(name, []).extend(p for p in table.partitions if p.rows)
    captured = {name: captured[name] for name in sorted(captured) if captured[name]}
    if not captured:
        return Judgement({}, {}, held)
    spark = session()
    plan_for(spark, sum(partition.rows for found in captured.values() for partition in found))
    sequence = latest.sequence + 1 if latest else 1
    court = Court(stage, spark, suites, {commit.sequence: commit for commit in waiting}, attempt, sequence)
    rows = {name: court.raw(name, partitions) for name, partitions in captured.items()}
    with _compiled_in_parts(spark):
        by_table = court.verdicts(rows)
    for name, partitions in captured.items():
        _check_all_read(name, partitions, by_table[name])
    _check_limits(stage, suites, by_table, limits)
    tables, opened = {}, dict(held)
    for name, partitions in captured.items():
        tables[name] = court.split(name, partitions, by_table[name], rows)
        opened[name] = court.still_open(name, held.get(name, open_letters.Open()), tables[name], rows[name])
    return Judgement(tables, by_table, opened)


@contextmanager
def _compiled_in_parts(spark: SparkSession) -> Iterator[None]:
    """Have Spark cut what would compile to a method that the JVM only interprets.

    All rules of a table are one large expression. Those that split its rows are few, and gain from being
    compiled whole.
    """
    before = str(spark.conf.get(_METHOD_LIMIT))
    spark.conf.set(_METHOD_LIMIT, _HOTSPOT_LIMIT)
    try:
        yield
    finally:
        spark.conf.set(_METHOD_LIMIT, before)


class Court:
    """One run's judging: the judges, and what rows are judged against.

    Args:
        stage: The stage ``validate``.
        spark: The session.
        suites: The rules by raw table.
        captures: By batch, the capture that knows which rows were there.
        attempt: Names what the run writes.
        sequence: The verdict that the run is to commit.
    """

    def __init__(
        self,
        stage: Stage,
        spark: SparkSession,
        suites: Mapping[str, Suite],
        captures: Mapping[int, Commit],
        attempt: str,
        sequence: int,
    ) -> None:
        self._stage = stage
        self._spark = spark
        self._bucket = stage.buckets["ingestion"]
        self._captures = captures
        self._label = layout.version_label(sequence, attempt)
        self._sequence = sequence
        self.judges = judges(stage.catalogue, suites, lambda: spark)

    def raw(self, table: str, partitions: Iterable[Partition]) -> DataFrame:
        """The captured rows of some partitions of a table, checked."""
        found = [data for partition in partitions for data in partition.objects if data.rows]
        return read.raw_rows(
            self._spark, self._stage.s3, self._bucket, self._stage.catalogue.raw[table], found
        )

    def verdicts(self, rows: Mapping[str, DataFrame]) -> dict[str, dict[int, Verdict]]:
        """The verdict on every table and batch: one Spark job for all tables."""
        counted = [
            verdict.tallied(self.marked(self.judges[table], found, rows), self.judges[table])
            for table, found in rows.items()
        ]
        by_table: dict[str, list[Row]] = {table: [] for table in rows}
        for row in reduce(DataFrame.unionByName, counted).collect():
            by_table[row[verdict.TABLE]].append(row)
        return {table: verdict.verdicts(self.judges[table], found) for table, found in by_table.items()}

    def split(
        self,
        table: str,
        partitions: Sequence[Partition],
        found: Mapping[int, Verdict],
        rows: Mapping[str, DataFrame],
    ) -> TableCommit:
        """Pass on captured objects themselves where nothing is rejected; write the others in two parts."""
        accepted, dead = [], []
        for partition in partitions:
            said = found[int(partition.values["batch"])]
            if not said.rejected:
                accepted.append(partition)
                continue
            kept, letters = self._written(self.judges[table].narrowed(said.broken), partition, rows)
            accepted.append(kept)
            if letters.rows:
                dead.append(letters)
        total = Verdict()
        for one in found.values():
            total.read += one.read
            total.rejected += one.rejected
            total.warned += one.warned
        counts = {
            "read": total.read,
            "accepted": total.read - total.rejected,
            "rejected": total.rejected,
            "warned": total.warned,
        }
        gates.check_split(
            table,
            counts["accepted"],
            counts["rejected"],
            sum(p.rows for p in accepted),
            sum(p.rows for p in dead),
        )
        return TableCommit(counts=counts, partitions=tuple(accepted), dead_letters=tuple(dead))

    def still_open(
        self, table: str, held: open_letters.Open, commit: TableCommit, rows: DataFrame
    ) -> open_letters.Open:
        """The open dead letters of a table after this run."""
        if not held.rows and not commit.dead_letters:
            return held
        key = self._stage.catalogue.raw[table].key[0]
        letters = open_letters.listed(self._spark, self._stage.s3, self._bucket, held)
        if commit.dead_letters:
            letters = letters.unionByName(self._rejected_keys(table, key, commit.dead_letters))
        first = min((int(one.values["batch"]) for one in commit.dead_letters), default=0)
        if held.rows or first < max(self._captures):
            arrived = rows.select(F.col(key).cast("bigint").alias(open_letters.KEY), verdict.BATCH)
            letters = open_letters.still_open(letters, arrived)
        return open_letters.keep(letters, self._stage.s3, self._bucket, table, self._label)

    def _rejected_keys(self, table: str, key: str, partitions: Sequence[Partition]) -> DataFrame:
        contract = self._stage.catalogue.dead_letter[table]
        reader = self._spark.read.schema(spark_schema(contract, with_partitions=True))
        reader = reader.option("basePath", read.uri(self._bucket, contract.prefix))
        found = [read.uri(self._bucket, data.key) for partition in partitions for data in partition.objects]
        return reader.parquet(*found).select(
            F.col(key).cast("bigint").alias(open_letters.KEY),
            F.col("version_id").alias(open_letters.VERSION),
            F.col(verdict.BATCH).cast("bigint").alias(open_letters.BATCH),
            F.lit(self._sequence).cast("bigint").alias(open_letters.SEQUENCE),
        )

    def marked(self, judge: Judge, found: DataFrame, rows: Mapping[str, DataFrame]) -> DataFrame:
        """Rows of a table with what they break.

        Args:
            judge: The rules.
            found: The rows.
            rows: By table, the rows that wait, which rules may look into.
        """
        stage = self._stage
        context = Context(self._spark, stage.s3, stage.catalogue, stage.buckets, self._captures, rows)
        return verdict.marked(context.complete(judge.suite, found), judge)

    def _written(
        self, judge: Judge, partition: Partition, rows: Mapping[str, DataFrame]
    ) -> tuple[Partition, Partition]:
        stage, table = self._stage, judge.suite.contract.table
        raw, letters = stage.catalogue.raw[table], stage.catalogue.dead_letter[table]
        day, batch = date.fromisoformat(partition.values["captured_date"]), int(partition.values["batch"])
        marked = self.marked(judge, rows[table].where(F.col(verdict.BATCH) == batch), rows)
        accepted, rejected = verdict.split(marked, judge)
        parts = []
        # Rejected rows are few; brought together, they are found by all tasks and written by one.
        for contract, prefix, part in (
            (raw, layout.accepted_prefix(raw), accepted),
            (letters, letters.prefix, rejected.repartition(1)),
        ):
            location = layout.verdict_location(prefix, day, batch, self._label)
            found = write.write_as_it_lies(
                part, stage.s3, self._bucket, location, spark_schema(contract), contract.key[0]
            )
            parts.append(Partition(partition.values, location, found))
        log.step("validate.split", table=table, batch=batch, rejected=parts[1].rows)
        return parts[0], parts[1]


def show_results(stage: Stage, commit: Commit, suites: Mapping[str, Suite]) -> None:
    """Write the validation results of a commit, each once, as Great Expectations reads them."""
    for table, by_batch in commit.state.get(VERDICTS, {}).items():
        if table not in suites:
            continue
        for batch, stated in by_batch.items():
            found = Verdict(**stated)
            meta = {
                "table": table,
                "batch": int(batch),
                "sequence": commit.sequence,
                "judged_at": commit.committed_at,
                **{name: stated[name] for name in ("read", "rejected", "warned", "deletions")},
            }
            judged_rows = found.read - found.deletions
            document = report.validation_result(suites[table], judged_rows, found.broken, found.empty, meta)
            key = result_key(table, int(batch))
            body = json.dumps(document, sort_keys=True).encode()
            put_new(stage.s3, stage.buckets["ingestion"], key, body, ContentType="application/json")


def _check_all_read(name: str, partitions: Iterable[Partition], found: Mapping[int, Verdict]) -> None:
    named: dict[int, int] = {}
    for partition in partitions:
        batch = int(partition.values["batch"])
        named[batch] = named.get(batch, 0) + partition.rows
    for batch, rows in named.items():
        gates.check_captured(name, batch, rows, found[batch].read if batch in found else 0)


def _check_limits(
    stage: Stage,
    suites: Mapping[str, Suite],
    by_table: Mapping[str, Mapping[int, Verdict]],
    limits: Limits,
) -> None:
    """Hold what would reject too much, unless a person has let exactly this through."""
    bucket = stage.buckets["ingestion"]
    held, words = {}, []
    for table, by_batch in by_table.items():
        rejecting = {rule.name for rule in suites[table].rules if rule.severity == "reject"}
        for batch, found in by_batch.items():
            if verdict.too_many(found, limits.share, limits.minimum):
                rules = {name: rows for name, rows in found.broken.items() if name in rejecting}
                worst = max(rules, key=lambda name: rules[name])
                held[f"{table}/{batch}"] = {"read": found.read, "rejected": found.rejected, "rules": rules}
                words.append(
                    f"{found.rejected} of {found.read} rows of {table} in batch {batch} (most by {worst})"
                )
    if not held or held_verdicts.is_released(stage.s3, bucket, held):
        return
    release_key = held_verdicts.hold(stage.s3, bucket, held, layout.iso(layout.utc_now()))
    log.error("validate.held", held=held, release_key=release_key)
    metrics.emit({"job": "validate_raw"}, {"verdicts_held": len(held)})
    raise BatchHeld(
        f"Held: the rules would reject {'; '.join(words)}, more than {limits.share:.0%}.",
        "Nothing was committed, and later batches wait. If a rule is wrong, correct it and run again. If "
        "the rows are wrong, let them go to the dead letters: lakehouse release --rejected, or put the "
        f"object {release_key}.",
    )


def _tell_broken(suites: Mapping[str, Suite], by_table: Mapping[str, Mapping[int, Verdict]]) -> None:
    for table, by_batch in by_table.items():
        severities = {rule.name: rule.severity for rule in suites[table].rules}
        for batch, found in by_batch.items():
            for rule, rows in found.broken.items():
                log.warning(
                    "validate.broken",
                    table=table,
                    batch=batch,
                    rule=rule,
                    severity=severities[rule],
                    rows=rows,
                )
