"""An object beside the commits, as a commit names it: whoever reads commits alone needs no bitmaps for it."""

from __future__ import annotations

from dataclasses import dataclass

from glue_jobs.lake.commits import DataObject, Partition

PART = "part"
"""The column that says which of several objects one is, the oldest first."""


@dataclass(frozen=True)
class StateObject:
    """An object that keeps part of a table's state.

    Attributes:
        key: Its key in the ingestion bucket.
        sha256: Checksum of its bytes, hexadecimal.
        count: How many keys or versions it holds.
        parts: Of keys that are texts, all objects that say which are live, the oldest first; it is the last
            of them, and counts the keys that are live after all.
    """

    key: str
    sha256: str
    count: int
    parts: tuple[DataObject, ...] = ()

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """Its objects as an engine reads them, with their place as the column ``part``."""
        return tuple(Partition({PART: str(place)}, "", (data,)) for place, data in enumerate(self.parts))
