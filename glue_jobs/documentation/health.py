"""The state of the data, as every page of the documentation and the dashboard shows it.

It is read of what jobs state anyway: the newest commits, the captures' looks at the source, the last
reconciliation, the states of job runs and the catalog. What has ended is not found again, so it is not shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from catalog.catalogue import Catalogue
from catalog.pipeline import load_pipeline
from glue_jobs.lake import approvals
from glue_jobs.lake.catalog_check import check_tables
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit
from glue_jobs.lake.freshness import FRESH, newest_look
from glue_jobs.lake.layout import from_iso, iso
from glue_jobs.lake.reconciliations import newest
from glue_jobs.lake.source_state import SourceState
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime.aws import GlueClient
from glue_jobs.runtime.errors import UserError
from sites.validation.health import Alert, Health

COMPARED = timedelta(days=2)
"""Source, lake and warehouse are compared every night."""

_RUNS = 25
_GOING_ON = ("STARTING", "RUNNING", "STOPPING", "WAITING")
_VERDICTS = ("equal", "waiting", "paused", "unread", "different")


def read_health(lake: LakeClients, catalogue: Catalogue, now: datetime) -> Health:
    """The state of the data.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        now: UTC, without zone.
    """
    platform = catalogue.ops["heartbeats"].owner
    capture, validated, loaded = (lake.log(stage).latest() for stage in ("capture", "validate", "load"))
    compared = newest(lake.s3, lake.ingestion, catalogue)
    alerts = [
        *_unequal(compared, platform, now),
        *_paused(capture, catalogue),
        *_awaiting(lake, catalogue, validated),
        *_stale(lake, catalogue, capture, loaded, now),
        *_failed(lake.glue, platform),
        *_catalog(lake, catalogue, platform),
        *_dead_letters(catalogue, capture, validated),
    ]
    return Health(
        as_of=iso(now),
        alerts=tuple(alerts),
        loaded_at=loaded.committed_at if loaded else "",
        compared_at=iso(compared[0]["compared_at"]) if compared else "",
        verdict=_worst(compared) if compared else "",
    )


def _paused(capture: Commit | None, catalogue: Catalogue) -> Iterator[Alert]:
    for table, state in sorted(SourceState.of(capture).tables.items()):
        if state.pause is not None and table in catalogue.raw:
            yield Alert(
                f"{table} is not captured: {state.pause.reason}",
                state.pause.since,
                catalogue.raw[table].owner,
                "What it shows is as of then. See table-paused in the runbook.",
            )


def _awaiting(lake: LakeClients, catalogue: Catalogue, validated: Commit | None) -> Iterator[Alert]:
    for one in approvals.waiting(lake.s3, lake.ingestion, validated.last_batch if validated else 0):
        if one.table in catalogue.raw:
            yield Alert(
                f"Batch {one.batch} awaits approval, and later ones wait with it: {one.rejected:,} of"
                f" {one.read:,} rows of {one.table} would be rejected.",
                one.since,
                catalogue.raw[one.table].owner,
                "See batch-awaits-approval in the runbook.",
            )


def _dead_letters(catalogue: Catalogue, capture: Commit | None, validated: Commit | None) -> Iterator[Alert]:
    """Rejected rows that nothing newer has replaced, and quarantined ones, an alert for each owner."""
    rows = Counter(ValidationState.of(validated).unresolved_rows)
    for table, state in SourceState.of(capture).tables.items():
        rows[table] += 0 if state.pause is None else state.pause.quarantined
    by_owner: dict[str, list[str]] = {}
    for table, count in sorted(rows.items()):
        if count and table in catalogue.raw:
            by_owner.setdefault(catalogue.raw[table].owner, []).append(f"{count:,} of {table}")
    for owner, tables in by_owner.items():
        yield Alert(
            f"Rejected rows are not in the star: {', '.join(tables)}.",
            "",
            owner,
            "See dead-letters in the runbook.",
        )


def _stale(
    lake: LakeClients,
    catalogue: Catalogue,
    capture: Commit | None,
    loaded: Commit | None,
    now: datetime,
) -> Iterator[Alert]:
    if capture is None:
        return
    owner = catalogue.ops["heartbeats"].owner
    first = (loaded.last_batch if loaded else 0) + 1
    waiting = lake.log("capture").get(first) if first <= capture.last_batch else None
    if waiting is not None and now - from_iso(_captured_at(waiting)) > FRESH:
        yield Alert(
            f"The warehouse is behind: batch {first} waits to be loaded.",
            _captured_at(waiting),
            owner,
            "See freshness in the runbook.",
        )
    look = newest_look(lake, catalogue)
    looked_at = from_iso(_captured_at(capture)) if look is None else look.captured_at
    if now - looked_at > FRESH:
        yield Alert(
            "The source has not been looked at: what changed there since is not here.",
            iso(looked_at),
            owner,
            "See freshness in the runbook.",
        )


def _captured_at(capture: Commit) -> str:
    return capture.captured_at or capture.committed_at


def _unequal(compared: list[dict[str, Any]], owner: str, now: datetime) -> Iterator[Alert]:
    if not compared:
        return
    at = compared[0]["compared_at"]
    wrong = sorted({row["table_name"] for row in compared if row["verdict"] in _VERDICTS[3:]})
    if wrong:
        yield Alert(
            f"Source, lake and warehouse are not the same in {', '.join(wrong)}.",
            iso(at),
            owner,
            "See reconciliation in the runbook.",
        )
    if now - at > COMPARED:
        yield Alert(
            "Source, lake and warehouse have not been compared.",
            iso(at),
            owner,
            "See job-failed in the runbook, for the job reconcile.",
        )


def _worst(rows: list[dict[str, Any]]) -> str:
    return max((str(row["verdict"]) for row in rows), key=_VERDICTS.index)


def _failed(glue: GlueClient, owner: str) -> Iterator[Alert]:
    for job in load_pipeline().jobs:
        try:
            runs = glue.get_job_runs(JobName=job, MaxResults=_RUNS)["JobRuns"]
        except glue.exceptions.EntityNotFoundException:
            continue
        ended = [run for run in runs if run["JobRunState"] not in _GOING_ON]
        ended.sort(key=lambda run: run["StartedOn"], reverse=True)
        failed = []
        for run in ended:
            if run["JobRunState"] == "SUCCEEDED":
                break
            failed.append(run)
        if failed:
            why = str(failed[0].get("ErrorMessage") or failed[0]["JobRunState"]).rstrip(".")
            yield Alert(
                f"The job {job} fails: {why}.",
                iso(_utc(failed[-1]["StartedOn"])),
                owner,
                "See job-failed in the runbook.",
            )


def _catalog(lake: LakeClients, catalogue: Catalogue, owner: str) -> Iterator[Alert]:
    # Where tables lie is not compared here, so that no other bucket has to be known.
    try:
        faults = check_tables(lake, catalogue, catalogue.zones)
    except UserError as error:
        yield Alert(error.problem, "", owner, error.remedy)
        return
    for fault in faults:
        yield Alert(f"{fault}.", "", owner, "The next capture makes it again.")


def _utc(moment: datetime) -> datetime:
    offset = moment.utcoffset() or timedelta()
    return (moment - offset).replace(tzinfo=None)
