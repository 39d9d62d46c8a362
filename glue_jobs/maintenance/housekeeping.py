"""Housekeeping: removes objects that nobody can need any more. Nothing else may delete.

Before that it compares the catalog with contracts and commits, all partitions included, and sets it right.

These are objects of attempts that never committed, and versions and states that were replaced for longer than
the retention. Killed at any point, the next run goes on.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Optional

from catalog.catalogue import Catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake.catalog_check import repair_partitions, repair_tables
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.publish import append_ops
from glue_jobs.lake.source_state import CaptureState, SourceState
from glue_jobs.maintenance import reach
from glue_jobs.maintenance.retention import (
    ABANDONED,
    PREFIXES,
    SUPERSEDED,
    Listed,
    Reachable,
    reason_to_remove,
)
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.s3 import list_objects

JOB = "maintain_lake"

AT_ONCE = 1000
"""Objects that S3 removes in one request."""

Found = Callable[[str, str, Listed], None]
"""Is told of every object that may go: why, its bucket's logical name, and the object."""


@dataclass(frozen=True)
class MaintainArguments:
    """The job's arguments.

    Attributes:
        ingestion_bucket: Holds the commits, the raw zone and the ops zone.
        processed_bucket: Holds the star zone.
        grace_hours: What was written within so many hours may belong to a run that has not ended.
        retention_days: For so many days a replaced version stays for those who read by an old plan.
    """

    ingestion_bucket: str
    processed_bucket: str
    grace_hours: float
    retention_days: float

    def check(self) -> None:
        """Refuse what could remove an object that a running job is about to publish, or is reading.

        Raises:
            UserError: Grace or retention is too short.
        """
        hours = max(job.timeout_minutes for job in load_pipeline().jobs.values()) / 60
        if self.grace_hours <= hours or self.retention_days * 24 <= hours:
            raise UserError(
                f"A grace of {self.grace_hours:g} hours or a retention of {self.retention_days:g} days is not"
                f" longer than a job may run ({hours:g} hours).",
                "Raise --grace_hours and --retention_days.",
            )


@dataclass
class Tally:
    """Objects and bytes of one kind in one bucket."""

    objects: int = 0
    bytes: int = 0


class RemovalError(UserError):
    """S3 refused to remove objects; the others are removed."""


def run(
    given: MaintainArguments, lake: LakeClients, catalogue: Catalogue, began: datetime
) -> dict[str, Tally]:
    """Keep house once.

    Args:
        given: The arguments.
        lake: Its clients.
        catalogue: The contracts.
        began: Now (UTC, without zone).

    Returns:
        By kind, what was removed.

    Raises:
        UserError: Grace or retention is too short, or S3 refused to remove objects.
    """
    clock = time.monotonic()
    faults = repair_tables(lake, catalogue, catalogue.zones)
    faults += repair_partitions(lake, catalogue)
    log.info("maintain.catalog", faults=len(faults))
    for table, state in _capture_states(lake).items():
        # A capture says it when a pause begins and ends; what of that was lost on its way is said again.
        metrics.emit({"job": "extract_cdc", "table": table}, {"paused": int(state.pause is not None)})
    remover = Remover(lake)
    try:
        # Commits first: what is committed after this was written within the grace.
        reachable = read(given, lake, catalogue, began)
        log.step("maintain.read")
        found = survey(given, lake, reachable, began, remover.take)
        remover.finish()
    finally:
        for kind, tally in remover.removed().items():
            log.info("maintain.removed", kind=kind, objects=tally.objects, bytes=tally.bytes)
    seconds = round(time.monotonic() - clock, 3)
    _record(lake, catalogue, began, remover.tallies, seconds)
    log.step("maintain.recorded")
    log.info("maintain.done", listed=found, seconds=seconds)
    return remover.removed()


def _capture_states(lake: LakeClients) -> Mapping[str, CaptureState]:
    """Where the newest capture left every table."""
    return SourceState.of(lake.log("capture").latest()).tables


