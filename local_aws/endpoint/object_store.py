"""Buckets as directories and objects as files, with S3's meaning of put, get, list and delete.

Nothing is held in memory and nothing is indexed: the directory is the store. Bytes enter through a staging
directory outside the buckets and become visible by one rename, so a killed process leaves no torn object. One
store at a time serves a directory and publishes one object after another, so that of two conditional writers
exactly one wins. Where a bucket keeps versions, what is replaced or removed goes to its history.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import heapq
import itertools
import os
import re
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from local_aws.endpoint.history import EVER, UNVERSIONED, History, KeptVersion
from local_aws.endpoint.s3_errors import (
    S3Error,
    is_a_delete_marker,
    key_conflict,
    no_such_bucket,
    no_such_key,
    no_such_version,
    precondition_failed,
)
from local_aws.endpoint.sidecar import ObjectMetadata, Sidecar

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MAX_KEY_BYTES = 1024
_MAX_NAME_BYTES = 255
_EMPTY_MD5 = hashlib.md5(b"", usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class ObjectInfo:
    """What S3 tells of an object.

    Attributes:
        key: The object's key.
        size: Bytes.
        modified: Last modification, UTC.
        facts: Entity tag, headers, tags and checksums; for a file that came from elsewhere the tag is derived
            from the file's identity (it ends in -1, as S3's own do where they are no MD5), the rest is empty.
    """

    key: str
    size: int
    modified: datetime
    facts: ObjectMetadata


@dataclass(frozen=True)
class Page:
    """One page of a listing, in the order of the keys' UTF-8 bytes.

    Attributes:
        objects: The objects themselves.
        prefixes: Common prefixes that stand for the objects beneath them.
        last: The last key or prefix of the page if another page follows, else None.
    """

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    last: str | None


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, as a listing of versions tells of it.

    Attributes:
        info: What S3 tells of it; of a delete marker, key and time alone.
        latest: Whether a GET without a version finds it.
        marker: Whether it is a delete marker.
    """

    info: ObjectInfo
    latest: bool
    marker: bool = False


@dataclass(frozen=True)
class VersionPage:
    """One page of a listing of versions: by key, the newest of a key first.

    Attributes:
        versions: Versions and delete markers.
        prefixes: Common prefixes that stand for the objects beneath them.
        last: The last key or prefix of the page, and its version, if another page follows, else None.
    """

    versions: tuple[ObjectVersion, ...]
    prefixes: tuple[str, ...]
    last: tuple[str, str] | None


@dataclass(frozen=True)
class Condition:
    """What must hold for a write.

    Attributes:
        absent: There must be no object under the key (`If-None-Match: *`).
        etag: The object's present entity tag, without quotes (`If-Match`), None for any.
    """

    absent: bool = False
    etag: str | None = None


@dataclass(frozen=True)
class _Found:
    """A file, a directory marker or (status None) a common prefix that a listing met."""

    key: str
    status: os.stat_result | None = None
    marker: tuple[int, int] | None = None


class StoreInUseError(RuntimeError):
    """A store's directory is in use by another store."""


ANYWAY = Condition()


class OpenObject:
    """An object with its bytes: what was open stays readable, whatever happens to the key."""

    def __init__(self, info: ObjectInfo, content: BinaryIO | None) -> None:
        self.info = info
        self._content = content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._content is not None:
            self._content.close()

    def chunks(self, start: int, length: int, size: int = 1 << 20) -> Iterator[bytes]:
        """Read a stretch of the object, and let go of the file after it.

        Args:
            start: The first byte.
            length: How many bytes.
            size: The most bytes to hold at once.

        Yields:
            The bytes, in order.
        """
        with self:
            if self._content is None:
                return
            self._content.seek(start)
            while length > 0 and (chunk := self._content.read(min(size, length))):
                length -= len(chunk)
                yield chunk


