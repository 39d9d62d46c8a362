"""One run of the capture: what changed in the source is published as one batch, the transform is started."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional

from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.lake import backoff, documented, layout, publish, rebuilds
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitConflict, TableCommit
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.redaction_state import copies_wait
from glue_jobs.lake.snapshot import Snapshot
from glue_jobs.lake.source_state import (
    NEW,
    CaptureState,
    FeedState,
    SourceState,
    conflicts,
    server_starts,
)
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime import log, metrics, secrets, workflows
from glue_jobs.runtime.aws import SecretsManagerClient
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import NEWEST, Schemas, read_schemas
from glue_jobs.sources import full_captures
from glue_jobs.sources.capture import Capture, TableCapture, capture
from glue_jobs.sources.mass_deletes import MassDeleteGuard, MassDeletes, report
from glue_jobs.sources.postgres_source import Source, SourceUnavailable
from glue_jobs.sources.quarantine import DeadLetters, QuarantinedRows, pause_after
from glue_jobs.sources.uploads import Uploads

JOB, TRANSFORM = "extract_cdc", "transform"
TRIES = 3
"""How often a capture is begun anew when the source cancels it, as a standby does."""

DOWNSTREAM = ("validate", "dimensions", "facts", "load")
"""Stages that must have taken a batch before nothing waits."""


@dataclass(frozen=True)
class ExtractArguments:
    """The job's arguments.

    Attributes:
        ingestion_bucket: Bucket of the raw zone, the commits and the ops zone.
        processed_bucket: Bucket of the star zone.
        source_secret: Secret that holds the source's DSN.
        schema_registry: Schema registry that holds the contracts of the source's tables.
        transform_workflow: Workflow to start when a batch waits.
        source_schema: Schema of the source's tables.
        mass_delete_share: A table that lost more than this share of its rows at once is held, until a
            person releases it.
        capture_only: 1 leaves the batch to whoever starts *transform*.
        full_capture: Tables, separated by commas, or ``all``: every row of them is captured again. It is a
            request that stays until a capture has answered it.
        schema_versions: Which version of the contracts the release reads, see
            :func:`~glue_jobs.runtime.registry.parse_versions`.
        retry: 1 tries at once what would wait, see :mod:`glue_jobs.lake.backoff`.
        document_workflow: Workflow to start when the sites are behind, see :mod:`glue_jobs.lake.documented`;
            without one nobody is asked.
    """

    ingestion_bucket: str
    processed_bucket: str
    source_secret: str
    schema_registry: str
    transform_workflow: str
    source_schema: str
    mass_delete_share: float = 0.2
    capture_only: int = 0
    full_capture: str = ""
    schema_versions: str = NEWEST
    retry: int = 0
    document_workflow: str = ""


class StillRefused(UserError):  # noqa: N818 - named for what was found
    """The source's secret was refused and is no other one yet; nothing was tried."""


class TablesPaused(UserError):  # noqa: N818 - named for what was done
    """Some tables could not be captured; the others were."""


def run(
    given: ExtractArguments, lake: LakeClients, manager: SecretsManagerClient, catalogue: Catalogue
) -> int:
    """Capture once.

    Raises:
        TablesPaused: Some tables could not be captured, after the others were published.
        UserError: The source or the schema registry cannot be read; nothing was published.
    """
    s3, bucket = lake.s3, lake.ingestion
    if given.retry:
        backoff.end(s3, bucket)
    wait = backoff.newest(s3, bucket, JOB)
    if _holds(wait, lake, manager):
        raise StillRefused(
            f"{wait.reason} It is not tried again before {wait.until}.",
            "Another value of the secret is tried at the next tick; lakehouse retry, or --retry 1 for the "
            "job, tries at once.",
        )
    try:
        code = _run(given, lake, manager, catalogue)
    except secrets.SecretRefused as error:
        causes = backoff.read_causes(s3, bucket, manager, [f"{backoff.SECRET}{error.secret}"])
        backoff.note(s3, bucket, wait.again(error.problem, causes, layout.utc_now()))
        raise
    except TablesPaused:
        backoff.ended(s3, bucket, wait)
        raise
    backoff.ended(s3, bucket, wait)
    return code


def _holds(wait: backoff.Wait, lake: LakeClients, manager: SecretsManagerClient) -> bool:
    """Whether a job is not to be tried yet."""
    if not wait.reason:
        return False
    causes = backoff.read_causes(lake.s3, lake.ingestion, manager, wait.causes)
    return wait.holds(layout.utc_now(), causes)


class AlwaysSecond(UserError):  # noqa: N818 - named for what happened
    """A feed was first each time; nothing was captured."""


