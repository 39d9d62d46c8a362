"""Builds the validation site: pages of batches that have none yet, their days, and the index.

    validation/batches/<table>/<batch>.html    a page for each table and batch, written once
    validation/days/<day>.html                 written again while batches of the day come in
    validation/index.html                      written again by every run that has something new to say
    validation/state/                          each day in counts, and up to which verdict pages are there

Everything follows from what validation committed. A run that dies is completed by the next, which begins
after the last verdict that was noted; what it does again gives the same bytes. What two runs do to a page or
to a day's record is compared and swapped, so that neither takes back what the other said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from catalog.catalogue import Catalogue
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.lake import approvals
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitLog
from glue_jobs.lake.validation_state import (
    STAGE,
    ValidatedBatch,
    ValidationState,
    result_key,
    validated_batches,
)
from glue_jobs.runtime import log
from glue_jobs.runtime.s3 import read_if_there
from sites.validation import entries, pages
from sites.validation.entries import Entry
from sites.validation.overview import overview, shown_days

TOP = "validation/"
"""The site's folder in the documentation bucket."""

PROGRESS = f"{TOP}state/site.json"
"""Up to which verdict of which lake batches have their pages, and by which templates these were made."""

RECORDS = f"{TOP}state/days/"
"""A record for each day, ``<day>.json``: see :mod:`sites.validation.entries`."""

AT_ONCE = 20
"""Verdicts between two notes of progress."""


def build(lake: LakeClients, bucket: Bucket, catalogue: Catalogue) -> int:
    """Bring the site up to date.

    Args:
        lake: Its clients.
        bucket: The documentation bucket.
        catalogue: The contracts.

    Returns:
        How many pages of batches were written.
    """
    bucket.publish(TOP + pages.STYLESHEET, pages.stylesheet().encode())
    verdict_log = lake.log(STAGE)
    templates, identity = pages.template_version(), lake.identity
    sequence, written = _progress(bucket, templates, identity), 0
    while ready := _ready(lake, verdict_log, sequence):
        by_day: dict[date, list[Entry]] = {}
        for judged, document in (one for found in ready.values() for one in found):
            entry, day = entries.entry_of(document), date.fromisoformat(judged.day)
            _write_batch(bucket, catalogue, entry, day, document)
            by_day.setdefault(day, []).append(entry)
            written += 1
        sequence = max(ready)
        log.step("site.batches_written", sequence=sequence, pages=written)
        for day, of_day in sorted(by_day.items()):
            _write_day(bucket, catalogue, day, of_day)
        log.step("site.days_written", days=len(by_day))
        noted = {"templates": templates, "sequence": sequence, "lake": identity}
        bucket.put(PROGRESS, json.dumps(noted).encode())
        log.step("site.noted", sequence=sequence)
    _write_index(lake, bucket, catalogue, verdict_log)
    log.step("site.index_written")
    return written


def _progress(bucket: Bucket, templates: str, lake: str | None) -> int:
    """The last verdict of this lake whose batches have pages that are made as they are today; 0 if none."""
    stated = json.loads(bucket.get(PROGRESS) or b"{}")
    # Earlier releases noted no lake: there was one.
    same = stated.get("templates") == templates and stated.get("lake", lake) == lake
    return int(stated["sequence"]) if same else 0


def _ready(
    lake: LakeClients, verdict_log: CommitLog, after: int
) -> dict[int, list[tuple[ValidatedBatch, Any]]]:
    """The next verdicts with their validation results, by sequence; not beyond one that lacks a result."""
    found: dict[int, list[tuple[ValidatedBatch, Any]]] = {}
    for sequence in range(after + 1, after + AT_ONCE + 1):
        commit = verdict_log.get(sequence)
        if commit is None:
            break
        documents = _documents(lake, commit)
        if documents is None:
            # Its run died before it wrote them; the next run of validate_raw does.
            log.info("site.results_missing", sequence=sequence)
            break
        found[sequence] = documents
    return found


def _documents(lake: LakeClients, commit: Commit) -> list[tuple[ValidatedBatch, Any]] | None:
    """The validation results of a verdict; None if one is not written yet."""
    found = []
    for judged in validated_batches(commit):
        text = read_if_there(lake.s3, lake.ingestion, result_key(judged.table, judged.batch))
        if text is None:
            return None
        found.append((judged, json.loads(text)))
    return found


def _write_batch(bucket: Bucket, catalogue: Catalogue, entry: Entry, day: date, document: Any) -> None:
    # Importing the library takes seconds: only where there is something to render.
    from sites.validation import data_docs

    query = dead_letters_query(catalogue, entry.table, day, entry.batch)
    page = pages.batch_page(entry, day, data_docs.rendered(document), query)
    bucket.put(TOP + pages.batch_page_name(entry.table, entry.batch), page.encode())


def _write_day(bucket: Bucket, catalogue: Catalogue, day: date, found: Sequence[Entry]) -> None:
    def record(known: bytes | None) -> bytes:
        return entries.to_json(entries.merged(entries.from_json(known) if known else (), found))

    def page(_: bytes | None) -> bytes:
        # Read after the page that it replaces: of two runs the later page says what both found.
        of_day = recorded(bucket, day)
        tables = {entry.table for entry in of_day}
        queries = {table: dead_letters_query(catalogue, table, day) for table in tables}
        return pages.day_page(day, of_day, queries).encode()

    bucket.change(_record_key(day), record)
    bucket.change(TOP + pages.day_page_name(day), page)


def _write_index(lake: LakeClients, bucket: Bucket, catalogue: Catalogue, verdict_log: CommitLog) -> None:
    owners = {name: contract.owner for name, contract in catalogue.raw.items()}

    def page(_: bytes | None) -> bytes:
        days = recorded_days(bucket)
        of_days = {day: recorded(bucket, day) for day in shown_days(days) if day in days}
        latest = verdict_log.latest()
        shown = overview(days, of_days, owners, ValidationState.of(latest).unresolved_rows)
        held = approvals.waiting(lake.s3, lake.ingestion, latest.last_batch if latest else 0)
        return pages.index_page(shown, held).encode()

    bucket.change(TOP + pages.INDEX, page)


def dead_letters_query(catalogue: Catalogue, table: str, day: date, batch: int | None = None) -> str:
    """The SQL that shows the dead letters of a table: those of a day, or of one batch of it."""
    letters = catalogue.dead_letter[table]
    where = f"captured_date = DATE '{day.isoformat()}'" + ("" if batch is None else f" AND batch = {batch}")
    # Names come from contracts, and a person runs it.
    return f"SELECT * FROM {letters.zone_info.database}.{letters.table} WHERE {where}"  # noqa: S608


def recorded_days(bucket: Bucket) -> list[date]:
    """The days of which there are pages, in order."""
    return [date.fromisoformat(name.removesuffix(".json")) for name in bucket.names(RECORDS)]


def recorded(bucket: Bucket, day: date) -> tuple[Entry, ...]:
    """What a day's page tells; each of its batches has a page."""
    return entries.from_json(bucket.get(_record_key(day)) or entries.to_json(()))


def _record_key(day: date) -> str:
    return f"{RECORDS}{day.isoformat()}.json"
