"""How far each stage of a running stack is, and how fresh the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg

from catalog.catalogue import Catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.lake import backoff, rebuilds
from glue_jobs.lake.backoff import Wait
from glue_jobs.lake.catalog_check import check_tables
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES, Commit
from glue_jobs.lake.freshness import newest_look
from glue_jobs.lake.layout import from_iso, utc_now
from glue_jobs.lake.source_state import SourceState
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime.connections import connect, explain
from glue_jobs.sources.mass_deletes import MassDeletes
from glue_jobs.transformation import hand_over
from glue_jobs.transformation.hand_over import HandOver
from glue_jobs.transformation.work import Progress
from glue_jobs.warehouse.offsets import foreign, read_offsets
from lakehouse.drive import JOBS
from lakehouse.terminal import ago, counted, lasting


@dataclass(frozen=True)
class StageStatus:
    """One stage: its last batch (0 for none), when it was committed (UTC), how many batches wait for it."""

    stage: str
    job: str
    last_batch: int
    committed_at: str | None
    waiting: int


@dataclass(frozen=True)
class PausedDeletion:
    """A table that lost many rows at once: how many of how many, since when (UTC), whether released."""

    table: str
    missing: int
    live: int
    since: str
    released: bool


@dataclass(frozen=True)
class PausedTable:
    """A source table that is not captured.

    Attributes:
        table: The table.
        since: When the snapshot of the capture that first held it was taken (UTC).
        reason: Why, and what to do.
        dead_letters: Its rows that are quarantined and are still to be captured.
    """

    table: str
    since: str
    reason: str
    dead_letters: int


@dataclass(frozen=True)
class Status:
    """A stack's state.

    Attributes:
        stages: In the order in which a batch passes them.
        looked_at: When the source was last looked at (UTC), changed or not.
        loaded_snapshot_at: When the snapshot of the last loaded batch was taken (UTC).
        freshness_seconds: How old the state of the source is that the warehouse shows: since the last look
            where nothing waits, else since the last loaded snapshot.
        open_dead_letters: Rejected rows that nothing newer has replaced, and rows of paused tables that are
            quarantined.
        held: The source tables that are paused.
        unstated_columns: By table, columns of the source that its contract does not state.
        held_deletions: Mass deletes that wait for `lakehouse release`.
        handed_over: The batches that Spark was asked to take and has not built yet.
        foreign_warehouse: Why what the warehouse holds is not this lake's; nothing where it is.
        waits: The jobs that are not tried again before some time, since they can only end as before.
        is_scheduled: Whether runs start by themselves; nothing where that is not known.
        catalog_faults: Tables and views that the catalog lacks, or shows otherwise than contracts state them.
    """

    stages: tuple[StageStatus, ...]
    looked_at: str | None
    loaded_snapshot_at: str | None
    freshness_seconds: float | None
    open_dead_letters: int
    held: tuple[PausedTable, ...]
    unstated_columns: Mapping[str, Sequence[str]]
    held_deletions: tuple[PausedDeletion, ...] = ()
    handed_over: HandOver | None = None
    foreign_warehouse: str | None = None
    catalog_faults: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    is_scheduled: bool | None = False

    def as_dict(self) -> dict[str, Any]:
        """The status as plain data."""
        return {**asdict(self), "needs_a_person": list(self.needs_a_person)}

    @property
    def needs_a_person(self) -> tuple[str, ...]:
        """What no run mends by itself, each with the command or the place to look."""
        deletions = [held.table for held in self.held_deletions if not held.released]
        found = [f"{held.table} is paused" for held in self.held]
        found += [f"a mass delete of {table} waits: lakehouse release" for table in deletions]
        found += [f"{wait.job} waits: {wait.reason}" for wait in self.waits]
        if self.open_dead_letters:
            found.append(
                f"{counted(self.open_dead_letters, 'unresolved dead letter')}: lakehouse dead-letters"
            )
        if self.foreign_warehouse is not None:
            found.append("the warehouse is not this lake's: lakehouse rebuild")
        return tuple(found)


def read_status(
    lake: LakeClients,
    warehouse: str | None,
    catalogue: Catalogue,
    is_scheduled: bool | None = False,
) -> Status:
    """Read the status of a stack.

    Args:
        lake: Its clients.
        warehouse: The DSN of the warehouse, whose own offset is the truth about the load; nothing where it is
            out of reach, and the last commit of the load is believed.
        catalogue: The contracts.
        is_scheduled: Whether runs start by themselves; nothing where that is not known.

    Raises:
        UserError: The warehouse cannot be reached.
    """
    s3, bucket = lake.s3, lake.ingestion
    latest = {stage: lake.log(stage).latest() for stage in STAGES}
    batches = {stage: commit.last_batch if commit else 0 for stage, commit in latest.items()}
    committed = {stage: commit.committed_at if commit else None for stage, commit in latest.items()}
    foreign_warehouse = None
    if warehouse is not None:
        batches["load"], foreign_warehouse = _loaded_batch(lake, warehouse)
    stages = tuple(
        StageStatus(stage, JOBS[stage], batches[stage], committed[stage], batches["capture"] - batches[stage])
        for stage in STAGES
    )
    look = newest_look(lake, catalogue)
    looked_at = None if look is None else look.captured_at
    loaded = lake.log("capture").get(batches["load"]) if batches["load"] else None
    snapshot_at = from_iso(str(loaded.captured_at)) if loaded else None
    idle = batches["load"] == batches["capture"] and snapshot_at is not None
    as_of = max(filter(None, (looked_at, snapshot_at)), default=None) if idle else snapshot_at
    held = paused_tables(latest["capture"])
    progress = Progress(
        captured=lake.log("capture").latest_sequence(),
        latest=latest,
        requested=lake.log(rebuilds.STAGE).latest_sequence(),
    )
    return Status(
        stages=stages,
        looked_at=_text(looked_at),
        loaded_snapshot_at=_text(snapshot_at),
        freshness_seconds=None if as_of is None else round((utc_now() - as_of).total_seconds(), 1),
        open_dead_letters=sum(ValidationState.of(latest["validate"]).unresolved_rows.values())
        + sum(table.dead_letters for table in held),
        held=held,
        unstated_columns={} if look is None else look.unstated_columns,
        held_deletions=paused_deletions(MassDeletes(s3, bucket)),
        handed_over=hand_over.unanswered(lake, progress),
        foreign_warehouse=foreign_warehouse,
        catalog_faults=tuple(map(str, check_tables(lake, catalogue, catalogue.zones))),
        waits=tuple(backoff.waiting(s3, bucket)),
        is_scheduled=is_scheduled,
    )


def paused_deletions(deletes: MassDeletes) -> tuple[PausedDeletion, ...]:
    """The mass deletes that wait, in the order of their tables."""
    return tuple(
        PausedDeletion(
            delete.table, delete.missing, delete.live, deletes.first(delete), deletes.is_resumed(delete)
        )
        for delete in deletes.waiting()
    )


def paused_tables(capture: Commit | None) -> tuple[PausedTable, ...]:
    """The tables that the newest capture's commit says are held."""
    return tuple(
        PausedTable(table, state.pause.since, state.pause.reason, state.pause.quarantined)
        for table, state in sorted(SourceState.of(capture).tables.items())
        if state.pause is not None
    )


