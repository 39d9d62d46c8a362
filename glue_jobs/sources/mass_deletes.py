"""Mass deletes that wait for a person: which keys vanished at once, and which of them a person lets go.

A table that lost many keys at once is paused, and *which* keys is kept beside the commits, once, under a name
made of these keys and of the live keys that they were missed from. A person resumes the table by putting an
object next to it. That lets exactly these keys go and no others, and only as long as the table's live keys
are the ones that it was given for: once its deletions are published they are not, so it is used up.

    _paused/<table>/<name>/keys.roaring    the missing keys, whole numbers as a bitmap, texts as parquet
    _paused/<table>/<name>/paused.json     since when, how many, missed from what
    _paused/<table>/<name>/resumed.json    put by a person; that it is there is what counts
    _paused/<table>/<name>/ended.json      put by the capture that found the table whole, or published it

What earlier releases wrote lies below ``_holds/`` with ``held.json`` and ``released.json`` in place of
``paused.json`` and ``resumed.json``. It is read there and counts the same; nothing is written there any more.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Optional

from glue_jobs.lake.commits import read_known
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.snapshot import Snapshot
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.errors import TablePaused
from glue_jobs.runtime.s3 import list_keys
from glue_jobs.sources.key_ledger import MissingKeys, ResumedKeys

PREFIX = "_paused/"

PREFIX_1 = "_holds/"
"""Where earlier releases kept the same."""

MINIMUM = 100
"""Fewer vanished keys than this are never taken for an accident."""

_PAUSED, _KEYS, _RESUMED, _ENDED = "paused.json", "keys.roaring", "resumed.json", "ended.json"

_NAMES_1 = {"held.json": _PAUSED, "released.json": _RESUMED}
"""What earlier releases called these parts."""

_FIELDS_1 = {"base": "live_keys", "high": "snapshot_xmax"}
"""What earlier releases called these fields of ``paused.json``."""


@dataclass(frozen=True)
class MassDelete:
    """A mass delete that was not published.

    Attributes:
        table: The table.
        name: Names this mass delete among those of the table.
        since: When the capture that first found exactly this took its snapshot (UTC, ISO 8601).
        missing: Keys that are gone.
        live: Keys that were live before.
        live_keys: Where the live keys are kept that these are missing from.
        snapshot_xmax: That snapshot's xmax.
        sha256: Checksum of the missing keys.
    """

    table: str
    name: str
    since: str
    missing: int
    live: int
    live_keys: str
    snapshot_xmax: int
    sha256: str

    @property
    def prefix(self) -> str:
        """Key prefix of what belongs to it; ends in a slash."""
        return f"{PREFIX}{self.table}/{self.name}/"

    @property
    def resume_key(self) -> str:
        """The object that lets it go, whatever is in it."""
        return f"{self.prefix}{_RESUMED}"


class MassDeletePaused(TablePaused):
    """More keys of a table vanished at once than is believable.

    Attributes:
        delete: What waits.
    """

    def __init__(self, delete: MassDelete) -> None:
        super().__init__(
            f"{delete.missing} of the {delete.live} live rows of {delete.table} are gone at once "
            f"(held since {delete.since}).",
            f"If that is meant, release it: lakehouse release --table {delete.table}, or put the object "
            f"{delete.resume_key}; else restore the rows.",
        )
        self.delete = delete


class MassDeletes:
    """Reads and writes what is kept of mass deletes; nothing of it is ever changed.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
    """

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def waiting(self) -> list[MassDelete]:
        """What waits for a person, the newest of each table; in the order of the tables."""
        newest: dict[str, MassDelete] = {}
        for delete in self._known():
            if delete.table not in newest or newest[delete.table].since <= delete.since:
                newest[delete.table] = delete
        return [newest[table] for table in sorted(newest)]

    def first(self, delete: MassDelete) -> str:
        """Since when keys of the same table are missing from the same live keys, without a break."""
        same = (one.since for one in self._known(f"{delete.table}/") if one.live_keys == delete.live_keys)
        return min([delete.since, *same])

    def keep(
        self, table: str, live_keys: str, live: int, gone: MissingKeys, snapshot: Snapshot
    ) -> MassDelete:
        """Note that keys are missing, unless that is noted already.

        Args:
            table: The table.
            live_keys: Where the live keys are kept.
            live: How many they are.
            gone: The missing ones.
            snapshot: The snapshot that misses them.

        Returns:
            The mass delete as it was first noted.
        """
        checksum = gone.checksum()
        name = hashlib.sha256(f"{live_keys} {checksum}".encode()).hexdigest()[:16]
        parts = self._parts(f"{table}/{name}/").get(f"{table}/{name}", {})
        if _PAUSED in parts:
            return self._read(parts)
        since = f"{snapshot.captured_at.isoformat(timespec='milliseconds')}Z"
        delete = MassDelete(table, name, since, len(gone), live, live_keys, snapshot.xmax, checksum)
        self._put(f"{delete.prefix}{_KEYS}", gone.body())
        self._put(f"{delete.prefix}{_PAUSED}", json.dumps(asdict(delete)).encode())
        return self._read({_PAUSED: f"{delete.prefix}{_PAUSED}"})

    def resume(self, delete: MassDelete, at: str) -> None:
        """Let exactly these deletions through, at the next capture."""
        self._put(delete.resume_key, json.dumps({"resumed_at": at}).encode())

    def is_resumed(self, delete: MassDelete) -> bool:
        """Whether a person let it go."""
        place = f"{delete.table}/{delete.name}"
        return _RESUMED in self._parts(f"{place}/").get(place, {})

    def resumed(self, table: str, live_keys: str) -> list[ResumedKeys]:
        """The keys that a person let go from these live keys."""
        found = []
        for parts in self._parts(f"{table}/").values():
            if _RESUMED in parts and _PAUSED in parts:
                delete = self._read(parts)
                if delete.live_keys == live_keys:
                    place = f"s3://{self._bucket}/{parts[_KEYS]}"
                    found.append(ResumedKeys(place, delete.sha256, partial(self._get, parts[_KEYS])))
        return found

    def end(self, tables: Iterable[str], batch: int) -> list[MassDelete]:
        """Note that nothing of these tables waits any more; what ended is returned."""
        ended = [delete for delete in self._known() if delete.table in set(tables)]
        for delete in ended:
            self._put(f"{delete.prefix}{_ENDED}", json.dumps({"last_batch": batch}).encode())
        return ended

    def _known(self, prefix: str = "") -> list[MassDelete]:
        """Every mass delete that has not ended."""
        return [
            self._read(parts)
            for parts in self._parts(prefix).values()
            if _PAUSED in parts and _ENDED not in parts
        ]

    def _parts(self, prefix: str) -> Mapping[str, Mapping[str, str]]:
        """By table and name, the key of each part, wherever it lies."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        # The older place first: what the same part says now is then said by the newer one.
        for root, names in ((PREFIX_1, _NAMES_1), (PREFIX, {})):
            for key in list_keys(self._s3, self._bucket, f"{root}{prefix}"):
                place, _, part = key[len(root) :].rpartition("/")
                found[place][names.get(part, part)] = key
        return found

    def _read(self, parts: Mapping[str, str]) -> MassDelete:
        stated = json.loads(self._get(parts[_PAUSED]))
        return read_known(MassDelete, {_FIELDS_1.get(name, name): value for name, value in stated.items()})

    def _get(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def _put(self, key: str, body: bytes) -> None:
        # Where it is there already, what it says was said first, and counts.
        put_new(self._s3, self._bucket, key, body)


@dataclass(frozen=True)
class MassDeleteGuard:
    """Decides whether a table may lose as many keys as it did.

    Attributes:
        share: Of a table's live keys more than this share at once is not believed.
        deletes: Where mass deletes are kept; without them nothing can be let go.
    """

    share: float = 0.2
    deletes: Optional[MassDeletes] = None

    def too_many(self, gone: int, live: int) -> bool:
        """Whether so many of so many keys are no everyday deletion."""
        return gone >= MINIMUM and gone > self.share * live

    def check(
        self,
        table: str,
        kept: Optional[StateObject],
        live: int,
        gone: MissingKeys,
        snapshot: Snapshot,
        routine: int = 0,
    ) -> None:
        """Let a table's deletions pass, or pause the table.

        Args:
            table: The table.
            kept: Where its live keys are kept.
            live: How many these are.
            gone: Those of them, or of the ones that came since, that the source lacks.
            snapshot: The snapshot that lacks them.
            routine: How many may be gone as a matter of course.

        Raises:
            MassDeletePaused: More keys vanished than is believable, besides those that a person let go.
        """
        if not self.too_many(len(gone) - routine, live):
            return
        live_keys = kept.key if kept is not None else ""
        if self.deletes is None:
            raise MassDeletePaused(MassDelete(table, "", "", len(gone), live, live_keys, snapshot.xmax, ""))
        left = gone.without(self.deletes.resumed(table, live_keys))
        if left < len(gone) and not self.too_many(left, live):
            log.warning("capture.delete_released", table=table, rows=len(gone), released=len(gone) - left)
            return
        raise MassDeletePaused(self.deletes.keep(table, live_keys, live, gone, snapshot))


DEFAULT_GUARD = MassDeleteGuard()
"""The guard as it is unless the job states another; it keeps nothing."""


def report(
    deletes: MassDeletes, held: Mapping[str, TablePaused], captured: Iterable[str], batch: int
) -> None:
    """Log which mass deletes wait, with a metric for each that an alarm stands on, and which do so no more.

    Args:
        deletes: Where mass deletes are kept.
        held: By table, why it could not be captured.
        captured: The tables that could.
        batch: The newest batch.
    """
    for delete in deletes.end(captured, batch):
        log.info("capture.pause_ended", table=delete.table, hold=delete.name, batch=batch)
        metrics.emit({"job": "extract_cdc", "table": delete.table}, {"deletions_held": 0})
    for table, error in sorted(held.items()):
        if isinstance(error, MassDeletePaused):
            delete = error.delete
            log.error(
                "capture.delete_paused",
                table=table,
                rows=delete.missing,
                live=delete.live,
                since=deletes.first(delete),
                hold=delete.name,
                release=delete.resume_key,
            )
            metrics.emit({"job": "extract_cdc", "table": table}, {"deletions_held": delete.missing})
