"""What S3 knows of an object beyond its bytes, kept beside the bucket directories."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    modified INTEGER NOT NULL,
    size INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (bucket, key, modified)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS markers ON objects (bucket, key) WHERE substr(key, -1) = '/';
"""


@dataclass(frozen=True)
class ObjectMetadata:
    """What a PUT said about an object.

    Attributes:
        etag: The entity tag, without quotes.
        headers: The headers that a GET gives back (content type, user metadata ...), names in lower case.
        tags: The object's tags.
        checksums: Checksums in base64 by their header, e.g. `x-amz-checksum-crc32`.
        version: The version's name; null where its bucket keeps none.
    """

    etag: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    version: str = "null"


class Sidecar:
    """The facts of all objects that came through the S3 API, in one SQLite file.

    A file's facts count only while its size and modification time (nanoseconds) are those that the PUT left:
    what somebody overwrites or deletes in the directory has no facts any more, without anybody telling.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # No fsync on a commit: what must survive is a killed process, not a power cut.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def add(self, bucket: str, key: str, modified: int, size: int, facts: ObjectMetadata) -> None:
        """Note an object's facts; facts of other versions of the file stay until `keep_only`.

        Args:
            bucket: The bucket's name.
            key: The object's key.
            modified: The file's modification time in nanoseconds.
            size: The file's size in bytes.
            facts: What to note.
        """
        row = (bucket, key, modified, size, json.dumps(asdict(facts)))
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", row)

    def get(self, bucket: str, key: str, modified: int, size: int) -> ObjectMetadata | None:
        """Return the facts of exactly this version of the file, None if there are none."""
        with self._lock:
            row = self._database.execute(
                "SELECT facts FROM objects WHERE bucket = ? AND key = ? AND modified = ? AND size = ?",
                (bucket, key, modified, size),
            ).fetchone()
        return None if row is None else ObjectMetadata(**json.loads(row[0]))

    def between(self, bucket: str, first: str, last: str) -> dict[tuple[str, int, int], ObjectMetadata]:
        """Return the facts of a stretch of keys, both ends included.

        Returns:
            What was said of each, by key, modification time and size.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT key, modified, size, facts FROM objects WHERE bucket = ? AND key BETWEEN ? AND ?",
                (bucket, first, last),
            ).fetchall()
        return {
            (key, modified, size): ObjectMetadata(**json.loads(facts)) for key, modified, size, facts in rows
        }

    def markers(self, bucket: str, prefix: str) -> dict[str, tuple[int, int]]:
        """Return the directory markers (keys that end in a slash) under a prefix.

        Returns:
            When it was made (nanoseconds) and its directory's inode, which stands in for the size, by key.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT key, modified, size FROM objects"
                " WHERE bucket = ? AND key >= ? AND substr(key, -1) = '/' AND substr(key, 1, length(?)) = ?",
                (bucket, prefix, prefix, prefix),
            ).fetchall()
        return {key: (modified, inode) for key, modified, inode in rows}

    def keep_only(self, bucket: str, key: str, modified: int | None) -> None:
        """Forget all versions of a key but one.

        Args:
            bucket: The bucket's name.
            key: The object's key.
            modified: The modification time of the version to keep, None to keep none.
        """
        with self._lock:
            self._database.execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ? AND modified IS NOT ?",
                (bucket, key, modified),
            )

    def forget(self, bucket: str, key: str, modified: int) -> None:
        """Forget one version of a key."""
        with self._lock:
            self._database.execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ? AND modified = ?", (bucket, key, modified)
            )

    def forget_bucket(self, bucket: str) -> None:
        """Forget all objects of a bucket."""
        with self._lock:
            self._database.execute("DELETE FROM objects WHERE bucket = ?", (bucket,))
