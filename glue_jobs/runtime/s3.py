"""What is asked of S3 everywhere: the objects under a prefix, and one that may be absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional

from botocore.exceptions import ClientError

from glue_jobs.runtime.aws import S3Client

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef


def list_objects(s3: S3Client, bucket: str, prefix: str, **options: Any) -> Iterator[ObjectTypeDef]:
    """Every object under a prefix, page by page, in the order of the keys."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **options):
        yield from page.get("Contents", ())


def list_folders(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The prefixes of keys below a prefix up to the next slash, in order."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", ())]


def list_keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The keys under a prefix, in order."""
    return [found["Key"] for found in list_objects(s3, bucket, prefix)]


def is_absent(error: ClientError) -> bool:
    """Whether S3 refused since there is no such object."""
    return error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound")


def read_if_there(s3: S3Client, bucket: str, key: str) -> Optional[bytes]:
    """An object's bytes; nothing where there is no such object."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_absent(error):
            return None
        raise
