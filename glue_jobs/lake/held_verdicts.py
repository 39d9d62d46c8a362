"""Verdicts that would reject so much that a person has to look first: what is held, and what was released.

A held verdict has a name made of what it would reject. A person releases exactly that by putting an object
beside it; what is rejected besides, or in another batch, is another verdict and is held anew.

    _held_verdicts/<name>/held.json        what would be rejected, in counts
    _held_verdicts/<name>/released.json    put by a person; that it is there is what counts
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from expectations.held import Held
from glue_jobs.lake.conditional import put_new

PREFIX = "_held_verdicts/"

_HELD, _RELEASED = "held.json", "released.json"


def name_of(rejected: Mapping[str, Any]) -> str:
    """Names a verdict by what it would reject."""
    return hashlib.sha256(json.dumps(rejected, sort_keys=True).encode()).hexdigest()[:16]


def hold(s3: Any, bucket: str, rejected: Mapping[str, Any], at: str) -> str:
    """Note what is held, once; returns the key of the object that releases it.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        rejected: What would be rejected, in counts.
        at: Now, as the lake states times.
    """
    place = f"{PREFIX}{name_of(rejected)}/"
    document = json.dumps({"since": at, "rejected": rejected}, sort_keys=True)
    put_new(s3, bucket, f"{place}{_HELD}", document.encode())
    return f"{place}{_RELEASED}"


def is_released(s3: Any, bucket: str, rejected: Mapping[str, Any]) -> bool:
    """Whether a person has let exactly this through."""
    try:
        s3.head_object(Bucket=bucket, Key=f"{PREFIX}{name_of(rejected)}/{_RELEASED}")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def release(s3: Any, bucket: str, at: str) -> int:
    """Release every verdict that is held; returns how many there were.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        at: Now, as the lake states times.
    """
    places = _unreleased(s3, bucket)
    for place in places:
        put_new(s3, bucket, f"{place}{_RELEASED}", json.dumps({"at": at}).encode())
    return len(places)


def waiting(s3: Any, bucket: str, judged: int) -> list[Held]:
    """What waits for a person now: held, not released, and not judged since by corrected rules.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        judged: The last batch that has a verdict.
    """
    found: dict[tuple[int, str], Held] = {}
    for place in _unreleased(s3, bucket):
        document = json.loads(s3.get_object(Bucket=bucket, Key=f"{place}{_HELD}")["Body"].read())
        for name, rows in document["rejected"].items():
            table, _, batch = name.partition("/")
            one = Held(table, int(batch), rows["read"], rows["rejected"], document["since"])
            known = found.get((one.batch, table))
            # Rules that were corrected and still reject too much hold the batch under another name.
            if one.batch > judged and (known is None or known.since < one.since):
                found[one.batch, table] = one
    return [found[key] for key in sorted(found)]


def _unreleased(s3: Any, bucket: str) -> list[str]:
    """The places of verdicts that are held and not released."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    keys = {found["Key"] for page in pages for found in page.get("Contents", ())}
    held = [key[: -len(_HELD)] for key in sorted(keys) if key.endswith(_HELD)]
    return [place for place in held if f"{place}{_RELEASED}" not in keys]
