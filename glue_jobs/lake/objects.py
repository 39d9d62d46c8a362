"""Objects and their checksums: nothing is published unmeasured, nothing is read unchecked."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Optional

from botocore.exceptions import ClientError

from glue_jobs.lake.commits import DataObject
from glue_jobs.lake.conditional import put_new
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import is_absent

CHUNK = 1 << 20
"""Bytes read at a time."""

IN_MEMORY = 32 << 20
"""Bytes of an object that stay in memory before it moves to a temporary file."""


class ChecksumMismatch(Exception):  # noqa: N818 - named for what was found
    """An object is not what its commit says: it must not be read."""


class ObjectExists(Exception):  # noqa: N818 - named for what was found
    """An object that should be new is there already, with other bytes."""


def upload(s3: S3Client, bucket: str, key: str, path: Path, rows: int) -> DataObject:
    """Put a file as a new object, never over another.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The bucket.
        key: The new object's key.
        path: The file.
        rows: Rows in it.

    Returns:
        What a commit says of it.

    Raises:
        ObjectExists: The key is taken by other bytes. Equal bytes count as done: a lost answer was repeated.
    """
    with path.open("rb") as file:
        checksum = _hash(file, None)
        size = file.tell()
        put = put_new(s3, bucket, key, file, Metadata={"sha256": checksum})
    if not put and s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256") != checksum:
        raise ObjectExists(f"s3://{bucket}/{key} exists already")
    return DataObject(key, rows, size, checksum)


@contextmanager
def open_verified(s3: S3Client, bucket: str, data: DataObject) -> Iterator[IO[bytes]]:
    """An object's bytes as a local file, checked before the first of them is used.

    Raises:
        ChecksumMismatch: The object differs from what its commit says, or is missing.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        _compare(bucket, data, *_measure(s3, bucket, data, file))
        file.seek(0)
        yield file


def download(s3: S3Client, bucket: str, data: DataObject, path: Path) -> None:
    """Read an object into a file, checked in that one read; of another object no file is left.

    Raises:
        ChecksumMismatch: The object differs from what its commit says, or is missing.
    """
    try:
        with path.open("wb") as file:
            _compare(bucket, data, *_measure(s3, bucket, data, file))
    except BaseException:
        path.unlink()
        raise


def _measure(s3: S3Client, bucket: str, data: DataObject, copy: Optional[IO[bytes]]) -> tuple[str, int]:
    try:
        answer = s3.get_object(Bucket=bucket, Key=data.key)
    except ClientError as error:
        if is_absent(error):
            raise ChecksumMismatch(
                f"s3://{bucket}/{data.key} is missing, though a commit names it"
            ) from error
        raise
    return _hash(answer["Body"], copy), int(answer["ContentLength"])


def _compare(bucket: str, data: DataObject, checksum: str, size: int) -> None:
    if (checksum, size) != (data.sha256, data.bytes):
        raise ChecksumMismatch(
            f"s3://{bucket}/{data.key} holds {size} bytes with checksum {checksum[:12]}…, its commit says "
            f"{data.bytes} bytes with {data.sha256[:12]}…; it is not read"
        )


def _hash(stream: Any, copy: Optional[IO[bytes]]) -> str:
    digest = hashlib.sha256()
    while True:
        chunk = stream.read(CHUNK)
        if not chunk:
            return digest.hexdigest()
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