def _run(
    given: ExtractArguments, lake: LakeClients, manager: SecretsManagerClient, catalogue: Catalogue
) -> int:
    for _ in range(TRIES):
        code = _try(given, lake, manager, catalogue)
        if code is not None:
            return code
    raise AlwaysSecond(
        f"A feed has published {TRIES} batches while this capture ran, each before it could.",
        "The next tick captures; see why the feed publishes so often.",
    )


def _try(
    given: ExtractArguments, lake: LakeClients, manager: SecretsManagerClient, catalogue: Catalogue
) -> Optional[int]:
    """Capture once; nothing where a feed has published meanwhile, so that nobody has captured."""
    began = time.monotonic()
    schemas = read_schemas(lake.glue, given.schema_registry, catalogue, given.schema_versions)
    release, catalogue = catalogue, schemas.catalogue(catalogue)
    commits = lake.log("capture")
    last = commits.latest()
    if last is not None:
        publish.publish(lake, catalogue, last)
        log.step("capture.republished", batch=last.sequence)
    batch = last.sequence + 1 if last is not None else 1
    known = SourceState.of(last)
    before = known.tables
    for table in full_captures.named(given.full_capture, catalogue.captured):
        full_captures.request_full_capture(lake, table, "An argument of the job asks for it.")
    request, in_full = full_captures.requested(lake, before, catalogue.captured)
    if in_full:
        log.info("capture.in_full_requested", request=request, tables=in_full)
    found, uploads = _capture(given, lake, manager, catalogue, known, batch, in_full)
    _report_pauses(before, found)
    commit = None
    # A table that comes to be held, or no longer is, is told by a commit even where no row is. So is a full
    # capture.
    answered = any(table in found.tables for table in in_full)
    if found.changed or answered or _conflicts_after(before, found) != conflicts(before):
        store = KeyStore(lake.s3, lake.ingestion)
        states = _states_after(store, before, found, f"{batch:010d}-{uploads.attempt}", request)
        commit = _commit(catalogue, schemas, states, known.feeds, found, uploads)
        try:
            commits.publish(commit)
        except CommitConflict:
            if SourceState.of(commits.get(batch)).feeds != known.feeds:
                # Whoever was first was no capture: the source is still to be looked at.
                log.info("capture.feed_was_first", batch=batch)
                return None
            log.info("capture.commit_conflict", batch=batch)
            return 0
        log.step("capture.committed", batch=batch)
        publish.publish(lake, catalogue, commit, time.monotonic() - began, compared=last is not None)
        log.step("capture.published", batch=batch)
    newest = batch if commit is not None else batch - 1
    report(MassDeletes(lake.s3, lake.ingestion), found.held, found.tables, newest)
    _heartbeat(lake, catalogue, found, newest, time.monotonic() - began)
    if commit is not None or _waits(lake, newest, release):
        _start_transform(given, lake, manager)
    else:
        # Who takes what was handed over says nothing of it once it is taken.
        metrics.emit({"job": TRANSFORM}, {"seconds_handed_over": 0})
    _start_document(given, lake)
    if found.held:
        reasons = " ".join(f"{error}" for _, error in sorted(found.held.items()))
        raise TablesPaused(
            f"Held: {', '.join(sorted(found.held))}. {reasons}",
            "The other tables are published.",
        )
    return 0


def _capture(
    given: ExtractArguments,
    lake: LakeClients,
    manager: SecretsManagerClient,
    catalogue: Catalogue,
    known: SourceState,
    batch: int,
    in_full: Collection[str],
) -> tuple[Capture, Uploads]:
    """Read the source; begun anew, with a new snapshot and the same horizons, where the source cancels it."""
    store = KeyStore(lake.s3, lake.ingestion)
    held_rows = catalogue.dead_letter[layout.HELD_ROWS]
    tries = 0
    while True:
        tries += 1
        try:
            with (
                TemporaryDirectory(prefix="capture-") as folder,
                _source(given, manager, catalogue.captured) as source,
            ):
                source.snapshot = not_before(source.snapshot, known.captured_at)
                _announce(source.snapshot, batch)
                uploads = Uploads(lake, source.snapshot.captured_at.date(), batch)
                found = capture(
                    source,
                    catalogue.captured.values(),
                    known.tables,
                    store,
                    Path(folder),
                    uploads.deliver,
                    DeadLetters(held_rows, uploads.deliver),
                    MassDeleteGuard(given.mass_delete_share, MassDeletes(lake.s3, lake.ingestion)),
                    in_full,
                    f"{batch:010d}-{uploads.attempt}",
                )
        except SourceUnavailable as error:
            if tries == TRIES:
                raise
            log.warning("capture.again", batch=batch, message=str(error))
        else:
            log.step("capture.uploaded", batch=batch)
            return found, uploads


