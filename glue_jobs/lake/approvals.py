"""Batches awaiting approval: so much of them would be rejected that a person has to look first.

What waits has a name made of what would be rejected. A person approves exactly that by putting an object
beside it; what is rejected besides, or in another batch, has another name and waits again.

    _awaiting_approval/<name>/rejected.json    what would be rejected, in counts
    _awaiting_approval/<name>/approved.json    put by a person; that it is there is what counts

What earlier releases wrote lies below ``_held_verdicts/`` as ``held.json`` and ``released.json``. It is read
there and counts the same; nothing is written there any more.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from expectations.awaiting_approval import BatchAwaitingApproval
from glue_jobs.lake.conditional import put_new
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import list_keys

PREFIX = "_awaiting_approval/"

PREFIX_1 = "_held_verdicts/"
"""Where earlier releases kept the same."""

_REJECTED, _APPROVED = "rejected.json", "approved.json"

_NAMES_1 = {"held.json": _REJECTED, "released.json": _APPROVED}
"""What earlier releases called these parts."""


def name_of(rejected: Mapping[str, Any]) -> str:
    """Names what would be rejected."""
    return hashlib.sha256(json.dumps(rejected, sort_keys=True).encode()).hexdigest()[:16]


def await_approval(s3: S3Client, bucket: str, rejected: Mapping[str, Any], at: str) -> str:
    """Note what waits, once; returns the key of the object that approves it.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        rejected: What would be rejected, in counts.
        at: Now, as the lake states times.
    """
    name = name_of(rejected)
    if _REJECTED not in _parts(s3, bucket, name).get(name, {}):
        document = json.dumps({"since": at, "rejected": rejected}, sort_keys=True)
        put_new(s3, bucket, f"{PREFIX}{name}/{_REJECTED}", document.encode())
    return f"{PREFIX}{name}/{_APPROVED}"


def is_approved(s3: S3Client, bucket: str, rejected: Mapping[str, Any]) -> bool:
    """Whether a person has let exactly this through."""
    name = name_of(rejected)
    return _APPROVED in _parts(s3, bucket, name).get(name, {})


def approve(s3: S3Client, bucket: str, at: str) -> int:
    """Approve everything that waits; returns how many there were.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        at: Now, as the lake states times.
    """
    waiting = _unapproved(s3, bucket)
    for name in waiting:
        put_new(s3, bucket, f"{PREFIX}{name}/{_APPROVED}", json.dumps({"at": at}).encode())
    return len(waiting)


def waiting(s3: S3Client, bucket: str, validated: int) -> list[BatchAwaitingApproval]:
    """What waits for a person now: not approved, and not validated since by corrected rules.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        validated: The last batch that is validated.
    """
    found: dict[tuple[int, str], BatchAwaitingApproval] = {}
    for key in _unapproved(s3, bucket).values():
        document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        for name, rows in document["rejected"].items():
            table, _, batch = name.partition("/")
            one = BatchAwaitingApproval(table, int(batch), rows["read"], rows["rejected"], document["since"])
            known = found.get((one.batch, table))
            # With rules that were corrected and still reject too much the batch waits under another name.
            if one.batch > validated and (known is None or known.since < one.since):
                found[one.batch, table] = one
    return [found[key] for key in sorted(found)]


def _unapproved(s3: S3Client, bucket: str) -> dict[str, str]:
    """By name, where it is noted what waits and is not approved."""
    found = _parts(s3, bucket)
    return {
        name: parts[_REJECTED]
        for name, parts in sorted(found.items())
        if _REJECTED in parts and _APPROVED not in parts
    }


def _parts(s3: S3Client, bucket: str, name: str = "") -> Mapping[str, Mapping[str, str]]:
    """By name, the key of each part, wherever it lies."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for root, names in ((PREFIX_1, _NAMES_1), (PREFIX, {})):
        prefix = f"{root}{name}/" if name else root
        for key in list_keys(s3, bucket, prefix):
            place, _, part = key[len(root) :].partition("/")
            found[place][names.get(part, part)] = key
    return found
