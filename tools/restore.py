"""Brings back objects that were removed from a versioned bucket: `tools.restore BUCKET --since TIME`.

In a versioned bucket a removal only puts a marker over an object. What this removes is the markers that were
put since a moment, so that each object's newest version shows again. It is a person's, with their rights: no
job may remove a version. Without --yes it lists what it would do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import boto3

from glue_jobs.runtime.aws import S3Client

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

AT_ONCE = 1000
"""Versions that S3 removes in one request."""


def markers(s3: S3Client, bucket: str, prefix: str, since: datetime) -> Iterator[tuple[str, str]]:
    """Key and version of each marker that hides an object and was put since a moment.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: A versioned bucket.
        prefix: Where to look.
        since: With its zone.
    """
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for marker in page.get("DeleteMarkers", ()):
            if marker["IsLatest"] and marker["LastModified"] >= since:
                yield marker["Key"], marker["VersionId"]


def restore(s3: S3Client, bucket: str, found: Iterator[tuple[str, str]]) -> int:
    """Remove markers, so that what they hide shows again; how many.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The bucket.
        found: From :func:`markers`.

    Raises:
        RuntimeError: S3 refused some.
    """
    done = 0
    while wanted := list(islice(found, AT_ONCE)):
        objects: list[ObjectIdentifierTypeDef] = [{"Key": key, "VersionId": mark} for key, mark in wanted]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if refused := answer.get("Errors"):
            raise RuntimeError(f"S3 refused {len(refused)} of {len(wanted)}, first {refused[0]}")
        done += len(wanted)
    return done


def main(argv: Sequence[str]) -> int:
    """List or restore."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.restore", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("bucket")
    parser.add_argument("--prefix", default="", help="where to look")
    parser.add_argument(
        "--since", required=True, type=datetime.fromisoformat, help="2026-11-29T12:00:00+00:00"
    )
    parser.add_argument("--yes", action="store_true", help="bring them back")
    given = parser.parse_args(argv)
    if given.since.tzinfo is None:
        parser.error("--since states its zone, such as +00:00")
    s3 = boto3.client("s3")
    found = markers(s3, given.bucket, given.prefix, given.since)
    if given.yes:
        print(f"restore: {restore(s3, given.bucket, found)} objects show again")
        return 0
    count = 0
    for key, _ in found:
        print(key)
        count += 1
    print(f"restore: {count} objects would show again; --yes brings them back")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
