"""What became of the files of feeds, as their ledgers say it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.source_state import FeedState, SourceState
from glue_jobs.sources.file_ledger import READ, UNREADABLE, Ledger, from_table


@dataclass(frozen=True)
class FeedFile:
    """A file that a feed has seen.

    Attributes:
        feed: The feed.
        key: Its key in the bucket that it came from; empty where a run that died kept its content alone.
        outcome: What became of it last, such as ``read`` or ``unreadable``.
        reason: Why, where nothing could be taken or it waits.
        rows: How many rows its last reading gave.
        bad_lines: How many lines of that gave none.
        at: When that was committed (UTC, without zone).
    """

    feed: str
    key: str
    outcome: str
    reason: str
    rows: int
    bad_lines: int
    at: datetime | None

    @property
    def needs_somebody(self) -> bool:
        """Whether nothing of it was taken."""
        return self.outcome not in (READ, "repeated", "gone")


def shown(name: str) -> str:
    """A name that somebody else chose, as one line of a terminal shows it.

    Args:
        name: The key of a file, or the name of a member.
    """
    return name if name.isprintable() else repr(name)


def read_ledger(lake: LakeClients, feed: str) -> Ledger:
    """The ledger of a feed of files; an empty one before its first run."""
    state = SourceState.of(lake.log("capture").latest()).feeds.get(feed, FeedState())
    store = KeyStore(lake.s3, lake.ingestion)
    return from_table(None if state.readings is None else store.table(state.readings))


def feed_files(lake: LakeClients, feeds: Iterable[str]) -> list[FeedFile]:
    """Every file that feeds have seen, in the order in which they first did.

    Args:
        lake: The lake's clients.
        feeds: The feeds' names.
    """
    found = []
    for feed in feeds:
        ledger = read_ledger(lake, feed)
        for key, last in ledger.current.items():
            parts = [e for e in ledger.entries if e.position == last.position and e.outcome == last.outcome]
            parts = [e for e in parts if e.reread == last.reread]
            reason = last.reason if last.outcome == UNREADABLE or last.reason else ""
            rows, bad = sum(e.rows for e in parts), sum(len(e.bad) for e in parts)
            found.append(FeedFile(feed, key, last.outcome, reason, rows, bad, last.at))
    return found
