"""Which objects may go: a pure decision over what is listed and what commits and catalogue name.

Only places that are known are judged; whatever lies elsewhere stays. Attempts write under prefixes of their
own, so a prefix stays or goes as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from glue_jobs.lake.commits import REDACT, Commit
from glue_jobs.lake.layout import from_iso

ABANDONED = "abandoned"
"""Written by an attempt that never committed."""

SUPERSEDED = "superseded"
"""Published, and replaced for longer than the retention."""

PREFIXES = (
    ("ingestion", "raw/"),
    ("ingestion", "accepted/"),
    ("ingestion", "dead_letter/"),
    ("ingestion", "_commits/capture-state/"),
    ("ingestion", "_commits/validate-state/"),
    ("ingestion", "_commits/attempts/"),
    ("processed", "star/"),
    ("ingestion", "redacted/raw/"),
    ("processed", "redacted/star/"),
)
"""The bucket, by its logical name, and the prefix of every place that is judged."""

_RAW = re.compile(
    r"(?:raw/[^/]+|dead_letter/(?:held_rows|quarantined_files|quarantined_lines))/captured_date=[^/]+/"
    r"batch=(?P<sequence>\d+)/attempt=(?P<attempt>[^/]+)/"
)
_JUDGED = re.compile(
    r"(?:accepted|dead_letter)/[^/]+/captured_date=[^/]+/"
    r"batch=\d+/attempt=(?P<sequence>\d{10})-(?P<attempt>[^/]+)/"
)
_STATE = re.compile(
    r"_commits/(?P<stage>capture|validate)-state/(?:[^/]+/)+(?P<sequence>\d{10})-(?P<attempt>[^/.]+)(?:\.[a-z.]+|/[^/]+)$"
)
_NOTE = re.compile(r"_commits/attempts/(?:\d{10}-(?P<batch>\d{10})|replay-\d{10}-\d{10})/")
_CHANGES = re.compile(r"star/_changes/(?P<table>[^/]+)/version=(?P<sequence>\d{10})-(?P<attempt>[^/]+)/")
_VERSION = re.compile(
    r"star/(?P<table>_current/[^/]+|[^_./][^/]*)/(?:stage=(?P<stage>dimensions|facts)/|(?:[^/]+=[^/]+/)*?)"
    r"version=(?P<sequence>\d{10})-(?P<attempt>[^/]+)/"
)
_COPY = re.compile(
    r"(?P<table>redacted/(?:raw|star)/[^/]+/[^/]+/)(?:[^/]+=[^/]+/)*?"
    r"(?P<kind>attempt|version)=(?P<sequence>\d{10})-(?P<attempt>[^/]+)/"
)
_SPARK = re.compile(r"star/(?:[^/]+/)*(?:\.spark-staging-[^/]+|_temporary)/")

AttemptOf = Callable[[str, int], Optional[str]]
"""Which attempt published a stage's sequence; nothing if none has."""


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it.

    Attributes:
        key: Its key.
        bytes: Its size.
        modified: When it was written (UTC, without zone).
    """

    key: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class Reachable:
    """What somebody can still come to.

    Attributes:
        attempt_of: Which attempt published a sequence.
        stages: By star table, the stage that builds it.
        locations: Prefixes of star versions that retained commits or the catalogue name.
        state: Keys of the objects that retained commits of capture and validation keep their state in.
        changes_from: By stage, the first commit whose changes a warehouse may still have to load.
        covered: The last batch that validation, dimensions and facts have all covered.
        copies: By key prefix of the copies of a table, the commit that began them.
    """

    attempt_of: AttemptOf
    stages: Mapping[str, str] = field(default_factory=dict)
    locations: frozenset[str] = frozenset()
    state: frozenset[str] = frozenset()
    changes_from: Mapping[str, int] = field(default_factory=dict)
    covered: int = 0
    copies: Mapping[str, int] = field(default_factory=dict)


def retained(newest_first: Iterable[Commit], cutoff: datetime) -> list[Commit]:
    """Of a stage's commits those whose state was the newest at some moment since.

    Args:
        newest_first: Commits, the newest first; older ones than are wanted are not asked for.
        cutoff: Since when (UTC, without zone).
    """
    kept = []
    for commit in newest_first:
        kept.append(commit)
        if from_iso(commit.committed_at) <= cutoff:
            break
    return kept


def reason_to_remove(listed: Listed, reachable: Reachable, written_before: datetime) -> Optional[str]:
    """Why an object may go: ``abandoned``, ``superseded``, or nothing if it stays.

    Args:
        listed: The object.
        reachable: What somebody can still come to.
        written_before: What was written later may belong to a run that has not ended.
    """
    if listed.modified >= written_before:
        return None
    key = listed.key
    if found := _RAW.match(key):
        return None if _published(reachable, "capture", found) else ABANDONED
    if found := _JUDGED.match(key):
        return None if _published(reachable, "validate", found) else ABANDONED
    if found := _STATE.match(key):
        return None if key in reachable.state else _why(reachable, found["stage"], found)
    if found := _NOTE.match(key):
        # A note is looked for while what it names waits; that of a replay, by the person who tries again.
        return None if int(found["batch"] or 0) > reachable.covered else SUPERSEDED
    if found := _CHANGES.match(key):
        stage = reachable.stages.get(found["table"])
        if stage is None:
            return None
        published = _published(reachable, stage, found)
        needed = published and int(found["sequence"]) >= reachable.changes_from.get(stage, 0)
        return None if needed else _why(reachable, stage, found)
    if found := _VERSION.match(key):
        stage = found["stage"] or reachable.stages.get(found["table"])
        return None if stage is None else _unless_live(reachable, stage, found)
    if found := _COPY.match(key):
        return _unless_live(reachable, REDACT, found)
    return ABANDONED if _SPARK.match(key) else None


def _unless_live(reachable: Reachable, stage: str, found: re.Match[str]) -> Optional[str]:
    """Why a version of a star table, or a copy, may go; nothing where it is live."""
    if found.group(0) in reachable.locations:
        return None
    # Copies of a raw table are replaced only where all of them are made again.
    since = reachable.copies.get(found["table"]) if found.groupdict().get("kind") == "attempt" else None
    if since is not None and int(found["sequence"]) >= since and _published(reachable, stage, found):
        return None
    return _why(reachable, stage, found)


def _published(reachable: Reachable, stage: str, found: re.Match[str]) -> bool:
    return reachable.attempt_of(stage, int(found["sequence"])) == found["attempt"]


def _why(reachable: Reachable, stage: str, found: re.Match[str]) -> str:
    return SUPERSEDED if _published(reachable, stage, found) else ABANDONED
