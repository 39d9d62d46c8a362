"""A moment of the source, apart from how it is taken: jobs that never see the source read of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional


@dataclass(frozen=True)
class Snapshot:
    """One moment of the source.

    Attributes:
        system_id: Names the cluster; nothing where the role may not ask.
        timeline: Counts its failovers and restores; nothing where the role may not ask.
        low: The oldest transaction that was running: the next capture's base.
        high: The first transaction id that had not been given out.
        captured_at: When, UTC without zone, to the millisecond.
        exported: The name by which other connections take part in it.
    """

    system_id: Optional[int]
    timeline: Optional[int]
    low: int
    high: int
    captured_at: datetime
    exported: str
