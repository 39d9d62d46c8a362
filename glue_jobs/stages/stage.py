"""A stage: republish what the last run left, see what waits, commit once, show it in the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from catalog.catalogue import Catalogue
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import CAPTURED_AT, Commit, CommitLog, TableCommit
from glue_jobs.lake.publish import publish
from glue_jobs.runtime import log


@dataclass(frozen=True)
class Stage:
    """One stage and what it works with.

    Attributes:
        name: The stage whose commits it publishes.
        reads: The stage whose commits it drains.
        lake: Its clients.
        catalogue: The contracts.
        engine: Gives the engine, the same at each call; asked only if something waits. The job closes it.
        until: The last batch to take, those that come meanwhile are left to the next run; nothing for all.
    """

    name: str
    reads: str
    lake: LakeClients
    catalogue: Catalogue
    engine: Callable[[], Engine]
    until: Optional[int] = None

    @property
    def log(self) -> CommitLog:
        """The stage's own commits."""
        return self.lake.log(self.name)

    def republish(self) -> Optional[Commit]:
        """The stage's newest commit, shown in the catalog again in case its run died before it could."""
        latest = self.log.latest()
        if latest is not None:
            publish(self.lake, self.catalogue, latest)
            log.step(f"{self.name}.republished", sequence=latest.sequence)
        return latest

    def waiting(self, latest: Optional[Commit]) -> list[Commit]:
        """The commits of the stage before that this one has not covered."""
        waiting = self.lake.log(self.reads).covering(latest.last_batch if latest else 0)
        return [commit for commit in waiting if self.until is None or commit.last_batch <= self.until]

    def commit(
        self,
        latest: Optional[Commit],
        attempt: str,
        waiting: Sequence[Commit],
        tables: Mapping[str, TableCommit],
        state: Mapping[str, Any],
        *,
        full: bool = False,
    ) -> Commit:
        """Publish one commit that covers everything that waited; from the first batch on for a full rebuild.

        Raises:
            CommitConflict: Another attempt was first; nothing of this one is visible.
        """
        covered = latest.last_batch if latest and not full else 0
        commit = Commit(
            stage=self.name,
            sequence=latest.sequence + 1 if latest else 1,
            attempt=attempt,
            committed_at=layout.iso(layout.utc_now()),
            first_batch=max(covered + 1, waiting[0].first_batch),
            last_batch=waiting[-1].last_batch,
            tables=tables,
            state={**state, **_captured_at(waiting)},
        )
        self.log.publish(commit)
        log.step(f"{self.name}.committed", sequence=commit.sequence, batch=commit.last_batch)
        return commit

    def show(self, commit: Commit, seconds: float = 0.0, *, whole: bool = True) -> None:
        """Project a commit of this run into the catalog and the ops zone, idempotently.

        Args:
            commit: The commit.
            seconds: How long the run took until it committed.
            whole: Whether every partition is compared; :meth:`republish` has just done that for those that
                the commit did not write.
        """
        # What was there before, republishing has compared.
        publish(self.lake, self.catalogue, commit, seconds, whole=whole, compared=commit.sequence > 1)


def _captured_at(waiting: Sequence[Commit]) -> dict[str, Any]:
    stated = waiting[-1].captured_at
    return {CAPTURED_AT: stated} if stated else {}
