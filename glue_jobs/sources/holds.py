"""Mass deletes that wait for a person: what is held, and what was released.

A table that lost many keys at once is held, and *which* keys is kept beside the commits, once, under a name
made of these keys and of the live keys that they were missed from. A person releases exactly that by putting
an object next to it. A release lets its own keys through and no others, and only as long as the table's live
keys are the ones that it was given for: once its deletions are published they are not, so it is used up.

    _holds/<table>/<hold>/keys.roaring     the missing keys
    _holds/<table>/<hold>/held.json        since when, how many, missed from what
    _holds/<table>/<hold>/released.json    put by a person; that it is there is what counts
    _holds/<table>/<hold>/ended.json       put by the capture that found the table whole, or published it
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Optional

from pyroaring import BitMap64

from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.objects import ChecksumMismatch
from glue_jobs.runtime import log, metrics
from glue_jobs.sources.live_keys import StateObject, values_of
from glue_jobs.sources.postgres import TableHeld
from glue_jobs.sources.snapshot import Snapshot

PREFIX = "_holds/"

MINIMUM = 100
"""Fewer vanished keys than this are never taken for an accident."""

_HELD, _KEYS, _RELEASED, _ENDED = "held.json", "keys.roaring", "released.json", "ended.json"


@dataclass(frozen=True)
class Hold:
    """A mass delete that was not published.

    Attributes:
        table: The table.
        name: Names this hold among those of the table.
        since: When the capture that first found exactly this took its snapshot (UTC, ISO 8601).
        missing: Keys that are gone.
        live: Keys that were live before.
        base: Where the live keys are kept that these are missing from.
        high: Upper bound of that snapshot's transaction ids.
        sha256: Checksum of the missing keys.
    """

    table: str
    name: str
    since: str
    missing: int
    live: int
    base: str
    high: int
    sha256: str

    @property
    def place(self) -> str:
        """Key prefix of what belongs to it; ends in a slash."""
        return f"{PREFIX}{self.table}/{self.name}/"

    @property
    def release_key(self) -> str:
        """The object that releases it, whatever is in it."""
        return f"{self.place}{_RELEASED}"


class DeleteHeld(TableHeld):
    """More keys of a table vanished at once than is believable.

    Attributes:
        hold: What is held.
    """

    def __init__(self, hold: Hold) -> None:
        super().__init__(
            f"{hold.missing} of the {hold.live} live rows of {hold.table} are gone at once "
            f"(held since {hold.since}).",
            f"If that is meant, release it: lakehouse release --table {hold.table}, or put the object "
            f"{hold.release_key}; else restore the rows.",
        )
        self.hold = hold


class Holds:
    """Reads and writes holds; nothing of them is ever changed.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def open(self) -> list[Hold]:
        """What waits for a person, the newest of each table; in the order of the tables."""
        newest: dict[str, Hold] = {}
        for hold in self._known():
            if hold.table not in newest or newest[hold.table].since <= hold.since:
                newest[hold.table] = hold
        return [newest[table] for table in sorted(newest)]

    def first(self, hold: Hold) -> str:
        """Since when keys of the same table are missing from the same live keys, without a pause."""
        return min([hold.since, *(h.since for h in self._known(hold.table) if h.base == hold.base)])

    def keep(self, table: str, base: str, live: int, gone: BitMap64, snapshot: Snapshot) -> Hold:
        """Note that keys are held, unless that is noted already.

        Args:
            table: The table.
            base: Where the live keys are kept.
            live: How many they are.
            gone: The missing ones.
            snapshot: The snapshot that misses them.

        Returns:
            The hold as it was first noted.
        """
        checksum = hashlib.sha256(values_of(gone).tobytes()).hexdigest()
        name = hashlib.sha256(f"{base} {checksum}".encode()).hexdigest()[:16]
        since = f"{snapshot.captured_at.isoformat(timespec='milliseconds')}Z"
        hold = Hold(table, name, since, len(gone), live, base, snapshot.high, checksum)
        self._put(f"{hold.place}{_KEYS}", gone.serialize())
        self._put(f"{hold.place}{_HELD}", json.dumps(asdict(hold)).encode())
        return self._hold(f"{hold.place}{_HELD}")

    def release(self, hold: Hold, at: str) -> None:
        """Let exactly these deletions through, at the next capture."""
        self._put(hold.release_key, json.dumps({"released_at": at}).encode())

    def is_released(self, hold: Hold) -> bool:
        """Whether a person released it."""
        return any(key == hold.release_key for key in self._keys(hold.place))

    def released(self, table: str, base: str) -> BitMap64:
        """The keys that were released from these live keys.

        Raises:
            ChecksumMismatch: They are not the keys that were held.
        """
        found = BitMap64()
        for name, parts in self._parts(table).items():
            if _RELEASED in parts and _HELD in parts:
                hold = self._hold(f"{PREFIX}{table}/{name}/{_HELD}")
                if hold.base == base:
                    found |= self._missing(hold)
        return found

    def end(self, tables: Iterable[str], batch: int) -> list[Hold]:
        """Note that nothing of these tables is held any more; what ended is returned."""
        ended = [hold for hold in self._known() if hold.table in set(tables)]
        for hold in ended:
            self._put(f"{hold.place}{_ENDED}", json.dumps({"last_batch": batch}).encode())
        return ended

    def _known(self, table: str = "") -> list[Hold]:
        """Every hold that has not ended."""
        return [
            self._hold(f"{PREFIX}{place}/{_HELD}")
            for place, parts in self._places(f"{PREFIX}{table}").items()
            if _HELD in parts and _ENDED not in parts
        ]

    def _parts(self, table: str) -> Mapping[str, set[str]]:
        found = self._places(f"{PREFIX}{table}/")
        return {place.rpartition("/")[2]: parts for place, parts in found.items()}

    def _places(self, prefix: str) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for key in self._keys(prefix):
            place, _, part = key[len(PREFIX) :].rpartition("/")
            found[place].add(part)
        return found

    def _keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def _hold(self, key: str) -> Hold:
        return Hold(**json.loads(self._get(key)))

    def _missing(self, hold: Hold) -> BitMap64:
        keys = BitMap64.deserialize(self._get(f"{hold.place}{_KEYS}"))
        if hashlib.sha256(values_of(keys).tobytes()).hexdigest() != hold.sha256:
            raise ChecksumMismatch(f"s3://{self._bucket}/{hold.place}{_KEYS} is not what was held")
        return keys

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
        holds: Where holds are kept; without them nothing can be released.
    """

    share: float = 0.2
    holds: Optional[Holds] = None

    def too_many(self, gone: int, live: int) -> bool:
        """Whether so many of so many keys are no everyday deletion."""
        return gone >= MINIMUM and gone > self.share * live

    def judge(
        self, table: str, kept: Optional[StateObject], live: BitMap64, gone: BitMap64, snapshot: Snapshot
    ) -> None:
        """Let a table's deletions pass, or hold the table.

        Args:
            table: The table.
            kept: Where its live keys are kept.
            live: These.
            gone: Those of them, or of the ones that came since, that the source lacks.
            snapshot: The snapshot that lacks them.

        Raises:
            DeleteHeld: More keys vanished than is believable, besides those that a person released.
        """
        if not self.too_many(len(gone), len(live)):
            return
        base = kept.key if kept is not None else ""
        if self.holds is None:
            raise DeleteHeld(Hold(table, "", "", len(gone), len(live), base, snapshot.high, ""))
        released = self.holds.released(table, base) & gone
        if len(released) and not self.too_many(len(gone - released), len(live)):
            log.warning("capture.delete_released", table=table, rows=len(gone), released=len(released))
            return
        raise DeleteHeld(self.holds.keep(table, base, len(live), gone, snapshot))


EVERYDAY = MassDeleteGuard()
"""The guard as it is unless told otherwise; it keeps no holds."""


def tell(holds: Holds, held: Mapping[str, TableHeld], captured: Iterable[str], batch: int) -> None:
    """Say which deletions wait, with a metric for each that an alarm can stand on, and which do so no more.

    Args:
        holds: Where holds are kept.
        held: By table, why it could not be captured.
        captured: The tables that could.
        batch: The newest batch.
    """
    for hold in holds.end(captured, batch):
        log.info("capture.hold_ended", table=hold.table, hold=hold.name, batch=batch)
        metrics.emit({"job": "extract_cdc", "table": hold.table}, {"deletions_held": 0})
    for table, error in sorted(held.items()):
        if isinstance(error, DeleteHeld):
            hold = error.hold
            log.error(
                "capture.delete_held",
                table=table,
                rows=hold.missing,
                live=hold.live,
                since=holds.first(hold),
                hold=hold.name,
                release=hold.release_key,
            )
            metrics.emit({"job": "extract_cdc", "table": table}, {"deletions_held": hold.missing})
