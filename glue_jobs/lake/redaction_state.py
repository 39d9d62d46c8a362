"""What was published of the copies without personal columns: the commits of ``redact``.

No batch waits for these commits, and nothing is built from them: they are no stage of the pipeline. A commit
names a table by the zone that its copy is of: ``raw/<table>``, ``star/<table>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.lake import layout
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import FIRST_STAGE, REDACT, Commit, Partition, read_known
from glue_jobs.lake.rebuilds import BUILT, requested


def name_of(catalogue: Catalogue, copy: Contract) -> str:
    """How commits name a copy."""
    return f"{catalogue.zones[copy.zone].copies}/{copy.table}"


@dataclass(frozen=True)
class CopyState:
    """How far one table is copied.

    Attributes:
        prefix: Below which its copies lie; another one begins anew.
        since: The commit that began it.
        batch: Of a raw table, the last batch that was copied.
        copied_from: Of a star table, by partition path the label of the version that was copied.
        versions: Of a star table, by partition path the label of the copy that is live.
    """

    prefix: str = ""
    since: int = 0
    batch: int = 0
    copied_from: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RedactionState:
    """What a commit keeps for the next.

    Attributes:
        request: The last rebuild that it answers: who asks for one has all copies made again.
        built: By stage of the star, the commit whose versions were copied.
        tables: By name, how far each table is copied.
    """

    request: int = 0
    built: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, CopyState] = field(default_factory=dict)

    @classmethod
    def of(cls, commit: Optional[Commit]) -> RedactionState:
        """What the newest commit states."""
        if commit is None:
            return cls()
        tables = {name: read_known(CopyState, one) for name, one in commit.state["tables"].items()}
        return cls(commit.state["request"], commit.state["built"], tables)

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in the commit."""
        tables = {name: vars(copy) for name, copy in self.tables.items()}
        return {"request": self.request, "built": self.built, "tables": tables}


def copies_wait(lake: LakeClients, catalogue: Catalogue) -> bool:
    """Whether something was published of which no copy is.

    Args:
        lake: Its clients.
        catalogue: The contracts.
    """
    if not catalogue.copies:
        return False
    latest = lake.log(REDACT).latest()
    state = RedactionState.of(latest)
    published = {stage: lake.log(stage).latest_sequence() for stage in (FIRST_STAGE, *BUILT)}
    covered = {FIRST_STAGE: latest.last_batch if latest else 0, **state.built}
    if any(sequence > covered.get(stage, 0) for stage, sequence in published.items()):
        return True
    prefixes = {name: table.prefix for name, table in state.tables.items()}
    moved = any(prefixes.get(name_of(catalogue, copy)) != copy.prefix for copy in catalogue.copies)
    return latest is not None and (moved or requested(lake) != state.request)


def live_copies(lake: LakeClients, catalogue: Catalogue) -> Iterator[tuple[Contract, list[Partition]]]:
    """Of each copy, the partitions that are live, as the commits that wrote them state them.

    Args:
        lake: Its clients.
        catalogue: The contracts.
    """
    commits = lake.log(REDACT).after(0) if catalogue.copies else []
    state = RedactionState.of(commits[-1] if commits else None)
    for copy in catalogue.copies:
        name = name_of(catalogue, copy)
        table = state.tables.get(name)
        if table is None or table.prefix != copy.prefix:
            yield copy, []
            continue
        written = [
            partition
            for commit in commits[table.since - 1 :]
            if name in commit.tables
            for partition in commit.tables[name].partitions
        ]
        live = {layout.star_location(copy, path, label) for path, label in table.versions.items()}
        yield copy, [one for one in written if not table.versions or one.location in live]


def values_of(copy: Contract, partition: Partition) -> tuple[str, ...]:
    """A partition's values as the catalog orders them; a commit states them in no order."""
    return tuple(partition.values[column.name] for column in copy.partition_columns)
