"""What a run did, as the commits say that are new since it began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from catalog.model import UNRESOLVED
from glue_jobs.lake.commits import STAGES, Commit, CommitLog
from glue_jobs.lake.layout import from_iso
from glue_jobs.runtime.aws import S3Client
from lakehouse.terminal import counted


@dataclass(frozen=True)
class RunOutcome:
    """What a run did.

    Attributes:
        captured: Rows captured, by source table.
        accepted: Rows that validation accepted, deletions among them.
        rejected: Rows that validation rejected.
        versions: New versions in the star, all tables together.
        loaded: Rows that were new or changed in the warehouse, all tables together.
        loaded_at: When the last load was committed, in seconds since 1970; None where nothing was loaded.
    """

    captured: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    rejected: int = 0
    versions: int = 0
    loaded: int = 0
    loaded_at: float | None = None

    @property
    def rows(self) -> int:
        """Rows captured, all tables together."""
        return sum(self.captured.values())

    def as_dict(self) -> dict[str, Any]:
        """The outcome as plain data."""
        return {
            "captured": self.captured,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "versions": self.versions,
            "loaded": self.loaded,
        }

    def as_text(self, *, failed: bool = False) -> str:
        """The outcome in one line, with the command that shows what was rejected.

        Args:
            failed: Whether the run failed: then nobody knows what had changed.
        """
        if self == RunOutcome():
            return "nothing was done" if failed else "nothing had changed"
        parts = [f"{counted(self.rows, 'row')} captured"]
        if self.accepted or self.rejected:
            shown = " (lakehouse dead-letters)" if self.rejected else ""
            parts.append(f"{self.accepted:,} accepted, {self.rejected:,} rejected{shown}")
        parts.append(f"{counted(self.versions, 'new version')}")
        parts.append(f"{counted(self.loaded, 'row')} loaded")
        return " · ".join(parts)


def positions(s3: S3Client, bucket: str) -> dict[str, int]:
    """How far each stage's commits go: what `outcome_since` counts from."""
    return {stage: CommitLog(s3, bucket, stage).latest_sequence() for stage in STAGES}


def outcome_since(s3: S3Client, bucket: str, before: Mapping[str, int]) -> RunOutcome:
    """What was done since some positions.

    Args:
        s3: A client of the endpoint.
        bucket: The ingestion bucket, which holds the commits.
        before: From `positions`.
    """
    return outcome_of({stage: CommitLog(s3, bucket, stage).after(number) for stage, number in before.items()})


def outcome_of(commits: Mapping[str, Sequence[Commit]]) -> RunOutcome:
    """What some commits did.

    Args:
        commits: By stage.
    """
    captured: dict[str, int] = {}
    for commit in commits["capture"]:
        for table, written in commit.tables.items():
            if written.counts["accepted"]:
                captured[table] = captured.get(table, 0) + written.counts["accepted"]
    loads = commits["load"]
    return RunOutcome(
        captured,
        _total(commits["validate"], "accepted"),
        _total(commits["validate"], "rejected"),
        _total(commits["dimensions"], "new") + _total(commits["facts"], "new"),
        _total(loads, "new"),
        from_iso(loads[-1].committed_at).replace(tzinfo=UTC).timestamp() if loads else None,
    )


def _total(commits: Sequence[Commit], count: str) -> int:
    return sum(
        written.counts.get(count, 0)
        for commit in commits
        for table, written in commit.tables.items()
        # A stage's own notes are no table, and the list of rejected changes holds no version of a record.
        if not table.startswith("_") and table != UNRESOLVED
    )