def not_before(snapshot: Snapshot, captured_at: str) -> Snapshot:
    """A snapshot whose time is not before that of the newest commit: times do not run back along the log.

    The source has a clock of its own, and a feed's commits are made by that of their job.

    Args:
        snapshot: The snapshot.
        captured_at: The newest commit's time as commits state times; empty before the first.
    """
    if not captured_at:
        return snapshot
    return replace(snapshot, captured_at=max(snapshot.captured_at, layout.from_iso(captured_at)))


def _source(given: ExtractArguments, manager: SecretsManagerClient, tables: Mapping[str, Contract]) -> Source:
    schema = given.source_schema
    places = {name: contract.at_source(schema) for name, contract in tables.items()}
    return secrets.with_dsn(manager, given.source_secret, lambda dsn: Source(dsn, tables, schema, places))


def _announce(snapshot: Snapshot, batch: int) -> None:
    log.step(
        "capture.snapshot",
        batch=batch,
        xmin=snapshot.xmin,
        xmax=snapshot.xmax,
        horizon_transactions=snapshot.xmax - snapshot.xmin,
    )
    if snapshot.system_id is None or snapshot.timeline is None:
        # Without these a restored or cloned source is noticed only when its counter went back.
        log.warning("capture.source_unnamed", reason="the role may not call pg_control_system()")


def _commit(
    catalogue: Catalogue,
    schemas: Schemas,
    states: Mapping[str, CaptureState],
    feeds: Mapping[str, FeedState],
    found: Capture,
    uploads: Uploads,
) -> Commit:
    """The commit of a capture."""
    held_rows = catalogue.dead_letter[layout.HELD_ROWS]
    captured = {
        name: TableCommit(
            _counts(table),
            (uploads.partition(catalogue.raw[name], name),),
            key_spans=tuple(((low,), (high,)) for low, high in table.key_spans),
        )
        for name, table in found.tables.items()
        if table.published
    }
    quarantined = {
        name: TableCommit(_quarantine_counts(rows), dead_letters=(uploads.partition(held_rows, name),))
        for name, rows in found.quarantined.items()
        if rows.rows
    }
    return Commit(
        stage="capture",
        sequence=uploads.batch,
        attempt=uploads.attempt,
        committed_at=layout.iso(layout.utc_now()),
        first_batch=uploads.batch,
        last_batch=uploads.batch,
        tables=dict(sorted({**captured, **quarantined}.items())),
        state=SourceState.after(
            found.snapshot, layout.iso(found.snapshot.captured_at), states, schemas.stated, feeds
        ).state,
    )


def _report_pauses(before: Mapping[str, CaptureState], found: Capture) -> None:
    """Log which tables are paused, with the metrics that alarms stand on.

    That a pause has ended is said before it is committed: who dies in between says it again.
    """
    for table, error in found.held.items():
        log.error("capture.table_paused", table=table, message=str(error))
        metrics.emit({"job": JOB, "table": table}, {"paused": 1})
    for table, state in before.items():
        if state.pause is not None and table in found.tables:
            metrics.emit({"job": JOB, "table": table}, {"paused": 0})
    for table, rows in found.quarantined.items():
        metrics.emit({"job": JOB, "table": table}, {"rows_set_aside": rows.rows})


def _conflicts_after(before: Mapping[str, CaptureState], found: Capture) -> dict[str, Optional[str]]:
    """What :func:`conflicts` will say of the states after a capture."""
    were = conflicts(before)
    return {
        table: found.quarantined[table].conflict if table in found.quarantined else were.get(table)
        for table in found.held
    }


def _states_after(
    store: KeyStore, before: Mapping[str, CaptureState], found: Capture, label: str, request: int
) -> dict[str, CaptureState]:
    """Where a capture leaves every table; what the states name is written before they are committed.

    Args:
        store: Takes live keys and versions.
        before: Where the last published capture left the tables.
        found: The capture.
        label: Names what is written.
        request: The last request for a full capture that was made before it.
    """
    snapshot = found.snapshot
    end = CaptureState(
        xmin_horizon=snapshot.xmin,
        snapshot_xmax=snapshot.xmax,
        source=snapshot.source,
        full_request=request,
    )
    after = {}
    for name, error in found.held.items():
        state, quarantined = before.get(name, NEW), found.quarantined.get(name)
        seen = (
            store.keep_live(name, f"{label}.quarantine", quarantined.seen)
            if quarantined is not None and quarantined.seen
            else None
        )
        now = layout.iso(snapshot.captured_at)
        starts = server_starts(state, snapshot)
        pause = pause_after(
            state.pause, str(error), now, quarantined, replace(end, server_starts=starts), seen
        )
        after[name] = replace(state, pause=pause)
    for name, table in found.tables.items():
        state = before.get(name, NEW)
        live = _live_keys(store, state.live_keys, name, label, table)
        seen = store.keep_seen(name, label, table.seen)
        leaves = state.leaves
        if table.leaves_changed:
            leaves = store.keep_leaves(name, label, table.leaves)
        after[name] = replace(
            end,
            server_starts=server_starts(state, snapshot),
            structure=table.structure,
            labels=table.labels,
            live_keys=live,
            seen_versions=seen,
            leaves=leaves,
        )
    return after


