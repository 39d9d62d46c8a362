"""One run of *fetch_files*: lists buckets of others, keeps what is new there, publishes what it holds.

Every run lists all files and compares them with the ledger, which is committed with the rows: so no file is
lost, whatever its time says, and none is read twice. A file is kept as it was received before it is read, and
is read from there.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any, Optional

import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from catalog.catalogue import Catalogue
from catalog.pipeline import ExternalBucket, FilesFeed, Pipeline
from glue_jobs.lake import layout, live_keys
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.objects import IN_MEMORY
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime import log, metrics, workflows
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.registry import NEWEST, read_schemas
from glue_jobs.sources import external
from glue_jobs.sources.external import Connect
from glue_jobs.sources.feeds import INSERT, UPDATE, FeedBatch, FeedWriter, Turn
from glue_jobs.sources.file_ledger import (
    GONE,
    READ,
    REPEATED,
    UNREADABLE,
    WAITING,
    Entry,
    Version,
    changed,
    from_table,
    require_retry,
    to_table,
    vanished,
)
from glue_jobs.sources.file_rows import FileRow, NoRow, RowReader
from glue_jobs.sources.json_documents import Element, UnreadableFile, read_elements
from glue_jobs.sources.landing import FILES, Landing

JOB = "fetch_files"

FILE_BYTES = 256 << 20
"""How many bytes a file may have as it lies in its bucket."""

RUN_FILES, RUN_BYTES = 1000, 512 << 20
"""How much is fetched in one run; the next one goes on."""

BATCH_ROWS = 50_000
"""How many rows a batch takes; a file that has more is published in parts."""

BAD_ELEMENTS = 1000
"""How many lines of a file may be bad before nothing of it is taken."""

VERSIONS = 100
"""How often one key may come in a file: each time asks for a batch of its own."""

_TELLABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,60}")
_TOLD = 5


@dataclass(frozen=True)
class FilesArguments:
    """The job's arguments.

    Attributes:
        ingestion_bucket: Bucket of what is received, the raw zone, the commits and the ops zone.
        processed_bucket: Bucket of the star.
        schema_registry: Schema registry that holds the contracts of the raw tables.
        transform_workflow: Workflow to start when a batch waits.
        schema_versions: Which version of the contracts the release reads.
        retry: The key of a file of which nothing could be taken: what was received is read again.
        reprocess: A feed whose files are all read again, as they were received, by its contract of today.
        since: Of these files those that were read on this day or later, YYYY-MM-DD.
    """

    ingestion_bucket: str
    processed_bucket: str
    schema_registry: str
    transform_workflow: str
    schema_versions: str = NEWEST
    retry: str = ""
    reprocess: str = ""
    since: str = ""


class FeedPaused(UserError):  # noqa: N818 - named for what was done
    """Files of a feed wait until its contract knows what they hold."""


class FilesRefused(UserError):  # noqa: N818 - named for what was found
    """Some files cannot be fetched; the others were."""


def run(
    given: FilesArguments, lake: LakeClients, catalogue: Catalogue, pipeline: Pipeline, connect: Connect
) -> int:
    """Fetch once, for every feed that the job fetches.

    Args:
        given: The arguments.
        lake: The lake's clients.
        catalogue: The contracts.
        pipeline: States the feeds and the buckets.
        connect: Gives the client that a bucket is read with.

    Raises:
        UserError: A bucket or a file cannot be read, or a feed is paused. What else there was is published.
    """
    feeds = {name: feed for name, feed in pipeline.file_feeds.items() if feed.job == JOB}
    if lake.log("capture").latest() is None:
        log.info("files.before_the_first_capture")
        return 0
    for name in filter(None, [given.reprocess]):
        if name not in feeds:
            raise UserError(
                f"There is no feed of files {name}.", f"Name one of {', '.join(feeds) or 'none'}."
            )
    schemas = read_schemas(lake.glue, given.schema_registry, catalogue, given.schema_versions)
    stated = schemas.catalogue(catalogue)
    published, faults = 0, list[UserError]()
    fetches = [
        FilesFetch(
            FeedWriter(lake, stated, schemas, name, feed.table),
            feed,
            pipeline.external_buckets[feed.bucket],
            connect,
        )
        for name, feed in feeds.items()
    ]
    if given.retry:
        require_retry((one.ledger for one in fetches), given.retry)
    for one in fetches:
        try:
            one.run(given)
        except UserError as error:
            faults.append(error)
        published += one.batches
        one.report()
    if published and workflows.start(lake.glue, given.transform_workflow):
        log.step("transform.started", workflow=given.transform_workflow)
    log.info("files.done", batches=published)
    if faults:
        raise faults[0]
    return 0


class _AnotherRun(Exception):  # noqa: N818 - named for what happened
    """Another run of the feed has published meanwhile."""


@dataclass(frozen=True)
class _Arrival:
    """A file that is to be read.

    Attributes:
        source_key: Its key.
        version: The version of it.
        sha256: Names its content; nothing where that is too large to be kept.
        position: Where it stands in the order of all; nothing of one that was not seen before.
        after: It is read after this place.
        is_new: Whether its content may be one that was read before.
        only: Of a file that is read again: by key, the place of the one row that is published.
    """

    source_key: Optional[str]
    version: Optional[Version]
    sha256: Optional[str]
    position: Optional[int] = None
    after: int = 0
    is_new: bool = True
    only: Optional[Mapping[int, int]] = None


@dataclass
class _Batch:
    """What the next commit takes."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)


