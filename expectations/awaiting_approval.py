"""What too much would be rejected of, as jobs find it and the site shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchAwaitingApproval:
    """A table's batch that waits for a person, since too much of it would be rejected.

    Attributes:
        table: The raw table.
        batch: The capture.
        read: Rows of it.
        rejected: Rows that would be rejected.
        since: When that was noticed (UTC, ISO 8601).
    """

    table: str
    batch: int
    read: int
    rejected: int
    since: str
