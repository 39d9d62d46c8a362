"""Multipart uploads: parts as files in the staging directory until they become one object."""

from __future__ import annotations

import hashlib
import itertools
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from local_aws.endpoint.body import Received, base64_digest, encode_digest, new_digest, write_chunks
from local_aws.endpoint.s3_errors import S3Error

_SMALLEST_PART = 5 * 1024 * 1024
_MOST_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """One part of an upload.

    Attributes:
        number: From 1 to 10,000.
        received: Its bytes.
        modified: When it came, UTC.
    """

    number: int
    received: Received
    modified: datetime


@dataclass(frozen=True)
class Upload:
    """An upload that has begun.

    Attributes:
        upload_id: Its name.
        bucket: The bucket of the object to be.
        key: The key of the object to be.
        headers: The object's headers to be.
        tags: The object's tags to be.
        algorithm: The checksum algorithm in lower case, empty for none.
        full_object: Whether the checksum is one over all bytes rather than over the parts' checksums.
        initiated: When it began, UTC.
        parts: What has come so far, by number.
    """

    upload_id: str
    bucket: str
    key: str
    headers: Mapping[str, str]
    tags: Mapping[str, str]
    algorithm: str
    full_object: bool
    initiated: datetime
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class Joined:
    """The parts of an upload as one file.

    Attributes:
        path: The file.
        etag: The entity tag as S3 makes it: the MD5 of the parts' MD5s, and their number.
        checksums: Checksums by header.
    """

    path: Path
    etag: str
    checksums: Mapping[str, str]


class Uploads:
    """The uploads under way; a restart forgets them, as the staging directory is emptied then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uploads: dict[str, Upload] = {}

    def begin(
        self,
        bucket: str,
        key: str,
        headers: Mapping[str, str],
        tags: Mapping[str, str],
        *,
        algorithm: str = "",
        full_object: bool = False,
    ) -> Upload:
        """Begin an upload; arguments as the attributes of `Upload`."""
        upload = Upload(
            uuid.uuid4().hex, bucket, key, headers, tags, algorithm, full_object, datetime.now(UTC)
        )
        with self._lock:
            self._uploads[upload.upload_id] = upload
        return upload

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return an upload.

        Raises:
            S3Error: If there is none of that name for that object.
        """
        with self._lock:
            upload = self._uploads.get(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise S3Error(
                404,
                "NoSuchUpload",
                "The specified upload does not exist: it was aborted or completed, or the stack restarted",
            )
        return upload

    def of_bucket(self, bucket: str) -> list[Upload]:
        """Return a bucket's uploads by key and time."""
        with self._lock:
            uploads = [upload for upload in self._uploads.values() if upload.bucket == bucket]
        return sorted(uploads, key=lambda upload: (upload.key, upload.initiated))

    def add_part(self, upload: Upload, number: int, received: Received) -> Part:
        """Take a part in; a part of the same number is replaced.

        Raises:
            S3Error: If the number is out of range.
        """
        if not 1 <= number <= _MOST_PARTS:
            received.path.unlink(missing_ok=True)
            raise S3Error(
                400, "InvalidArgument", f"Part number must be between 1 and {_MOST_PARTS}: {number}"
            )
        part = Part(number, received, datetime.now(UTC))
        with self._lock:
            replaced = upload.parts.get(number)
            upload.parts[number] = part
        if replaced is not None:
            replaced.received.path.unlink(missing_ok=True)
        return part

    def end(self, upload: Upload) -> None:
        """Forget an upload and its parts."""
        with self._lock:
            self._uploads.pop(upload.upload_id, None)
            parts = list(upload.parts.values())
        for part in parts:
            part.received.path.unlink(missing_ok=True)


def join(upload: Upload, wanted: Iterable[tuple[int, str]], path: Path) -> Joined:
    """Put parts together.

    Args:
        upload: The upload.
        wanted: Number and entity tag (without quotes) of each part, in order.
        path: The file to write.

    Returns:
        The file and what S3 says of it.

    Raises:
        S3Error: If a part is missing, is another one, too small, or out of order.
    """
    parts = _chosen(upload, list(wanted))
    digest = new_digest(upload.algorithm) if upload.full_object else None
    write_chunks(_bytes(parts), path, [digest] if digest is not None else [])
    md5s = b"".join(bytes.fromhex(part.received.md5) for part in parts)
    etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
    if digest is not None:
        return Joined(path, etag, {f"x-amz-checksum-{upload.algorithm}": encode_digest(digest.digest())})
    return Joined(path, etag, {} if upload.full_object else _checksum_of_checksums(upload.algorithm, parts))


def _chosen(upload: Upload, wanted: list[tuple[int, str]]) -> list[Part]:
    if not wanted:
        raise S3Error(400, "MalformedXML", "You must specify at least one part")
    numbers = [number for number, _ in wanted]
    if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
        raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order")
    parts = []
    for number, etag in wanted:
        part = upload.parts.get(number)
        if part is None or part.received.md5 != etag:
            raise S3Error(
                400, "InvalidPart", f"Part {number} was not found, or its entity tag is another one"
            )
        parts.append(part)
    for part in parts[:-1]:
        if part.received.size < _SMALLEST_PART:
            raise S3Error(
                400,
                "EntityTooSmall",
                f"Part {part.number} has {part.received.size} bytes; "
                f"only the last one may have less than {_SMALLEST_PART}",
            )
    return parts


def _bytes(parts: Iterable[Part]) -> Iterator[bytes]:
    for part in parts:
        with part.received.path.open("rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk


def _checksum_of_checksums(algorithm: str, parts: list[Part]) -> dict[str, str]:
    header = f"x-amz-checksum-{algorithm}"
    checksums = [part.received.checksums.get(header) for part in parts]
    if not algorithm or None in checksums:
        return {}
    joined = base64_digest(algorithm, [checksum for checksum in checksums if checksum is not None])
    return {header: f"{joined}-{len(parts)}"} if joined is not None else {}
