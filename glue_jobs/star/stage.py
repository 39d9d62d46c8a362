"""A stage: mend what the last run left, drain what waits, commit once, show it in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from catalog.catalogue import Catalogue
from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitConflict, CommitLog, TableCommit
from glue_jobs.lake.publish import publish
from glue_jobs.lake.rebuilds import Rebuilt, requested
from glue_jobs.runtime import log
from glue_jobs.star.tables import Build, Built

THREADS = 4
"""Tables that are built at once in one session; small ones spend most of their time in planning."""

SMALL_RUN = 50_000
"""Waiting rows up to which a run counts as small."""

SMALL_PLAN = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    # Compiling a query and describing it for a user interface takes longer than these rows do.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.ui.explainMode": "simple",
}
"""How a small run is planned."""


@dataclass(frozen=True)
class Arguments:
    """Arguments of the Spark jobs.

    Attributes:
        ingestion_bucket: Bucket of the raw zone, the ops zone and the commits.
        processed_bucket: Bucket of the star.
        schema_registry: Schema registry that holds the contracts of the captured tables.
    """

    ingestion_bucket: str
    processed_bucket: str
    schema_registry: str

    @property
    def buckets(self) -> dict[str, str]:
        """Real bucket name by logical name."""
        return {"ingestion": self.ingestion_bucket, "processed": self.processed_bucket}


@dataclass(frozen=True)
class Stage:
    """One stage and what it works with.

    Attributes:
        name: The stage whose commits it publishes.
        reads: The stage whose commits it drains.
        s3: A boto3 ``s3`` client.
        glue: A boto3 ``glue`` client.
        catalogue: The contracts.
        buckets: Real bucket name by logical name.
    """

    name: str
    reads: str
    s3: Any
    glue: Any
    catalogue: Catalogue
    buckets: Mapping[str, str]

    @property
    def log(self) -> CommitLog:
        """The stage's own commits."""
        return CommitLog(self.s3, self.buckets["ingestion"], self.name)

    def mended(self) -> Commit | None:
        """The stage's newest commit, shown in the catalogue again in case its run died before it could."""
        latest = self.log.latest()
        if latest is not None:
            self.show(latest)
            log.step(f"{self.name}.mended", sequence=latest.sequence)
        return latest

    def waiting(self, latest: Commit | None) -> list[Commit]:
        """The commits of the stage before that this one has not covered."""
        source = CommitLog(self.s3, self.buckets["ingestion"], self.reads)
        return source.covering(latest.last_batch if latest else 0)

    def commit(
        self,
        latest: Commit | None,
        attempt: str,
        waiting: list[Commit],
        tables: Mapping[str, TableCommit],
        state: Mapping[str, Any],
        *,
        anew: bool = False,
    ) -> Commit:
        """Publish one commit that covers everything that waited; from the first batch on, if it begins anew.

        Raises:
            CommitConflict: Another attempt was first; nothing of this one is visible.
        """
        covered = latest.last_batch if latest and not anew else 0
        commit = Commit(
            stage=self.name,
            sequence=latest.sequence + 1 if latest else 1,
            attempt=attempt,
            committed_at=layout.iso(layout.utc_now()),
            first_batch=max(covered + 1, waiting[0].first_batch),
            last_batch=waiting[-1].last_batch,
            tables=tables,
            state={**state, **_captured_at(waiting)},
        )
        self.log.publish(commit)
        log.step(f"{self.name}.committed", sequence=commit.sequence, batch=commit.last_batch)
        return commit

    def show(self, commit: Commit, seconds: float = 0.0) -> None:
        """Project a commit into the catalogue and the ops zone, idempotently."""
        publish(self.s3, self.glue, self.catalogue, self.buckets, commit, seconds)


def drain(
    stage: Stage,
    session: Callable[[], SparkSession],
    tables: Callable[[Build], Iterable[Callable[[], Mapping[str, Built]]]],
) -> int:
    """Build the tables of a star stage from everything that waits, and publish them in one commit.

    Where a rebuild was asked for they are built from everything that was ever accepted, as if nothing of them
    were there; the commit takes the place of what was.

    Args:
        stage: The stage.
        session: Gives the Spark session; asked only if something waits.
        tables: Gives the work on a building site, one piece for each table; pieces run side by side.

    Returns:
        The exit code: 0 also when nothing waited or another attempt was first.
    """
    began = layout.utc_now()
    latest = stage.mended()
    sequence = latest.sequence + 1 if latest else 1
    rebuilt = Rebuilt.of(latest)
    asked = requested(stage.s3, stage.buckets["ingestion"])
    anew = asked > rebuilt.request
    base = None if anew else latest
    waiting = stage.waiting(base)
    if not waiting:
        log.info(f"{stage.name}.nothing_waits")
        return 0
    if anew:
        rebuilt = Rebuilt(asked, sequence)
        log.info(f"{stage.name}.rebuilds", request=asked)
    attempt = layout.new_attempt()
    label = layout.version_label(sequence, attempt)
    spark = session()
    plan_for(spark, sum(table.counts.get("accepted", 0) for one in waiting for table in one.tables.values()))
    build = Build(spark, stage.s3, stage.catalogue, stage.buckets, stage.log, label, base, waiting)
    log.step(f"{stage.name}.read", batch=waiting[-1].last_batch, commits=len(waiting))
    try:
        built = together(tables(build))
    finally:
        build.release()
    log.step(f"{stage.name}.written", batch=waiting[-1].last_batch)
    state = {"tables": {name: table.held.state for name, table in built.items()}, **rebuilt.state}
    tables_of = {name: table.commit for name, table in built.items()}
    try:
        commit = stage.commit(latest, attempt, waiting, tables_of, state, anew=anew)
    except CommitConflict:
        log.info(f"{stage.name}.stepped_aside", batch=waiting[-1].last_batch)
        return 0
    seconds = (layout.utc_now() - began).total_seconds()
    stage.show(commit, seconds)
    log.step(f"{stage.name}.published", sequence=commit.sequence, batch=commit.last_batch)
    for name, table in commit.tables.items():
        log.info(f"{stage.name}.table", table=name, batch=commit.last_batch, **table.counts)
    log.info(f"{stage.name}.done", batch=commit.last_batch, seconds=round(seconds, 3))
    return 0


def plan_for(spark: SparkSession, rows: int) -> None:
    """Have small runs planned once and in few tasks: re-planning at every stage costs more than they do.

    Args:
        spark: The session.
        rows: Rows that wait; many of them are planned as the session was set up from outside.
    """
    outside = spark.sparkContext.getConf()
    for name, value in SMALL_PLAN.items():
        # Unsetting alone would bring back Spark's own default, not what the session was started with.
        planned = value if rows <= SMALL_RUN else outside.get(name)
        if planned is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, planned)


def together(work: Iterable[Callable[[], Mapping[str, Built]]]) -> dict[str, Built]:
    """Run pieces of work side by side and put their tables together, in the order of their names.

    Raises:
        Exception: The first piece's, once all have ended.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(piece) for piece in work]
    found = {name: built for piece in running for name, built in piece.result().items()}
    return {name: found[name] for name in sorted(found)}


def _captured_at(waiting: list[Commit]) -> dict[str, Any]:
    stated = waiting[-1].state.get("captured_at")
    return {"captured_at": stated} if stated else {}
