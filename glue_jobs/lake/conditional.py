"""Objects that are written once: S3's conditional writes, whether one is there, and what its answers mean."""

from __future__ import annotations

import time
from typing import IO, Any, Union

from botocore.exceptions import ClientError

from glue_jobs.runtime.aws import S3Client

CONFLICT_TRIES = 5
"""How often a PUT is made while S3 answers 409: another conditional write of the key is under way."""

_TAKEN, _CONFLICT = 412, 409
_ABSENT, _REFUSED = 404, 403


def has_object(s3: S3Client, bucket: str, key: str) -> bool:
    """Whether an object is there.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The bucket.
        key: The key.

    Raises:
        ClientError: S3 refuses, and says what is missing.
    """
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if _status(error) == _ABSENT:
            return False
        if _status(error) == _REFUSED:
            _refuse_in_words(s3, bucket, key)
        raise
    return True


def _refuse_in_words(s3: S3Client, bucket: str, key: str) -> None:
    """Raise what a GET is refused with, which names the action that is not allowed; a HEAD has no words."""
    try:
        s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")
    except ClientError as told:
        if _status(told) == _REFUSED:
            raise


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def put_new(s3: S3Client, bucket: str, key: str, body: Union[bytes, IO[bytes]], **options: Any) -> bool:
    """Put an object unless its key is taken.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The bucket.
        key: The key.
        body: The object's bytes; of a file, all of it.
        **options: What else ``PutObject`` takes.

    Returns:
        Whether it was put. Who finds the key taken may have taken it: an answer can be lost on its way back.

    Raises:
        ClientError: S3 refuses, or other writes of the key are under way for longer than this waits.
    """
    tries = 0
    while True:
        tries += 1
        if not isinstance(body, bytes):
            body.seek(0)
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **options)
        except ClientError as error:
            if _status(error) == _TAKEN:
                return False
            if _status(error) != _CONFLICT or tries == CONFLICT_TRIES:
                raise
            time.sleep(0.05 * 2**tries)
        else:
            return True
