"""What buckets with versioning keep: versions that are no longer an object's latest, and delete markers.

The latest version of an object is its file in the directory of its bucket. What it replaced lies here, a file
each, with an index beside them. A kill between two steps may leave a version here that is still the latest:
whoever lists passes over it, and its replacement notes it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from local_aws.endpoint.sidecar import ObjectMetadata

UNVERSIONED = "null"
"""The version of what was written while a bucket kept none."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (bucket TEXT PRIMARY KEY, status TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    modified INTEGER NOT NULL,
    size INTEGER NOT NULL,
    facts TEXT,
    PRIMARY KEY (bucket, key, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS newest ON versions (bucket, key, modified DESC);
"""
_COLUMNS = "key, version, modified, size, facts"
_AT_ONCE = 1000

EVER = 2**63 - 1
"""A moment behind all others."""


@dataclass(frozen=True)
class KeptVersion:
    """A version that is not the latest, or a delete marker.

    Attributes:
        key: The object's key.
        version: Its version.
        modified: When it was written, in nanoseconds.
        size: Bytes.
        facts: What is known of it; None of a delete marker.
    """

    key: str
    version: str
    modified: int
    size: int = 0
    facts: ObjectMetadata | None = None

    @property
    def is_marker(self) -> bool:
        """Whether it says that the object was removed."""
        return self.facts is None


class History:
    """The versions that buckets keep.

    Args:
        directory: Where they lie, on the file system of the buckets.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            directory / "index.sqlite", check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        self._statuses: dict[str, str] = dict(self._database.execute("SELECT bucket, status FROM buckets"))

    def close(self) -> None:
        """Close the index."""
        with self._lock:
            self._database.close()

    def status(self, bucket: str) -> str:
        """Return a bucket's versioning: Enabled, Suspended, or nothing where it never kept versions."""
        return self._statuses.get(bucket, "")

    def set_status(self, bucket: str, status: str) -> None:
        """State a bucket's versioning."""
        self._change("INSERT OR REPLACE INTO buckets VALUES (?, ?)", bucket, status)
        self._statuses[bucket] = status

    def keep(self, bucket: str, file: Path, version: KeptVersion) -> None:
        """Keep the file of a version that is about to be replaced or removed."""
        path = self.path(bucket, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.link(file, path)
        self.note(bucket, version)

    def note(self, bucket: str, version: KeptVersion) -> None:
        """Note a version that lies here, or a delete marker."""
        facts = None if version.facts is None else json.dumps(asdict(version.facts))
        self._change(
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?, ?)",
            *(bucket, version.key, version.version, version.modified, version.size, facts),
        )

    def get(self, bucket: str, key: str, version: str) -> KeptVersion | None:
        """Return a version or marker, None if there is none of that name."""
        found = self._select("bucket = ? AND key = ? AND version = ?", bucket, key, version)
        return found[0] if found else None

    def newest(self, bucket: str, key: str) -> KeptVersion | None:
        """Return what is newest of a key, None if nothing is kept of it."""
        found = self._select("bucket = ? AND key = ? ORDER BY modified DESC LIMIT 1", bucket, key)
        return found[0] if found else None

    def path(self, bucket: str, version: KeptVersion) -> Path:
        """Return where the bytes of a version lie."""
        name = hashlib.sha256(f"{version.key}\0{version.version}".encode()).hexdigest()
        return self._directory / bucket / name

    def forget(self, bucket: str, key: str, version: str) -> None:
        """Remove a version or marker; one that is not there is as good as removed."""
        found = self.get(bucket, key, version)
        if found is not None:
            self._change(
                "DELETE FROM versions WHERE bucket = ? AND key = ? AND version = ?", bucket, key, version
            )
            self.path(bucket, found).unlink(missing_ok=True)

    def holds(self, bucket: str) -> bool:
        """Say whether anything is kept of a bucket."""
        return bool(self._select("bucket = ? LIMIT 1", bucket))

    def forget_bucket(self, bucket: str) -> None:
        """Forget a bucket and all that is kept of it."""
        for table in ("buckets", "versions"):
            self._change(f"DELETE FROM {table} WHERE bucket = ?", bucket)  # noqa: S608 - one of these two
        self._statuses.pop(bucket, None)
        shutil.rmtree(self._directory / bucket, ignore_errors=True)

    def under(self, bucket: str, prefix: str, after: str, before: int) -> Iterator[KeptVersion]:
        """Go through what is kept, by key, the newest of a key first.

        Args:
            bucket: The bucket's name.
            prefix: Only of keys that start with it.
            after: Only of keys behind it, and
            before: of this very key what is older than so many nanoseconds.
        """
        while True:
            found = self._select(
                "bucket = ? AND substr(key, 1, length(?)) = ? AND (key > ? OR (key = ? AND modified < ?))"
                f" ORDER BY key, modified DESC LIMIT {_AT_ONCE}",
                *(bucket, prefix, prefix, after, after, before),
            )
            yield from found
            if len(found) < _AT_ONCE:
                return
            after, before = found[-1].key, found[-1].modified

    def _change(self, statement: str, *values: object) -> None:
        with self._lock:
            self._database.execute(statement, values)

    def _select(self, condition: str, *values: object) -> list[KeptVersion]:
        with self._lock:
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM versions WHERE {condition}",  # noqa: S608 - conditions are this class's own
                values,
            ).fetchall()
        return [
            KeptVersion(
                key, version, modified, size, None if facts is None else ObjectMetadata(**json.loads(facts))
            )
            for key, version, modified, size, facts in rows
        ]
