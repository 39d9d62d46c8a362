"""Buckets of others: how a job comes to read them, what lies there, and what is read of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timezone
from typing import IO, Any, Optional

from botocore.exceptions import BotoCoreError, ClientError

from catalog.pipeline import ExternalBucket
from glue_jobs.lake.objects import CHUNK
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.errors import UserError
from glue_jobs.runtime.s3 import is_absent, list_objects
from glue_jobs.sources.file_ledger import Version

SESSION = "fetch-files"
"""The name by which the account that owns a bucket sees who reads it."""

Connect = Callable[[ExternalBucket], S3Client]
"""Gives the client that a bucket is read with."""


class ExternalBucketRefused(UserError):  # noqa: N818 - named for what was found
    """A bucket of somebody else cannot be read."""


def connect(stated: ExternalBucket) -> S3Client:
    """A client with the job's own role, or with the one that the owner of the bucket lets us take.

    Raises:
        ExternalBucketRefused: The role is not ours to take.
    """
    import boto3

    if stated.role_arn is None or stated.external_id is None:
        return boto3.client("s3")
    try:
        taken = boto3.client("sts").assume_role(
            RoleArn=stated.role_arn, RoleSessionName=SESSION, ExternalId=stated.external_id
        )
    except (ClientError, BotoCoreError) as error:
        raise ExternalBucketRefused(
            f"The role {stated.role_arn} cannot be taken: {error}.",
            "Its owner lets the role of fetch_files take it, with the external id of catalog/pipeline.yaml.",
        ) from error
    keys = taken["Credentials"]
    return boto3.client(
        "s3",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def list_versions(s3: S3Client, stated: ExternalBucket, prefix: str) -> dict[str, Version]:
    """By key, every file below a prefix; what only stands for a folder is none.

    Raises:
        ExternalBucketRefused: The bucket cannot be listed.
    """
    try:
        return {
            found["Key"]: Version(
                found["ETag"],
                found["Size"],
                found["LastModified"].astimezone(timezone.utc).replace(tzinfo=None),
            )
            for found in list_objects(s3, stated.bucket, prefix, **_owned(stated))
            if not (found["Key"].endswith("/") and not found["Size"])
        }
    except (ClientError, BotoCoreError) as error:
        raise ExternalBucketRefused(
            f"The bucket {stated.bucket} cannot be listed below {prefix or 'its root'}: {error}.",
            "Its owner lets us list it; catalog/pipeline.yaml names bucket, prefix and role.",
        ) from error


def _owned(stated: ExternalBucket) -> dict[str, Any]:
    """Has S3 refuse a bucket that is not the stated account's."""
    return {} if stated.owner is None else {"ExpectedBucketOwner": stated.owner}


def fetch(s3: S3Client, stated: ExternalBucket, key: str, version: Version, into: IO[bytes]) -> Optional[str]:
    """Read a version of a file.

    Args:
        s3: A client that may.
        stated: The bucket.
        key: The file's key.
        version: The version that was listed.
        into: Takes its bytes.

    Returns:
        The SHA-256 of its bytes; nothing where that version is no longer there.

    Raises:
        ClientError: It is refused.
        BotoCoreError: The connection was lost on the way.
    """
    checksum = hashlib.sha256()
    try:
        answer = s3.get_object(Bucket=stated.bucket, Key=key, IfMatch=version.etag, **_owned(stated))
        for chunk in answer["Body"].iter_chunks(CHUNK):
            checksum.update(chunk)
            into.write(chunk)
    except ClientError as error:
        if is_absent(error) or error.response["Error"]["Code"] in ("PreconditionFailed", "412"):
            return None
        raise
    return checksum.hexdigest()
