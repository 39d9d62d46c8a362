"""When the sites were asked for last, and what was committed then: who captures asks for them again.

They are built once something was committed since, and at most hourly: each build costs a start.

    _commits/documented/<number>.json    put by the run that asks; the newest counts
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Optional

from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES, read_known
from glue_jobs.lake.conditional import put_new
from glue_jobs.lake.layout import from_iso, iso
from glue_jobs.runtime.aws import S3Client
from glue_jobs.runtime.s3 import list_keys

PREFIX = "_commits/documented/"

EVERY = timedelta(hours=1)

JUDGED = STAGES[1:]
"""Stages whose commits pages show: what was captured shows once it is judged."""


@dataclass(frozen=True)
class Documented:
    """What the sites that were asked for last can show.

    Attributes:
        number: Dense from 1; 0 before the first.
        asked_at: When (UTC, ISO 8601).
        commits: By stage, the newest commit at that time.
    """

    number: int = 0
    asked_at: str = ""
    commits: Mapping[str, int] = field(default_factory=dict)

    def is_behind(self, commits: Mapping[str, int], now: datetime) -> bool:
        """Whether they are to be built again.

        Args:
            commits: By stage, the newest commit.
            now: UTC, without zone.
        """
        if not self.number:
            return True
        return dict(self.commits) != dict(commits) and from_iso(self.asked_at) + EVERY <= now


def newest(s3: S3Client, bucket: str) -> Documented:
    """What was asked for last.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
    """
    found = max(list_keys(s3, bucket, PREFIX), default=None)
    if found is None:
        return Documented()
    return read_known(Documented, json.loads(s3.get_object(Bucket=bucket, Key=found)["Body"].read()))


def behind(lake: LakeClients, now: datetime) -> Optional[Documented]:
    """What the sites would show if they were asked for now; nothing where they show it, or it is too early.

    Args:
        lake: Its clients.
        now: UTC, without zone.
    """
    last = newest(lake.s3, lake.ingestion)
    commits = {stage: lake.log(stage).latest_sequence() for stage in JUDGED}
    return Documented(last.number + 1, iso(now), commits) if last.is_behind(commits, now) else None


def note(s3: S3Client, bucket: str, asked: Documented) -> None:
    """Keep that the sites were asked for.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The ingestion bucket.
        asked: From :func:`behind`.
    """
    body = json.dumps(asdict(asked), sort_keys=True).encode()
    put_new(s3, bucket, f"{PREFIX}{asked.number:010d}.json", body)
