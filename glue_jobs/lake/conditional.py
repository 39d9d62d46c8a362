"""Objects that are written once: S3's conditional writes, and what its answers to them mean."""

from __future__ import annotations

import time
from typing import IO, Any, Union

from botocore.exceptions import ClientError

from glue_jobs.runtime.aws import S3Client

CONFLICT_TRIES = 5
"""How often a PUT is made while S3 answers 409: another conditional write of the key is under way."""

_TAKEN, _CONFLICT = 412, 409


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
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == _TAKEN:
                return False
            if status != _CONFLICT or tries == CONFLICT_TRIES:
                raise
            time.sleep(0.05 * 2**tries)
        else:
            return True
