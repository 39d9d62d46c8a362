"""What waits to be loaded: the commits that the warehouse has not consumed, as objects by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from glue_jobs.lake.commits import Commit, DataObject
from glue_jobs.lake.rebuilds import complete_floors, is_full_rebuild


@dataclass(frozen=True)
class Position:
    """How far one stage's commits are loaded.

    Attributes:
        sequence: The last commit; 0 before the first.
        last_batch: The last capture that it covers.
        attempt: Names that commit apart from those of other lakes with its number; nothing where an earlier
            release loaded it.
        lake: Identity of its lake; nothing where an earlier release loaded it.
    """

    sequence: int = 0
    last_batch: int = 0
    attempt: Optional[str] = None
    lake: Optional[str] = None


@dataclass(frozen=True)
class Pending:
    """Commits that one load takes, in order.

    Attributes:
        dimensions: Commits of the dimensions.
        facts: Commits of the facts, none beyond the batches that the dimensions cover.
        replaces: Whether they are a full rebuild, so that they take the place of what is there.
    """

    dimensions: tuple[Commit, ...]
    facts: tuple[Commit, ...]
    replaces: bool = False

    @property
    def commits(self) -> tuple[Commit, ...]:
        """All of them, dimensions first."""
        return self.dimensions + self.facts

    def objects(self, table: str) -> tuple[DataObject, ...]:
        """The changes of one table, oldest first."""
        return tuple(
            data for commit in self.commits if table in commit.tables for data in commit.tables[table].changes
        )

    def last_written(self, table: str) -> dict[str, tuple[DataObject, ...]]:
        """Of a table that is written whole, by stage the objects of its newest version, if there is one."""
        found = {}
        for commit in self.commits:
            written = commit.tables[table].partitions if table in commit.tables else ()
            if written:
                found[commit.stage] = tuple(data for partition in written for data in partition.objects)
        return found


def choose(
    positions: Mapping[str, Position], dimensions: Sequence[Commit], facts: Sequence[Commit]
) -> Pending:
    """Of the commits that wait, those that can be loaded together.

    A fact refers to dimension rows of its own batch at the latest, so its commit waits until the dimensions
    have covered its last batch. Dimensions wait for nothing: without facts they hurt nobody.

    Commits that are the full rebuild for one request, in both stages, take the place of all before them; one
    that the other stage has no counterpart of waits for it, with what follows it.

    Args:
        positions: By stage, what is loaded.
        dimensions: The stage's commits after its position, in order.
        facts: The stage's commits after its position, in order.
    """
    floors = complete_floors({"dimensions": dimensions, "facts": facts})
    if floors:
        ready = _covered(
            _until_rebuild(dimensions, floors["dimensions"]),
            _until_rebuild(facts, floors["facts"]),
            positions,
        )
        if ready.facts:
            return replace(ready, replaces=True)
    return _covered(_until_rebuild(dimensions), _until_rebuild(facts), positions)


def _until_rebuild(commits: Sequence[Commit], floor: int = 0) -> list[Commit]:
    """Commits from one on, up to the next full rebuild."""
    found: list[Commit] = []
    for commit in commits:
        if commit.sequence < floor:
            continue
        if is_full_rebuild(commit) and commit.sequence != floor:
            break
        found.append(commit)
    return found


def _covered(
    dimensions: Sequence[Commit], facts: Sequence[Commit], positions: Mapping[str, Position]
) -> Pending:
    covered = dimensions[-1].last_batch if dimensions else positions["dimensions"].last_batch
    ready: list[Commit] = []
    for commit in facts:
        if commit.last_batch > covered:
            break
        ready.append(commit)
    return Pending(tuple(dimensions), tuple(ready))


def advance(position: Position, commits: Sequence[Commit], lake: Optional[str] = None) -> Position:
    """The position after these commits of a lake."""
    if not commits:
        return position
    last = commits[-1]
    return Position(last.sequence, last.last_batch, last.attempt, lake)
