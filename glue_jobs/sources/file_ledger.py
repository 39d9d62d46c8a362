"""What became of every file that was seen: the ledger of a feed of files, committed with the rows.

An entry is added for whatever happens to a file; none is ever changed. Pure functions over entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Optional

import pyarrow as pa

from glue_jobs.runtime.errors import UserError

READ = "read"
"""Its rows are published."""

REPEATED = "repeated"
"""Its content was read before, under another key or from this one: its rows are not published again."""

UNREADABLE = "unreadable"
"""Nothing of it was taken."""

WAITING = "waiting"
"""It waits: the feed is paused."""

GONE = "gone"
"""It is no longer there; its rows stay."""

_SCHEMA = pa.schema(
    [
        ("source_key", pa.string()),
        ("etag", pa.string()),
        ("bytes", pa.int64()),
        ("last_modified", pa.timestamp("us")),
        ("sha256", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("batch", pa.int64()),
        ("at", pa.timestamp("ms")),
        ("position", pa.int64()),
        ("after", pa.int64()),
        ("upto", pa.int64()),
        ("rows", pa.int64()),
        ("bad", pa.list_(pa.int64())),
        ("columns", pa.list_(pa.string())),
        ("reread", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Version:
    """A version of a file as a listing shows it.

    Attributes:
        etag: S3's name of its bytes, which says nothing across keys.
        bytes: Its size.
        last_modified: When it was written, as S3 says (UTC, without zone).
    """

    etag: str
    bytes: int
    last_modified: datetime


@dataclass(frozen=True)
class Entry:
    """What became of a file, or of a part of it.

    Attributes:
        source_key: Its key; nothing where a run that died kept its content alone.
        version: The version that was seen.
        sha256: Names its content; nothing where that was not kept.
        outcome: ``READ``, ``REPEATED``, ``UNREADABLE``, ``WAITING`` or ``GONE``.
        reason: Why it is unreadable, or waits.
        batch: The batch that says so.
        at: When that was committed (UTC, without zone).
        position: Where the file stands in the order of all that was seen: the number of its first entry.
        after: The part of it that is meant begins after this place.
        upto: The last place of the part; nothing where it goes to the end.
        rows: How many rows the part gave.
        bad: The places that gave none.
        columns: Which columns were taken.
        reread: Whether it was read again, by a contract that has changed.
    """

    source_key: Optional[str]
    version: Optional[Version]
    sha256: Optional[str]
    outcome: str
    reason: str = ""
    batch: int = 0
    at: Optional[datetime] = None
    position: int = 0
    after: int = 0
    upto: Optional[int] = None
    rows: int = 0
    bad: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    reread: bool = False


@dataclass
class Ledger:
    """The entries of a feed, in order."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry, position: Optional[int] = None) -> None:
        """Add an entry: of a file that was seen before at its position, of another one at the end."""
        self.entries.append(replace(entry, position=len(self.entries) if position is None else position))

    @property
    def current(self) -> dict[str, Entry]:
        """By key, the last entry of each file."""
        return {entry.source_key: entry for entry in self.entries if entry.source_key is not None}

    @property
    def contents(self) -> set[str]:
        """The names of every content that was kept."""
        return {entry.sha256 for entry in self.entries if entry.sha256 is not None}

    def can_retry(self, key: str) -> bool:
        """Whether nothing could be taken of a file, and its content was kept."""
        entry = self.current.get(key)
        return entry is not None and entry.outcome == UNREADABLE and entry.sha256 is not None

    @property
    def waiting(self) -> list[Entry]:
        """The files that wait, in order."""
        settled = {entry.position for entry in self.entries if entry.outcome != WAITING}
        found = {e.position: e for e in self.entries if e.outcome == WAITING and e.position not in settled}
        return [found[position] for position in sorted(found)]

    @property
    def unfinished(self) -> Optional[Entry]:
        """The last part of a file of which the rest was not published."""
        read = [entry for entry in self.entries if entry.outcome == READ and not entry.reread]
        if not read or read[-1].upto is None:
            return None
        # Whatever was said of it since settles it.
        same = [entry for entry in self.entries if entry.position == read[-1].position and not entry.reread]
        return read[-1] if same[-1] is read[-1] else None

    @property
    def unreadable(self) -> list[Entry]:
        """The files that are there, and of which nothing could be taken."""
        return [entry for entry in self.current.values() if entry.outcome == UNREADABLE]

    def is_repeated(self, source_key: Optional[str], sha256: str) -> bool:
        """Whether a content was read before, and so is not to be read again.

        What a file held before something else is read again: it was taken back.
        """
        read = [
            entry for entry in self.entries if entry.outcome in (READ, REPEATED) and entry.sha256 == sha256
        ]
        if not read:
            return False
        own = [
            entry
            for entry in self.entries
            if entry.source_key == source_key and entry.outcome in (READ, REPEATED, UNREADABLE)
        ]
        if source_key is None or not own or own[-1].sha256 == sha256:
            return True
        return not any(entry.source_key == source_key for entry in read)

    def files(self) -> list[Entry]:
        """The files that were read, each as its last complete reading has it, in order."""
        last = {e.position: e for e in self.entries if e.outcome == READ}
        return [last[position] for position in sorted(last)]


def require_retry(ledgers: Iterable[Ledger], key: str) -> None:
    """See that one of several feeds can read a file again.

    Args:
        ledgers: The feeds' ledgers.
        key: The file's key.

    Raises:
        UserError: None can.
    """
    if not any(ledger.can_retry(key) for ledger in ledgers):
        raise UserError(
            f"There is no file {key} of which nothing could be taken.",
            "lakehouse files --list says what became of each.",
        )


def changed(ledger: Ledger, listed: Mapping[str, Version]) -> list[tuple[str, Version]]:
    """The files that are new, or another version, in the order in which they were written.

    Args:
        ledger: What is known.
        listed: By key, every file that is there.
    """
    known = ledger.current
    found = [
        (key, version)
        for key, version in listed.items()
        if key not in known or known[key].outcome == GONE or known[key].version != version
    ]
    return sorted(found, key=lambda one: (one[1].last_modified, one[0]))


def vanished(ledger: Ledger, listed: Iterable[str]) -> list[str]:
    """The files that are known and no longer there, by key."""
    there = set(listed)
    return sorted(key for key, entry in ledger.current.items() if key not in there and entry.outcome != GONE)


def to_table(entries: Sequence[Entry]) -> pa.Table:
    """The entries as they are kept."""
    rows = []
    for entry in entries:
        version = asdict(entry.version) if entry.version is not None else {}
        stated = {one.name: getattr(entry, one.name) for one in fields(entry) if one.name != "version"}
        rows.append({**dict.fromkeys(("etag", "bytes", "last_modified")), **stated, **version})
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def from_table(table: Optional[pa.Table]) -> Ledger:
    """The ledger that :func:`to_table` kept; an empty one where nothing was kept."""
    entries = []
    for row in table.to_pylist() if table is not None else ():
        etag, size, modified = row.pop("etag"), row.pop("bytes"), row.pop("last_modified")
        version = None if etag is None else Version(etag, size, modified)
        bad, columns = tuple(row.pop("bad")), tuple(row.pop("columns"))
        entries.append(Entry(version=version, bad=bad, columns=columns, **row))
    return Ledger(entries)
