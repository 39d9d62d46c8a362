"""Objects and their checksums: nothing is published unmeasured, nothing is read unchecked."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Optional

import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from glue_jobs.lake.commits import DataObject
from glue_jobs.lake.conditional import put_new

CHUNK = 1 << 20
"""Bytes read at a time."""

IN_MEMORY = 32 << 20
"""Bytes of an object that stay in memory before it moves to a temporary file."""

THREADS = 4
"""Objects handled at once; they wait for the network more than for the processor."""


class ChecksumMismatch(Exception):  # noqa: N818 - named for what was found
    """An object is not what its commit says: it must not be read."""


class ObjectExists(Exception):  # noqa: N818 - named for what was found
    """An object that should be new is there already, with other bytes."""


def upload(s3: Any, bucket: str, key: str, path: Path, rows: int) -> DataObject:
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


def describe(s3: Any, bucket: str, keys: Iterable[str], key_column: Optional[str] = None) -> list[DataObject]:
    """Measure parquet objects that somebody else wrote: rows, bytes, checksum, range of a key column.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The bucket.
        keys: The objects.
        key_column: An integer column whose smallest and largest value are wanted.

    Returns:
        What a commit says of each, in the order of ``keys``.
    """

    def one(key: str) -> DataObject:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            checksum = _hash(s3.get_object(Bucket=bucket, Key=key)["Body"], file)
            size = file.tell()
            file.seek(0)
            metadata = pq.read_metadata(file)
        low, high = _key_range(metadata, key_column) if key_column else (None, None)
        return DataObject(
            key,
            metadata.num_rows,
            size,
            checksum,
            None if low is None else (low,),
            None if high is None else (high,),
        )

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, keys))


def list_keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    """Keys of the parquet objects under a prefix that one attempt owns, in order."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [
        found["Key"]
        for page in pages
        for found in page.get("Contents", ())
        if found["Key"].endswith(".parquet")
    ]


def verify(s3: Any, bucket: str, objects: Iterable[DataObject]) -> None:
    """Read objects through and compare them with what their commit says.

    Raises:
        ChecksumMismatch: One differs or is missing; names it.
    """

    def one(data: DataObject) -> None:
        _compare(bucket, data, *_measure(s3, bucket, data, None))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, objects))


@contextmanager
def open_verified(s3: Any, bucket: str, data: DataObject) -> Iterator[IO[bytes]]:
    """An object's bytes as a local file, checked before the first of them is used.

    Raises:
        ChecksumMismatch: The object differs from what its commit says, or is missing.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        _compare(bucket, data, *_measure(s3, bucket, data, file))
        file.seek(0)
        yield file


def download(s3: Any, bucket: str, data: DataObject, path: Path) -> None:
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


def _measure(s3: Any, bucket: str, data: DataObject, copy: Optional[IO[bytes]]) -> tuple[str, int]:
    try:
        answer = s3.get_object(Bucket=bucket, Key=data.key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
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


def _key_range(metadata: pq.FileMetaData, column: str) -> tuple[Optional[int], Optional[int]]:
    index = metadata.schema.names.index(column)
    lows, highs = [], []
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(index).statistics
        if statistics is None or not statistics.has_min_max:
            return None, None
        lows.append(statistics.min)
        highs.append(statistics.max)
    return (min(lows), max(highs)) if lows else (None, None)