def read(given: MaintainArguments, lake: LakeClients, catalogue: Catalogue, now: datetime) -> Reachable:
    """What somebody can still come to.

    Args:
        given: The arguments.
        lake: Its clients.
        catalogue: The contracts.
        now: UTC, without zone.

    Raises:
        UserError: Grace or retention is too short.
    """
    given.check()
    return reach.read(lake, catalogue, now - timedelta(days=given.retention_days))


def survey(
    given: MaintainArguments, lake: LakeClients, reachable: Reachable, now: datetime, found: Found
) -> int:
    """Look at every object once and tell of those that may go.

    Args:
        given: The arguments.
        lake: Its clients.
        reachable: From :func:`read`, before.
        now: When that was (UTC, without zone).
        found: Is told of each.

    Returns:
        How many objects were looked at.
    """
    looked_at = 0
    for bucket, prefix in PREFIXES:
        for listed in list_under(lake.s3, lake.buckets[bucket], prefix):
            looked_at += 1
            why = reason_to_remove(listed, reachable, now - timedelta(hours=given.grace_hours))
            if why is not None:
                found(why, bucket, listed)
    return looked_at


def list_under(s3: S3Client, bucket: str, prefix: str) -> Iterator[Listed]:
    """Every object under a prefix, page by page."""
    for entry in list_objects(s3, bucket, prefix):
        modified = entry["LastModified"].astimezone(timezone.utc).replace(tzinfo=None)
        yield Listed(entry["Key"], entry["Size"], modified)


class Remover:
    """Removes objects, many in one request.

    Args:
        lake: Its clients.
    """

    def __init__(self, lake: LakeClients) -> None:
        self.tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
        self._s3, self._buckets = lake.s3, lake.buckets
        self._bucket: Optional[str] = None
        self._waiting: list[tuple[str, Listed]] = []

    def take(self, why: str, bucket: str, listed: Listed) -> None:
        """Remove an object, now or with the next ones."""
        if bucket != self._bucket or len(self._waiting) == AT_ONCE:
            self.finish()
            self._bucket = bucket
        self._waiting.append((why, listed))

    def finish(self) -> None:
        """Remove what waits.

        Raises:
            RemovalError: S3 refused some.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting or self._bucket is None:
            return
        answer = self._s3.delete_objects(
            Bucket=self._buckets[self._bucket],
            Delete={"Objects": [{"Key": listed.key} for _, listed in waiting], "Quiet": True},
        )
        refused = {error["Key"]: error.get("Code", "") for error in answer.get("Errors", ())}
        for why, listed in waiting:
            if listed.key not in refused:
                tally = self.tallies[self._bucket, why]
                tally.objects += 1
                tally.bytes += listed.bytes
        log.step("maintain.removed", bucket=self._bucket, objects=len(waiting) - len(refused))
        if refused:
            raise RemovalError(
                f"S3 refused to remove {len(refused)} objects of {self._buckets[self._bucket]} "
                f"({', '.join(sorted(set(refused.values())))}).",
                "The job's role needs s3:DeleteObject there; the next run goes on.",
            )

    def removed(self) -> dict[str, Tally]:
        """By kind, what was removed so far."""
        found = {kind: Tally() for kind in (ABANDONED, SUPERSEDED)}
        for (_, kind), tally in self.tallies.items():
            found[kind].objects += tally.objects
            found[kind].bytes += tally.bytes
        return found


def _record(
    lake: LakeClients,
    catalogue: Catalogue,
    began: datetime,
    tallies: Mapping[tuple[str, str], Tally],
    seconds: float,
) -> None:
    run_id = log.run_id()
    rows = [
        {
            "run_id": run_id,
            "began_at": began,
            "bucket": bucket,
            "kind": kind,
            "objects": tallies.get((bucket, kind), Tally()).objects,
            "bytes": tallies.get((bucket, kind), Tally()).bytes,
            "seconds": seconds,
        }
        for bucket in _once(bucket for bucket, _ in PREFIXES)
        for kind in (ABANDONED, SUPERSEDED)
    ]
    values = {"began_date": began.date().isoformat()}
    append_ops(lake, catalogue.ops["maintenance"], values, run_id, rows)


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
