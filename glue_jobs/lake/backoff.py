"""What is not tried again at once: a job whose last run can only end as before waits, longer each time.

A run that ends so notes it; whoever would start the job reads that first. It waits until its time has come,
or until what it stumbled over is another: a secret's version, what a person approved, the rules. A person
ends the wait at any time.

    _commits/waits/<job>/<number>.json    put by a run, or by a person; the newest counts
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Optional

from botocore.exceptions import ClientError

from catalog.project import once_per_project, project_folder
from glue_jobs.lake.commits import read_known
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.layout import from_iso, iso
from glue_jobs.runtime.aws import S3Client, SecretsManagerClient
from glue_jobs.runtime.s3 import list_keys

PREFIX = "_commits/waits/"

FIRST, LONGEST = timedelta(minutes=5), timedelta(hours=1)

_RULES = ("catalog/contracts", "expectations/rules")


@dataclass(frozen=True)
class Wait:
    """How a job stands.

    Attributes:
        job: The job.
        number: Dense from 1 for each job.
        reason: Why it waits; the empty text where it does not.
        since: When the first run ended so (UTC, ISO 8601).
        until: When it is tried again.
        tries: How many runs ended so.
        causes: What it stumbled over, see :func:`read_causes`: where one says something else, it is tried at
            once.
    """

    job: str
    number: int = 0
    reason: str = ""
    since: str = ""
    until: str = ""
    tries: int = 0
    causes: Mapping[str, str] = field(default_factory=dict)

    def holds(self, now: datetime, causes: Mapping[str, str]) -> bool:
        """Whether it is too early to try again.

        Args:
            now: UTC, without zone.
            causes: What the causes say now.
        """
        if not self.reason or from_iso(self.until) <= now:
            return False
        return dict(causes) == dict(self.causes)

    def again(self, reason: str, causes: Mapping[str, str], now: datetime) -> Wait:
        """How it stands after another run that ended so; another cause begins with a short wait."""
        tries = self.tries + 1 if self.reason and dict(self.causes) == dict(causes) else 1
        until = now + min(FIRST * 2 ** min(tries - 1, 10), LONGEST)
        since = self.since if self.reason else iso(now)
        return Wait(self.job, self.number + 1, reason, since, iso(until), tries, dict(causes))

    def over(self) -> Wait:
        """How it stands once it need not wait."""
        return Wait(self.job, self.number + 1)


def newest(s3: S3Client, bucket: str, job: str) -> Wait:
    """How a job stands.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        job: The job.
    """
    found = _newest_key(s3, bucket, job)
    if found is None:
        return Wait(job)
    stated = json.loads(s3.get_object(Bucket=bucket, Key=found)["Body"].read())
    return read_known(Wait, stated)


def note(s3: S3Client, bucket: str, wait: Wait) -> None:
    """Keep how a job stands; where somebody was first, that counts.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        wait: From :meth:`Wait.again` or :meth:`Wait.over`.
    """
    body = json.dumps(asdict(wait), sort_keys=True).encode()
    put_new(s3, bucket, f"{PREFIX}{wait.job}/{wait.number:010d}.json", body)


def ended(s3: S3Client, bucket: str, wait: Wait) -> None:
    """Keep that a job need not wait any more, where it did."""
    if wait.reason:
        note(s3, bucket, wait.over())


def waiting(s3: S3Client, bucket: str) -> list[Wait]:
    """The jobs that wait, in the order of their names.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX, Delimiter="/")
    jobs = [entry["Prefix"][len(PREFIX) : -1] for page in pages for entry in page.get("CommonPrefixes", ())]
    return [wait for job in sorted(jobs) if (wait := newest(s3, bucket, job)).reason]


def end(s3: S3Client, bucket: str) -> list[Wait]:
    """Have every job that waits be tried again; returns how they stood.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
    """
    found = waiting(s3, bucket)
    for wait in found:
        note(s3, bucket, wait.over())
    return found


SECRET, OBJECT, RULES = "secret:", "object:", "rules"
"""What causes are called: a secret and an object by name, and the contracts and rules of the release."""


def read_causes(
    s3: S3Client, bucket: str, secrets_manager: SecretsManagerClient, names: Iterable[str]
) -> dict[str, str]:
    """What causes say now: which value a secret has, whether an object is there, which rules hold.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        secrets_manager: A boto3 ``secretsmanager`` client.
        names: The causes.
    """
    found = {}
    for name in names:
        if name.startswith(SECRET):
            found[name] = _version_of(secrets_manager, name[len(SECRET) :])
        elif name.startswith(OBJECT):
            found[name] = "there" if _is_there(s3, bucket, name[len(OBJECT) :]) else "missing"
        else:
            found[name] = rules()
    return found


def _version_of(secrets_manager: SecretsManagerClient, secret: str) -> str:
    try:
        stages = secrets_manager.describe_secret(SecretId=secret).get("VersionIdsToStages") or {}
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return next((version for version, names in stages.items() if "AWSCURRENT" in names), "")


def _is_there(s3: S3Client, bucket: str, key: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents"))


@once_per_project
def rules() -> str:
    """Names the contracts and rules of this release: others may judge otherwise."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _RULES for path in (project_folder() / folder).rglob("*.yaml")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _newest_key(s3: S3Client, bucket: str, job: str) -> Optional[str]:
    return max(list_keys(s3, bucket, f"{PREFIX}{job}/"), default=None)