def _loaded_batch(lake: LakeClients, dsn: str) -> tuple[int, str | None]:
    """The last batch of this lake that is wholly loaded, and why the warehouse is not this lake's, if so."""
    with connect(dsn, "warehouse", "lakehouse status") as connection:
        try:
            positions = read_offsets(connection, WAREHOUSE_SCHEMA)
            reason = foreign(connection, WAREHOUSE_SCHEMA, lake, positions)
        except psycopg.Error as error:
            raise explain(error, "warehouse") from error
    return (0 if reason else min(position.last_batch for position in positions.values())), reason


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds") + "Z"


def status_text(status: Status, now: datetime | None = None) -> str:
    """The status as a person reads it: times as how long ago they were.

    Args:
        status: The status.
        now: The time now; the clock's unless given.
    """

    def since_text(moment: str | None) -> str:
        return "-" if not moment else ago(from_iso(moment), now)

    lines = [f"{'stage':<12}{'last batch':>10}{'waiting':>9}  committed"]
    lines += [
        f"{stage.stage:<12}{stage.last_batch:>10}{stage.waiting:>9}  {since_text(stage.committed_at)}"
        for stage in status.stages
    ]
    fresh = "-" if status.freshness_seconds is None else f"{lasting(status.freshness_seconds)} old"
    schedule = (
        "on: runs start by themselves" if status.is_scheduled else "off: lakehouse run, or up --schedule"
    )
    lines += [
        "",
        f"the warehouse                {fresh}",
        f"last loaded snapshot         {since_text(status.loaded_snapshot_at)}",
        f"last look at the source      {since_text(status.looked_at)}",
        f"the schedule                 {schedule}",
        f"unresolved dead letters      {status.open_dead_letters:,}",
    ]
    lines += [f"the catalog                  {fault}; lakehouse run" for fault in status.catalog_faults]
    if status.foreign_warehouse is not None:
        reason = f"not this lake's: {status.foreign_warehouse}; nothing is loaded before lakehouse rebuild"
        lines += [f"the warehouse                {reason}"]
    lines += [
        f"{wait.job + ' waits':<29}failed first {since_text(wait.since)}, tried again"
        f" {since_text(wait.until)}: {wait.reason} lakehouse retry"
        for wait in status.waits
    ]
    if status.handed_over is not None:
        request = status.handed_over
        batches = f"batches {request.first_batch} to {request.last_batch}"
        lines += [f"handed over to Spark         {batches}, {since_text(request.asked_at)}: {request.reason}"]
    lines += [
        f"held deletion                {held.table}: {held.missing:,} of {held.live:,} rows gone, "
        f"{since_text(held.since)}{', released' if held.released else ''}"
        for held in status.held_deletions
    ]
    for held in status.held:
        paused = f"was paused {since_text(held.since)}" if held.since else "is paused"
        lines += [f"\n{held.table} {paused}, with {counted(held.dead_letters, 'dead letter')}:"]
        lines += [f"  {held.reason}"]
    lines += [
        f"\n{table} has columns that its contract does not state, and that are left out: {', '.join(columns)}"
        for table, columns in sorted(status.unstated_columns.items())
    ]
    return "\n".join(lines)
