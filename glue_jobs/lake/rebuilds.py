"""Rebuilds: a person asks once, in the commit log, and every stage after validation answers with a commit.

A request is a commit of its own, so it is durable and numbered. A stage that finds a request which its newest
commit does not answer builds everything again, from all that was ever accepted, and commits that. A run that
dies leaves the request unanswered, and the next one answers it. Each commit carries on which request its
tables answer and which commit was their full rebuild.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import Commit, read_known
from glue_jobs.lake.load_state import LoadState

STAGE = "rebuild"
"""The stage of requests in the commit log."""

BUILT = ("dimensions", "facts")
"""The stages that build again."""

_KEY = "rebuilt"


@dataclass(frozen=True)
class Rebuilt:
    """From where a stage's tables were built.

    Attributes:
        request: The last request that they answer; 0 where nobody asked.
        sequence: The stage's commit that was the full rebuild.
    """

    request: int = 0
    sequence: int = 0

    @classmethod
    def of(cls, commit: Optional[Commit]) -> Rebuilt:
        """What a commit of a building stage states."""
        stated = commit.state.get(_KEY) if commit is not None else None
        return read_known(cls, stated or {})

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in a commit."""
        return {_KEY: {"request": self.request, "sequence": self.sequence}} if self.request else {}


def is_full_rebuild(commit: Commit) -> bool:
    """Whether a commit holds its tables whole, so that what was before it does not count."""
    rebuilt = Rebuilt.of(commit)
    return rebuilt.request > 0 and rebuilt.sequence == commit.sequence


def requested(lake: LakeClients) -> int:
    """The number of the last request; 0 before the first.

    Args:
        lake: Its clients.
    """
    return lake.log(STAGE).latest_sequence()


def request(lake: LakeClients) -> int:
    """Ask for a rebuild; returns the request's number.

    Args:
        lake: Its clients.

    Raises:
        CommitConflict: Somebody else asked at the same moment.
    """
    log = lake.log(STAGE)
    number = log.latest_sequence() + 1
    log.publish(Commit(STAGE, number, layout.new_attempt(), layout.iso(layout.utc_now()), 0, 0))
    return number


def unanswered(lake: LakeClients) -> list[str]:
    """The stages that have yet to answer the last request; one that never committed has nothing to."""
    number = requested(lake)
    if not number:
        return []
    built = {stage: lake.log(stage).latest() for stage in BUILT}
    waits = [stage for stage, commit in built.items() if commit and Rebuilt.of(commit).request < number]
    loaded = lake.log("load").latest()
    behind = loaded is not None and any(
        LoadState.of(loaded).sequence(stage) < Rebuilt.of(commit).sequence for stage, commit in built.items()
    )
    return [*waits, *(["load"] if waits or behind else [])]


def complete_floors(commits: dict[str, Sequence[Commit]]) -> dict[str, int]:
    """By stage, the newest commits that answer the same request in every building stage, if there are.

    Args:
        commits: By stage, commits in order.
    """
    rebuilds = {
        stage: {Rebuilt.of(commit).request: commit.sequence for commit in found if is_full_rebuild(commit)}
        for stage, found in commits.items()
    }
    common = set.intersection(*(set(found) for found in rebuilds.values()))
    return {stage: found[max(common)] for stage, found in rebuilds.items()} if common else {}