class ObjectStore:
    """The buckets of one stack.

    Args:
        root: The directory of the bucket directories.
        staging: A directory on the same file system for what is not visible yet; emptied now, because what is
            in it belongs to a process that is gone.
        sidecar: The file for what S3 knows beyond bytes.

    Raises:
        StoreInUseError: If another store, of this process or another one, uses the same sidecar.
    """

    def __init__(self, root: Path, staging: Path, sidecar: Path) -> None:
        self._root = root
        self._staging = staging
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        self._hold = _hold(sidecar.with_suffix(".lock"))
        shutil.rmtree(staging, ignore_errors=True)
        for directory in (root, staging):
            directory.mkdir(parents=True, exist_ok=True)
        self._sidecar = Sidecar(sidecar)
        self._history = History(sidecar.with_suffix(".versions"))
        self._lock = threading.RLock()
        self._last_modified = 0

    def close(self) -> None:
        """Let go of sidecar and history."""
        self._sidecar.close()
        self._history.close()
        self._hold.close()

    def stage(self) -> Path:
        """Return a fresh path for bytes that are not visible yet."""
        return self._staging / uuid.uuid4().hex

    # --- buckets ---

    def buckets(self) -> list[str]:
        """Return the buckets' names."""
        return sorted(
            entry.name
            for entry in os.scandir(self._root)
            if entry.is_dir(follow_symlinks=False) and _BUCKET_NAME.fullmatch(entry.name)
        )

    def has_bucket(self, bucket: str) -> bool:
        """Say whether a bucket exists."""
        return bool(_BUCKET_NAME.fullmatch(bucket)) and (self._root / bucket).is_dir()

    def check_bucket_name(self, bucket: str) -> None:
        """Make sure that a name can be a bucket's.

        Raises:
            S3Error: If S3 does not allow the name.
        """
        if not _BUCKET_NAME.fullmatch(bucket):
            raise S3Error(400, "InvalidBucketName", f"The specified bucket is not valid: {bucket}")

    def create_bucket(self, bucket: str) -> None:
        """Create a bucket; one that exists stays as it is.

        Raises:
            S3Error: If S3 does not allow the name.
        """
        self.check_bucket_name(bucket)
        if not self.has_bucket(bucket):
            # What was kept of one that somebody removed by hand is not this one's.
            self._history.forget_bucket(bucket)
        (self._root / bucket).mkdir(exist_ok=True)

    def check_empty(self, bucket: str) -> None:
        """Make sure that a bucket may be deleted.

        Raises:
            S3Error: If there is no such bucket or it holds an object.
        """
        if self.page(bucket, limit=1).objects or self._history.holds(bucket):
            raise S3Error(409, "BucketNotEmpty", f"The bucket you tried to delete is not empty: {bucket}")

    def delete_bucket(self, bucket: str) -> None:
        """Delete a bucket that holds no object.

        Raises:
            S3Error: If there is no such bucket or it holds an object.
        """
        with self._lock:
            self.check_empty(bucket)
            shutil.rmtree(self._bucket(bucket))
            self._sidecar.forget_bucket(bucket)
            self._history.forget_bucket(bucket)

    def versioning(self, bucket: str) -> str:
        """Return whether a bucket keeps versions: Enabled, Suspended, or empty where it never did."""
        return self._history.status(bucket)

    def set_versioning(self, bucket: str, status: str) -> None:
        """State whether a bucket keeps versions from now on.

        Args:
            bucket: The bucket's name.
            status: Enabled or Suspended.
        """
        with self._lock:
            self._history.set_status(bucket, status)

    # --- reading ---

    def open(self, bucket: str, key: str, version: str | None = None) -> OpenObject:
        """Open an object; the caller closes it.

        Args:
            bucket: The bucket's name.
            key: The object's key.
            version: Which version, None for the latest.

        Raises:
            S3Error: If there is no such bucket, object or version, or the version is a delete marker.
        """
        if version is None:
            return self._open_latest(bucket, key)
        self._bucket(bucket)
        # A version that is the latest may become history meanwhile, or the other way round.
        with self._lock:
            with contextlib.suppress(S3Error):
                found = self._open_latest(bucket, key)
                if found.info.facts.version == version:
                    return found
                found.close()
            kept = self._history.get(bucket, key, version)
            if kept is None:
                raise no_such_version(key)
            if kept.is_marker:
                raise is_a_delete_marker(key)
            return OpenObject(_kept_info(kept), self._history.path(bucket, kept).open("rb"))

    def _open_latest(self, bucket: str, key: str) -> OpenObject:
        directory = self._bucket(bucket)
        if _refusal(key) is not None:
            raise no_such_key(key)
        if key.endswith("/"):
            return OpenObject(self._marker(bucket, key), None)
        try:
            descriptor = os.open(directory / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise no_such_key(key) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise no_such_key(key)
        content = os.fdopen(descriptor, "rb")
        facts = self._sidecar.get(bucket, key, status.st_mtime_ns, status.st_size)
        return OpenObject(_info(key, status, facts), content)

    def find(self, bucket: str, key: str) -> ObjectInfo | None:
        """Return what there is to tell of an object, None if it does not exist.

        Raises:
            S3Error: If there is no such bucket.
        """
        self._bucket(bucket)
        try:
            with self.open(bucket, key) as found:
                return found.info
        except S3Error:
            return None

    def page(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
    ) -> Page:
        """List a bucket.

        Args:
            bucket: The bucket's name.
            prefix: Only keys that start with it.
            delimiter: Keys that hold it behind the prefix are rolled up into one common prefix.
            after: Only keys and common prefixes that sort behind it.
            limit: The most keys and common prefixes to return.

        Raises:
            S3Error: If there is no such bucket.
        """
        self._bucket(bucket)
        if limit <= 0:
            return Page((), (), None)
        found = list(itertools.islice(self._rolled(bucket, prefix, delimiter, after), limit + 1))
        last = found[limit - 1].key if len(found) > limit else None
        found = found[:limit]
        listed = [item for item in found if item.status is not None or item.marker is not None]
        known = self._sidecar.between(bucket, listed[0].key, listed[-1].key) if listed else {}
        return Page(
            tuple(_listed(item, known) for item in listed),
            tuple(item.key for item in found if item.status is None and item.marker is None),
            last,
        )

    def version_page(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> VersionPage:
        """List the versions in a bucket.

        Args:
            bucket: The bucket's name.
            prefix: Only of keys that start with it.
            delimiter: Keys that hold it behind the prefix are rolled up into one common prefix.
            after: A key or common prefix and, where not empty, a version of it: only what comes behind.
            limit: The most versions and common prefixes to return.

        Raises:
            S3Error: If there is no such bucket.
        """
        self._bucket(bucket)
        if limit <= 0:
            return VersionPage((), (), None)
        listed = self._rolled_versions(bucket, prefix, delimiter, after)
        found = list(itertools.islice(listed, limit + 1))
        last = None
        if len(found) > limit:
            end = found[limit - 1]
            last = (end, "") if isinstance(end, str) else (end.info.key, end.info.facts.version)
        found = found[:limit]
        return VersionPage(
            tuple(item for item in found if not isinstance(item, str)),
            tuple(item for item in found if isinstance(item, str)),
            last,
        )

    # --- writing ---

    def check_key(self, bucket: str, key: str) -> None:
        """Make sure that a key can be stored.

        Raises:
            S3Error: If there is no such bucket, or the key has no place in a directory.
        """
        self._bucket(bucket)
        refusal = _refusal(key)
        if refusal is not None:
            raise refusal

    def publish(
        self, bucket: str, key: str, staged: Path, facts: ObjectMetadata, condition: Condition = ANYWAY
    ) -> ObjectInfo:
        """Make staged bytes the object under a key, in one step.

        Args:
            bucket: The bucket's name.
            key: The object's key.
            staged: The file, from `stage`; it moves away.
            facts: What is known of the object.
            condition: What must hold.

        Raises:
            S3Error: If the condition does not hold, the key is refused or cannot stand beside what is there.
        """
        self.check_key(bucket, key)
        with self._lock:
            self._check(bucket, key, condition)
            if key.endswith("/"):
                return self._publish_marker(bucket, key, staged, facts)
            modified = self._next_modified()
            facts = replace(facts, version=self._new_version(bucket, modified))
            os.utime(staged, ns=(modified, modified))
            status = staged.stat()
            # The facts stand before the file: they count for exactly this modification time, which no other
            # version of the file has.
            self._sidecar.add(bucket, key, status.st_mtime_ns, status.st_size, facts)
            try:
                self._clear_empty(bucket, key)
                self._keep_latest(bucket, key)
                self._move(staged, self._root / bucket / key, key)
            except S3Error:
                self._sidecar.forget(bucket, key, status.st_mtime_ns)
                raise
            self._sidecar.keep_only(bucket, key, status.st_mtime_ns)
            self._replace_unversioned(bucket, key)
            return _info(key, status, facts)

    def retag(self, bucket: str, key: str, tags: Mapping[str, str]) -> None:
        """Replace an object's tags.

        Raises:
            S3Error: If there is no such bucket or object.
        """
        with self._lock, self.open(bucket, key) as found:
            info = found.info
            if key.endswith("/"):
                modified, size = self._sidecar.markers(bucket, key)[key]
            else:
                status = (self._root / bucket / key).stat()
                modified, size = status.st_mtime_ns, status.st_size
            self._sidecar.add(bucket, key, modified, size, replace(info.facts, tags=dict(tags)))

    def delete(self, bucket: str, key: str, condition: Condition = ANYWAY) -> str | None:
        """Delete an object; one that does not exist is as good as deleted.

        Directories that the deletion leaves empty go with it, as S3 has none. A bucket that keeps versions
        keeps the object, under a delete marker.

        Returns:
            The version of the delete marker; None where there is none.

        Raises:
            S3Error: If there is no such bucket, or the condition does not hold.
        """
        self._bucket(bucket)
        if _refusal(key) is not None:
            return None
        with self._lock:
            if condition.etag is not None:
                self._check(bucket, key, condition)
            marker = None
            if self.versioning(bucket) and not key.endswith("/"):
                modified = self._next_modified()
                marker = self._new_version(bucket, modified)
                self._keep_latest(bucket, key)
                self._replace_unversioned(bucket, key)
                self._history.note(bucket, KeptVersion(key, marker, modified))
            self._remove(bucket, key)
        return marker

    def delete_version(self, bucket: str, key: str, version: str) -> bool:
        """Delete a version for good; where it was the latest, the newest that is left shows again.

        Args:
            bucket: The bucket's name.
            key: The object's key.
            version: Its version; of a delete marker, what it hides shows again.

        Returns:
            Whether it was a delete marker.

        Raises:
            S3Error: If there is no such bucket or version.
        """
        with self._lock:
            latest = self.find(bucket, key)
            kept = self._history.get(bucket, key, version)
            is_latest = latest is not None and latest.facts.version == version
            if kept is None and not is_latest:
                raise no_such_version(key)
            self._history.forget(bucket, key, version)
            if is_latest:
                self._remove(bucket, key)
            if is_latest or latest is None:
                self._show_newest(bucket, key)
            return kept is not None and kept.is_marker

    # --- inside ---

    def _bucket(self, bucket: str) -> Path:
        if not self.has_bucket(bucket):
            raise no_such_bucket(bucket)
        return self._root / bucket

    def _new_version(self, bucket: str, modified: int) -> str:
        # No other write has this time, so that it names the version; and it tells nothing to a reader.
        return f"{modified:032x}" if self.versioning(bucket) == "Enabled" else UNVERSIONED

    def _keep_latest(self, bucket: str, key: str) -> None:
        """Keep an object that is about to be replaced or removed, if its bucket does."""
        status = self.versioning(bucket)
        latest = self.find(bucket, key) if status else None
        if latest is None or (status == "Suspended" and latest.facts.version == UNVERSIONED):
            return
        path = self._root / bucket / key
        kept = KeptVersion(key, latest.facts.version, path.stat().st_mtime_ns, latest.size, latest.facts)
        self._history.keep(bucket, path, kept)

    def _replace_unversioned(self, bucket: str, key: str) -> None:
        """Where versioning is suspended, let what is written or removed replace the version named null."""
        if self.versioning(bucket) == "Suspended":
            self._history.forget(bucket, key, UNVERSIONED)

    def _remove(self, bucket: str, key: str) -> None:
        path = self._root / bucket / key
        self._sidecar.keep_only(bucket, key, None)
        if key.endswith("/"):
            self._prune(bucket, path)
        elif _unlink(path):
            self._prune(bucket, path.parent)

    def _show_newest(self, bucket: str, key: str) -> None:
        """Make the newest version of a key its object again, unless that is a delete marker."""
        newest = self._history.newest(bucket, key)
        if newest is None or newest.facts is None:
            return
        path = self._root / bucket / key
        self._sidecar.add(bucket, key, newest.modified, newest.size, newest.facts)
        self._clear_empty(bucket, key)
        self._move(self._history.path(bucket, newest), path, key)
        self._history.forget(bucket, key, newest.version)

    def _next_modified(self) -> int:
        # Strictly increasing, and finer than the kernel's clock ticks: no other write has this time.
        self._last_modified = max(time.time_ns(), self._last_modified + 1)
        return self._last_modified

    def _check(self, bucket: str, key: str, condition: Condition) -> None:
        if not condition.absent and condition.etag is None:
            return
        found = self.find(bucket, key)
        if condition.absent and found is not None:
            raise precondition_failed("If-None-Match")
        if condition.etag is not None:
            if found is None:
                raise no_such_key(key)
            if found.facts.etag != condition.etag:
                raise precondition_failed("If-Match")

    def _clear_empty(self, bucket: str, key: str) -> None:
        """Remove a directory in an object's place if no object is in it: to S3 it is nothing."""
        path = self._root / bucket / key
        if path.is_dir() and not self.page(bucket, prefix=f"{key}/", limit=1).objects:
            for directory, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    Path(directory).rmdir()

    def _move(self, staged: Path, path: Path, key: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(path)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise key_conflict(key) from error

    def _marker(self, bucket: str, key: str) -> ObjectInfo:
        marker = self._sidecar.markers(bucket, key).get(key)
        if marker is None or _inode(self._root / bucket / key) != marker[1]:
            raise no_such_key(key)
        facts = self._sidecar.get(bucket, key, *marker) or ObjectMetadata(_EMPTY_MD5)
        return ObjectInfo(key, 0, _utc(marker[0]), facts)

    def _publish_marker(self, bucket: str, key: str, staged: Path, facts: ObjectMetadata) -> ObjectInfo:
        if staged.stat().st_size:
            raise S3Error(
                400,
                "InvalidRequest",
                f"On a laptop a key that ends in '/' is a directory and holds no bytes: {key}",
            )
        path = self._root / bucket / key
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise key_conflict(key) from error
        staged.unlink()
        modified = self._next_modified()
        self._sidecar.add(bucket, key, modified, path.stat().st_ino, facts)
        self._sidecar.keep_only(bucket, key, modified)
        return ObjectInfo(key, 0, _utc(modified), facts)

    def _prune(self, bucket: str, directory: Path) -> None:
        top = self._root / bucket
        markers = self._sidecar.markers(bucket, "")
        while directory != top and f"{directory.relative_to(top)}/" not in markers:
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                return  # not empty, or not a directory
            directory = directory.parent

    def _rolled(self, bucket: str, prefix: str, delimiter: str, after: str) -> Iterator[_Found]:
        if _prefix_is_nowhere(prefix):
            return
        parent = prefix.rpartition("/")[0]
        start = f"{parent}/" if parent else ""
        walk = _Walk(prefix, after, self._sidecar.markers(bucket, prefix), shallow=delimiter == "/")
        found = walk.directory(self._root / bucket / start, start)
        if delimiter in ("", "/"):
            yield from found
            return
        rolled = ""
        for item in found:
            head, cut, _ = item.key[len(prefix) :].partition(delimiter)
            common = prefix + head + cut
            if not cut:
                yield item
            elif common > after and common != rolled:
                rolled = common
                yield _Found(common)

    def _rolled_versions(
        self, bucket: str, prefix: str, delimiter: str, after: tuple[str, str]
    ) -> Iterator[ObjectVersion | str]:
        """Versions, and the common prefixes that stand for some."""
        rolled = ""
        for version in self._versions(bucket, prefix, *after):
            key = version.info.key
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            common = prefix + head + cut
            if not cut:
                yield version
            elif common > after[0] and common != rolled:
                rolled = common
                yield common

    def _versions(self, bucket: str, prefix: str, key: str, version: str) -> Iterator[ObjectVersion]:
        """Versions behind a key, or behind one of its versions."""
        before, known = -1, ""
        if version:
            kept, latest = self._history.get(bucket, key, version), self.find(bucket, key)
            before = EVER if kept is None else kept.modified
            known = "" if latest is None else latest.facts.version
        objects = self._rolled(bucket, prefix, "", key)
        history = self._history.under(bucket, prefix, key, before)
        merged: Iterator[_Found | KeptVersion] = heapq.merge(objects, history, key=lambda item: item.key)
        for one, items in itertools.groupby(merged, key=lambda item: item.key):
            goes_on = bool(version) and one == key
            latest_version = known if goes_on else ""
            newest = not goes_on
            for item in items:
                if isinstance(item, _Found):
                    info = _listed(item, self._sidecar.between(bucket, one, one))
                    latest_version = info.facts.version
                    yield ObjectVersion(info, latest=True)
                elif item.version != latest_version:
                    yield ObjectVersion(_kept_info(item), latest=newest, marker=item.is_marker)
                newest = False


@dataclass(frozen=True)
class _Walk:
    """A walk over a directory tree in the order of keys; only what the page needs is read.

    Attributes:
        prefix: Only keys that start with it.
        after: Only keys behind it.
        markers: Directory markers of the bucket under the prefix.
        shallow: Roll up the directories below the prefix's own.
    """

    prefix: str
    after: str
    markers: Mapping[str, tuple[int, int]]
    shallow: bool

    def directory(self, path: Path, key: str) -> Iterator[_Found]:
        """Walk one directory.

        Args:
            path: The directory.
            key: Its key: empty for the bucket itself, else ending in a slash.
        """
        if self._wanted(key) and (marker := self._marker(path, key)) is not None:
            yield _Found(key, marker=marker)
        for name, entry in _sorted_entries(path):
            child = key + name
            if not name.endswith("/"):
                if self._wanted(child) and (status := _file_status(entry)) is not None:
                    yield _Found(child, status)
            elif self._can_hold(child):
                yield from self._subdirectory(path / entry.name, child)

    def _subdirectory(self, path: Path, key: str) -> Iterator[_Found]:
        if not (self.shallow and len(key) > len(self.prefix)):
            yield from self.directory(path, key)
        elif key > self.after and self._holds_objects(path, key):
            yield _Found(key)

    def _wanted(self, key: str) -> bool:
        return key.startswith(self.prefix) and key > self.after

    def _can_hold(self, key: str) -> bool:
        near = key.startswith(self.prefix) or self.prefix.startswith(key)
        return near and (self.after < key or self.after.startswith(key))

    def _marker(self, path: Path, key: str) -> tuple[int, int] | None:
        marker = self.markers.get(key)
        return marker if marker is not None and _inode(path) == marker[1] else None

    def _holds_objects(self, path: Path, key: str) -> bool:
        everything = replace(self, prefix=key, after="", shallow=False)
        return next(everything.directory(path, key), None) is not None


def _hold(path: Path) -> BinaryIO:
    """Lock a file for as long as it is open; a process that dies lets go of it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise StoreInUseError(
            f"Another laptop stack serves the objects in {path.parent}: stop it, or use another directory"
        ) from error
    return file


def _sorted_entries(path: Path) -> list[tuple[str, os.DirEntry[str]]]:
    entries: list[tuple[str, os.DirEntry[str]]] = []
    # The directory may go away while it is read: then it holds nothing.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as scan:
        for entry in scan:
            name = f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
            if _refusal(name) is None:
                entries.append((name, entry))
    return sorted(entries, key=lambda item: item[0])


def _file_status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _refusal(key: str) -> S3Error | None:
    """Say why a key has no place in a directory, None if it has one."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return S3Error(400, "InvalidURI", "The key is not valid UTF-8")
    names = key.removesuffix("/").split("/")
    if not key or "\0" in key or any(name in {"", ".", ".."} for name in names):
        return S3Error(
            400,
            "InvalidArgument",
            "On a laptop objects are files: a key must be a relative path without empty, '.' or '..' parts; "
            f"this one is {key!r}",
        )
    if size > _MAX_KEY_BYTES or any(len(name.encode()) > _MAX_NAME_BYTES for name in names):
        return S3Error(
            400,
            "KeyTooLongError",
            f"Your key is too long: at most {_MAX_KEY_BYTES} bytes, and on a laptop {_MAX_NAME_BYTES} bytes "
            "between two slashes",
        )
    return None


def _prefix_is_nowhere(prefix: str) -> bool:
    parent = prefix.rpartition("/")[0]
    return "\0" in prefix or (bool(parent) and _refusal(parent) is not None) or prefix.startswith("/")


def _info(key: str, status: os.stat_result, facts: ObjectMetadata | None) -> ObjectInfo:
    if facts is None:
        identity = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
        facts = ObjectMetadata(f"{hashlib.md5(identity.encode(), usedforsecurity=False).hexdigest()}-1")
    return ObjectInfo(key, status.st_size, _utc(status.st_mtime_ns), facts)


def _kept_info(kept: KeptVersion) -> ObjectInfo:
    return ObjectInfo(
        kept.key, kept.size, _utc(kept.modified), kept.facts or ObjectMetadata("", version=kept.version)
    )


def _listed(item: _Found, known: Mapping[tuple[str, int, int], ObjectMetadata]) -> ObjectInfo:
    if item.status is not None:
        return _info(
            item.key, item.status, known.get((item.key, item.status.st_mtime_ns, item.status.st_size))
        )
    modified, inode = item.marker or (0, 0)
    return ObjectInfo(
        item.key, 0, _utc(modified), known.get((item.key, modified, inode), ObjectMetadata(_EMPTY_MD5))
    )


def _utc(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).replace(
        microsecond=nanoseconds % 1_000_000_000 // 1000
    )


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _unlink(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        path.unlink()
    except OSError:
        return False
    return True
