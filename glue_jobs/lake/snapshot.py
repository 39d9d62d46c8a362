"""A moment of the source, apart from how it is taken: jobs that never see the source read of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional


@dataclass(frozen=True)
class SourceIdentity:
    """Which server transaction ids belong to: ids of two servers say nothing of each other.

    Attributes:
        system_id: Names the cluster; nothing where the role may not ask.
        timeline: Counts its failovers and restores; nothing where the role may not ask.
        database: Names the database within the cluster: one that is made again, as from a template, has
            another.
    """

    system_id: Optional[int] = None
    timeline: Optional[int] = None
    database: Optional[int] = None


UNKNOWN_SOURCE = SourceIdentity()
"""The identity where none was stated."""


@dataclass(frozen=True)
class Snapshot:
    """One moment of the source.

    Attributes:
        system_id: Names the cluster; nothing where the role may not ask.
        timeline: Counts its failovers and restores; nothing where the role may not ask.
        xmin: The oldest transaction that was running: the next capture's xmin horizon.
        xmax: The first transaction id that had not been given out.
        captured_at: When, UTC without zone, to the millisecond.
        exported: The name by which other connections take part in it.
        database: Names the database within the cluster.
        server_started: When the server was started, or began anew after a crash, in microseconds since 1970.
    """

    system_id: Optional[int]
    timeline: Optional[int]
    xmin: int
    xmax: int
    captured_at: datetime
    exported: str
    database: Optional[int] = None
    server_started: int = 0

    @property
    def source(self) -> SourceIdentity:
        """The server that it was taken of."""
        return SourceIdentity(self.system_id, self.timeline, self.database)