class FilesFetch:
    """One run of one feed.

    Args:
        writer: The feed's way into the capture log.
        feed: The feed as the pipeline states it.
        bucket: The bucket that it reads.
        connect: Gives the client that it is read with.
    """

    def __init__(self, writer: FeedWriter, feed: FilesFeed, bucket: ExternalBucket, connect: Connect) -> None:
        self._writer = writer
        self._feed = feed
        self._bucket = bucket
        self._connect = connect
        lake = writer.lake
        self._landing = Landing(lake.s3, lake.ingestion, writer.feed, FILES)
        self._store = KeyStore(lake.s3, lake.ingestion)
        self._reader = RowReader(writer.contract)
        self._begin()
        self.batches = 0
        """How many batches were published."""

    def run(self, given: FilesArguments) -> None:
        """Publish what is new.

        Raises:
            UserError: The bucket or a file cannot be read, or the feed is paused.
        """
        try:
            self._take(self._left_over())
            if self.ledger.can_retry(given.retry):
                entry = self.ledger.current[given.retry]
                self._take([_Arrival(given.retry, entry.version, entry.sha256)])
            if given.reprocess == self._writer.feed:
                self._take(self._reprocessed(_day(given.since)), reread=True)
            self._fetch()
        except _AnotherRun:
            log.info("files.another_run_was_first", feed=self._writer.feed)
            return
        if self.ledger.waiting:
            raise FeedPaused(
                f"The feed {self._writer.feed} is paused, and {len(self.ledger.waiting)} files wait: "
                f"{self.ledger.waiting[0].reason}.",
                "State the members in the contract as columns, or under read.ignored, and publish it.",
            )

    def report(self) -> None:
        """Measure what waits for a person."""
        unreadable, waiting = len(self.ledger.unreadable), len(self.ledger.waiting)
        log.info("files.state", feed=self._writer.feed, unreadable=unreadable, waiting=waiting)
        # A metric is billed by the hour; the alarm keeps its state until one comes.
        if unreadable or self.batches:
            metrics.emit({"job": JOB}, {"files_unreadable": unreadable})

    # ------------------------------------------------------------------ which files

    def _begin(self) -> None:
        """Read where the feed stands."""
        newest = self._writer.lake.log("capture").latest()
        state = SourceState.of(newest).feeds.get(self._writer.feed, FeedState())
        self._known = state.readings
        self._keys = self._store.live(state.values)
        self.ledger = from_table(self._table(state.readings))
        self._committed = len(self.ledger.entries)
        self._batch = _Batch()

    def _left_over(self) -> Iterator[_Arrival]:
        """What earlier runs have seen and not published."""
        unfinished = self.ledger.unfinished
        if unfinished is not None:
            yield _Arrival(
                unfinished.source_key,
                unfinished.version,
                unfinished.sha256,
                unfinished.position,
                unfinished.upto or 0,
                is_new=False,
            )
        for entry in self.ledger.waiting:
            yield _Arrival(entry.source_key, entry.version, entry.sha256, entry.position)

    def _reprocessed(self, since: Optional[date]) -> list[_Arrival]:
        """The files that were read, each with the rows of it that are the newest of their keys."""
        files = [
            entry
            for entry in self.ledger.files()
            if since is None or (entry.at is not None and entry.at.date() >= since)
        ]
        newest: dict[int, tuple[int, int]] = {}
        for number, entry in enumerate(files):
            for key, place in self._read_again(str(entry.sha256)):
                newest[key] = (number, place)
        only: list[dict[int, int]] = [{} for _ in files]
        for key, (number, place) in newest.items():
            only[number][key] = place
        return [
            _Arrival(e.source_key, e.version, e.sha256, e.position, is_new=False, only=wanted)
            for e, wanted in zip(files, only)
        ]

    def _read_again(self, sha256: str) -> list[tuple[int, int]]:
        """The keys of a file that was read, each with its place.

        Raises:
            FilesRefused: It cannot be read any more.
        """
        try:
            rows = ((self._row(element), element.place) for element in self._elements(sha256))
            return [(row.key, place) for row, place in rows if isinstance(row, FileRow)]
        except UnreadableFile as error:
            raise FilesRefused(
                f"The content {sha256} was read once, and cannot be any more: {error}.",
                "Change the contract so that it can.",
            ) from error

    def _fetch(self) -> None:
        """Fetch and publish what the bucket has that is new.

        Raises:
            UserError: The bucket cannot be listed, or a file cannot be fetched.
        """
        s3 = self._connect(self._bucket)
        listed = external.list_versions(s3, self._bucket, self._feed.prefix)
        arrivals: list[_Arrival] = []
        refused: list[Exception] = []
        size = 0
        found = changed(self.ledger, listed)
        for key, version in found:
            if len(arrivals) == RUN_FILES or size > RUN_BYTES:
                log.info("files.more_wait", feed=self._writer.feed, files=len(found) - len(arrivals))
                break
            if version.bytes > FILE_BYTES:
                arrivals.append(_Arrival(key, version, None))
                continue
            try:
                sha256 = self._landed(s3, key, version)
            except (ClientError, BotoCoreError) as error:
                refused.append(error)
                continue
            if sha256 is not None:
                size += version.bytes
                arrivals.append(_Arrival(key, version, sha256))
        # Before what is there now comes what a run kept that died; where it lay nobody knows.
        known = self.ledger.contents | {one.sha256 for one in arrivals if one.sha256 is not None}
        orphans = [_Arrival(None, None, name) for name in self._landing.unread(known)]
        self._take([*orphans, *arrivals])
        for key in vanished(self.ledger, listed):
            self._note(Entry(key, self.ledger.current[key].version, None, GONE), None)
        self._flush()
        if refused:
            raise FilesRefused(
                f"{len(refused)} files of the feed {self._writer.feed} cannot be fetched: {refused[0]}.",
                "The others are published. The bucket's owner lets us read its objects, and use their key.",
            ) from refused[0]

    def _landed(self, s3: S3Client, key: str, version: Version) -> Optional[str]:
        """Keep a version of a file; its name, or nothing where it is another one by now."""
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            sha256 = external.fetch(s3, self._bucket, key, version, file)
            if sha256 is None:
                log.info("files.changed_meanwhile", feed=self._writer.feed)
                return None
            self._landing.keep_file(file, sha256)
        log.step("files.landed", feed=self._writer.feed, file=sha256, bytes=version.bytes)
        return sha256

    # ------------------------------------------------------------------ what they hold

    def _take(self, arrivals: Iterable[_Arrival], *, reread: bool = False) -> None:
        """Publish files, in order; once one waits, those after it wait too."""
        for arrival in list(arrivals):
            self._take_one(arrival, reread)
        self._flush()

    def _take_one(self, arrival: _Arrival, reread: bool) -> None:
        sha256, ahead = arrival.sha256, self.ledger.waiting
        entry = Entry(
            arrival.source_key,
            arrival.version,
            sha256,
            READ,
            after=arrival.after,
            columns=tuple(self._reader.columns),
            reread=reread,
        )
        if sha256 is None:
            self._unreadable(entry, arrival, f"it has more than {FILE_BYTES:,} bytes")
            return
        # Who stands in the queue already waits for those before it alone.
        if any(arrival.position is None or one.position < arrival.position for one in ahead) and not reread:
            if arrival.position is None:
                self._wait(entry, arrival, ahead[0].reason)
            return
        if arrival.is_new and self.ledger.is_repeated(arrival.source_key, sha256):
            log.info("files.repeated", feed=self._writer.feed, file=sha256)
            self._note(replace(entry, outcome=REPEATED), arrival.position)
            return
        try:
            unknown = self._check(sha256)
        except UnreadableFile as error:
            self._unreadable(entry, arrival, str(error))
            return
        if unknown:
            told = ", ".join(sorted(filter(_TELLABLE.fullmatch, unknown))[:_TOLD])
            words = f"{len(unknown)} members are unknown" + (f" ({told})" if told else "")
            if self._reader.read.unknown_members == "pause":
                self._wait(entry, arrival, words)
                return
            log.warning("files.unknown_members", feed=self._writer.feed, file=sha256, message=words)
        self._publish_rows(entry, arrival)

    def _check(self, sha256: str) -> set[str]:
        """The members of a file that the contract does not know.

        Raises:
            UnreadableFile: Nothing of the file is to be taken.
        """
        bad, unknown, times = 0, set[str](), Counter[int]()
        for element in self._elements(sha256):
            if element.members is not None:
                unknown |= self._reader.unknown(element.members)
            row = self._row(element)
            if isinstance(row, FileRow):
                times[row.key] += 1
                if times[row.key] > VERSIONS:
                    raise UnreadableFile(f"one key comes more than {VERSIONS:,} times in it")
            else:
                bad += 1
                if bad > BAD_ELEMENTS:
                    raise UnreadableFile(f"more than {BAD_ELEMENTS:,} of its lines give no row")
        return unknown

    def _publish_rows(self, entry: Entry, arrival: _Arrival) -> None:
        """Put the rows of a file into batches; a batch ends before a key comes again."""
        part, place, position = entry, arrival.after, arrival.position
        rows, bad = 0, list[int]()
        filled = {"key": entry.source_key, "sha256": entry.sha256}
        for element in self._elements(str(entry.sha256)):
            if element.place <= arrival.after:
                continue
            row = self._row(element)
            if not isinstance(row, FileRow):
                place = element.place
                bad.append(place)
                if not entry.reread:
                    self._batch.lines.append(self._line(entry, element, row))
                continue
            if arrival.only is not None and arrival.only.get(row.key) != element.place:
                place = element.place
                continue
            if row.key in self._batch.rows or len(self._batch.rows) >= BATCH_ROWS:
                position = self._cut(replace(part, upto=place, rows=rows, bad=tuple(bad)), position)
                part, rows, bad = replace(part, after=place), 0, list[int]()
            place = element.place
            rows += 1
            self._batch.rows[row.key] = self._raw(row, {**filled, "place": place})
        self._note(replace(part, rows=rows, bad=tuple(bad)), position)
        if len(self._batch.rows) >= BATCH_ROWS:
            self._flush()

    def _cut(self, part: Entry, position: Optional[int]) -> Optional[int]:
        """Publish what there is, with the part of a file that is in it; where that stands, once it does."""
        if part.upto != part.after:
            self._note(part, position)
            position = self.ledger.entries[-1].position
        self._flush()
        return position

    def _raw(self, row: FileRow, where: Mapping[str, Any]) -> dict[str, Any]:
        filled = {name: where[what] for name, what in self._reader.read.filled.items()}
        odd = json.dumps(dict(row.odd), ensure_ascii=False) if row.odd else None
        operation = UPDATE if row.key % (1 << 64) in self._keys else INSERT
        return {**row.values, **filled, "operation": operation, "unrepresentable": odd}

    def _line(self, entry: Entry, element: Element, reason: str) -> dict[str, Any]:
        return {
            "feed": self._writer.feed,
            "source_key": entry.source_key,
            "source_sha256": entry.sha256,
            "place": element.place,
            "reason": reason,
            "source_text": _storable(element.text),
        }

    def _row(self, element: Element) -> FileRow | str:
        """The row of an object, or why it gives none."""
        if element.members is None:
            return element.problem
        try:
            return self._reader.row(element.members)
        except NoRow as error:
            return str(error)

    def _elements(self, sha256: str) -> Iterator[Element]:
        with self._landing.open(sha256) as file:
            yield from read_elements(file, self._reader.read.rows)

    # ------------------------------------------------------------------ what becomes of them

    def _unreadable(self, entry: Entry, arrival: _Arrival, reason: str) -> None:
        log.warning("files.unreadable", feed=self._writer.feed, file=entry.sha256, message=reason)
        self._note(replace(entry, outcome=UNREADABLE, reason=reason, columns=()), arrival.position)

    def _wait(self, entry: Entry, arrival: _Arrival, reason: str) -> None:
        if arrival.position is not None:
            return
        log.warning("files.waiting", feed=self._writer.feed, file=entry.sha256, message=reason)
        self._note(replace(entry, outcome=WAITING, reason=reason, columns=()), None)

    def _note(self, entry: Entry, position: Optional[int]) -> None:
        """Write down what became of a file, with the commit that comes next."""
        before = self.ledger.current.get(entry.source_key) if entry.source_key is not None else None
        was_unreadable = before is not None and before.outcome == UNREADABLE
        if entry.outcome == UNREADABLE or (was_unreadable and entry.outcome in (READ, REPEATED, GONE)):
            self._batch.files.append(
                {
                    "feed": self._writer.feed,
                    "entry": len(self.ledger.entries) + 1,
                    "source_key": entry.source_key,
                    "outcome": READ if entry.outcome == REPEATED else entry.outcome,
                    "reason": entry.reason or None,
                    "source_bytes": entry.version.bytes if entry.version is not None else None,
                    "source_sha256": entry.sha256,
                }
            )
        self.ledger.add(entry, position)

    def _flush(self) -> None:
        """Publish what has gathered.

        Raises:
            _AnotherRun: Another run has read what this one was about to publish.
        """
        if len(self.ledger.entries) == self._committed:
            return
        commit = self._writer.publish(partial(self._build, self._batch))
        if commit is None:
            raise _AnotherRun
        self.batches += 1
        self._begin()

    def _build(self, batch: _Batch, turn: Turn) -> Optional[FeedBatch]:
        if turn.known.readings != self._known:
            return None
        fresh = [
            replace(entry, batch=turn.batch, at=turn.captured_at)
            for entry in self.ledger.entries[self._committed :]
        ]
        name = f"feeds/{self._writer.feed}"
        ledger = to_table([*self.ledger.entries[: self._committed], *fresh])
        keys = self._keys | live_keys.keys_of(np.array(list(batch.rows), dtype=np.int64))
        state = replace(
            turn.known,
            values=self._store.keep_live(name, f"{turn.label}.values", keys),
            readings=self._store.keep_table(name, f"{turn.label}.readings", ledger),
        )
        quarantined = {layout.QUARANTINED_FILES: batch.files, layout.QUARANTINED_LINES: batch.lines}
        return FeedBatch(
            list(batch.rows.values()), state, {name: rows for name, rows in quarantined.items() if rows}
        )

    def _table(self, kept: Optional[StateObject]) -> Any:
        return None if kept is None else self._store.table(kept)


def _storable(text: str) -> str:
    """A text that every reader of the lake can hold."""
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _day(text: str) -> Optional[date]:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--since is {text!r}, which is no day.", "Write it as YYYY-MM-DD.") from error
