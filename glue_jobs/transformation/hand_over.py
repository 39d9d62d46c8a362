"""Handing batches over to Spark: a request in the commit log, which commits answer.

A request is a commit of its own, ``_commits/hand_over/<number>.json``, so it is durable and numbered. It is
answered once validation, dimensions and facts have covered its last batch, and the rebuild that it names,
whichever engine did it. Until then *transform* leaves these batches alone and starts the workflow
*transform_large*.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, CommitConflict
from glue_jobs.transformation.work import Progress

STAGE = "hand_over"
"""The stage of requests in the commit log."""

_REBUILD, _REASON = "rebuild", "reason"


@dataclass(frozen=True)
class HandOver:
    """Batches that Spark was asked to take.

    Attributes:
        number: The request's number.
        asked_at: When (UTC, ISO 8601).
        first_batch: First batch that some stage had yet to take.
        last_batch: Last one.
        rebuild: The rebuild that is to be built with them; 0 for none.
        reason: Why, in words.
    """

    number: int
    asked_at: str
    first_batch: int
    last_batch: int
    rebuild: int
    reason: str

    @classmethod
    def of(cls, commit: Commit) -> HandOver:
        """The request that a commit states."""
        return cls(
            commit.sequence,
            commit.committed_at,
            commit.first_batch,
            commit.last_batch,
            commit.state.get(_REBUILD, 0),
            commit.state.get(_REASON, ""),
        )

    def is_answered(self, progress: Progress) -> bool:
        """Whether every stage has taken these batches."""
        return progress.covered >= self.last_batch and progress.rebuilt >= self.rebuild

    def seconds(self, now: datetime) -> float:
        """How long ago it was asked for.

        Args:
            now: UTC, without zone.
        """
        return max((now - layout.from_iso(self.asked_at)).total_seconds(), 0.0)


def unanswered(lake: LakeClients, progress: Progress) -> Optional[HandOver]:
    """The newest request, unless it is answered; who asks again covers what was asked before.

    Args:
        lake: Its clients.
        progress: How far the stages are.
    """
    newest = lake.log(STAGE).latest()
    if newest is None:
        return None
    request = HandOver.of(newest)
    return None if request.is_answered(progress) else request


def ask(lake: LakeClients, progress: Progress, reason: str) -> HandOver:
    """Ask Spark to take everything that waits.

    Args:
        lake: Its clients.
        progress: How far the stages are.
        reason: Why, in words.

    Returns:
        The request; that of another run where it was first.
    """
    log = lake.log(STAGE)
    number = log.latest_sequence() + 1
    state: Mapping[str, Any] = {_REASON: reason, _REBUILD: progress.rebuild}
    commit = Commit(
        STAGE,
        number,
        layout.new_attempt(),
        layout.iso(layout.utc_now()),
        progress.first_batch,
        progress.captured,
        state=state,
    )
    with suppress(CommitConflict):
        log.publish(commit)
        return HandOver.of(commit)
    published = log.get(number)
    return HandOver.of(published if published is not None else commit)