def _live_keys(
    store: KeyStore, before: Optional[StateObject], name: str, label: str, table: TableCapture
) -> StateObject:
    """Where a table's live keys are kept after a capture."""
    if isinstance(table.live, StateObject):
        return table.live
    if before is not None and not table.live_changed:
        return before
    if table.live is None:
        return store.keep_no_texts(name, label)
    return store.keep_live(name, label, table.live)


def _counts(table: TableCapture) -> dict[str, int]:
    return {
        "read": table.published,
        "accepted": table.published,
        "rejected": 0,
        "new": table.published,
        "inserts": table.inserts,
        "updates": table.updates,
        "deletes": table.deletes,
        "rereads": table.rereads,
        "unparseable": table.unparseable,
    }


def _quarantine_counts(rows: QuarantinedRows) -> dict[str, int]:
    return {
        "read": rows.rows,
        "accepted": 0,
        "rejected": rows.rows,
        "new": 0,
        "rereads": rows.rereads,
    }


def _heartbeat(lake: LakeClients, catalogue: Catalogue, found: Capture, newest: int, seconds: float) -> None:
    """Record the look at the source, whether or not it found anything."""
    snapshot = found.snapshot
    changed = sum(table.published for table in found.tables.values())
    run_id = log.run_id()
    publish.append_ops(
        lake,
        catalogue.ops["heartbeats"],
        {"captured_date": snapshot.captured_at.date().isoformat()},
        run_id,
        [
            {
                "run_id": run_id,
                "captured_at": snapshot.captured_at,
                "last_batch": newest,
                "changed_rows": changed,
                "horizon_transactions": snapshot.xmax - snapshot.xmin,
                "held_tables": json.dumps(sorted(found.held)) if found.held else None,
                "unstated_columns": json.dumps(found.unstated, sort_keys=True) if found.unstated else None,
                "seconds": round(seconds, 3),
            }
        ],
    )
    metrics.emit(
        {"job": JOB},
        {
            "rows_changed": changed,
            "tables_held": len(found.held),
            "seconds_behind": _seconds_behind(lake, newest),
        },
    )
    log.info("capture.done", batch=newest, rows=changed, held=len(found.held), seconds=round(seconds, 3))


def _seconds_behind(lake: LakeClients, newest: int) -> float:
    """How long the oldest captured batch has waited for the warehouse; 0 where none waits."""
    loaded = lake.log("load").latest()
    waiting = (loaded.last_batch if loaded is not None else 0) + 1
    oldest = lake.log("capture").get(waiting) if waiting <= newest else None
    if oldest is None:
        return 0.0
    return round((layout.utc_now() - layout.from_iso(str(oldest.captured_at))).total_seconds(), 3)


def _waits(lake: LakeClients, newest: int, catalogue: Catalogue) -> bool:
    """Whether a later stage has not taken the newest batch, or not answered the last request, yet."""
    for stage in DOWNSTREAM:
        done = lake.log(stage).latest()
        if (done.last_batch if done is not None else 0) < newest:
            return True
    return bool(rebuilds.unanswered(lake)) or copies_wait(lake, catalogue)


def _start_transform(given: ExtractArguments, lake: LakeClients, manager: SecretsManagerClient) -> None:
    workflow = given.transform_workflow
    if given.capture_only:
        return
    wait = backoff.newest(lake.s3, lake.ingestion, TRANSFORM)
    if _holds(wait, lake, manager):
        log.info("transform.waits", reason=wait.reason, since=wait.since, until=wait.until, tries=wait.tries)
        return
    if workflows.start(lake.glue, workflow):
        log.step("transform.started", workflow=workflow)
    else:
        log.info("transform.running_already", workflow=workflow)


def _start_document(given: ExtractArguments, lake: LakeClients) -> None:
    workflow = given.document_workflow
    if given.capture_only or not workflow:
        return
    asked = documented.behind(lake, layout.utc_now())
    # A lake that has just begun is shown an hour later, or where a person asks.
    if asked is None or (asked.number > 1 and not workflows.start(lake.glue, workflow)):
        return
    documented.note(lake.s3, lake.ingestion, asked)
    if asked.number > 1:
        log.info("document.started", workflow=workflow)
