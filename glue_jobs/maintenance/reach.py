"""What commits and catalogue name: the side of housekeeping that says what stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from catalog.catalogue import Catalogue
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import REDACT, STAGES, Commit, CommitLog
from glue_jobs.lake.load_state import LoadState
from glue_jobs.lake.partitions import shown_locations
from glue_jobs.lake.rebuilds import BUILT, Rebuilt
from glue_jobs.lake.redaction_state import CopyState, RedactionState
from glue_jobs.lake.source_state import SourceState
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.maintenance.retention import AttemptOf, Reachable, retained


@dataclass
class Attempts:
    """Which attempt published a sequence, each commit read once.

    Attributes:
        logs: By stage, its commits.
    """

    logs: Mapping[str, CommitLog]
    _known: dict[tuple[str, int], Optional[str]] = field(default_factory=dict)

    def __call__(self, stage: str, sequence: int) -> Optional[str]:
        """The attempt; nothing if nobody has published the sequence."""
        if (stage, sequence) not in self._known:
            commit = self.logs[stage].get(sequence)
            self._known[stage, sequence] = commit.attempt if commit is not None else None
        return self._known[stage, sequence]


def read(lake: LakeClients, catalogue: Catalogue, cutoff: datetime) -> Reachable:
    """Read what stays.

    Args:
        lake: Its clients.
        catalogue: The contracts.
        cutoff: States that were the newest at some moment since then are kept (UTC, without zone).
    """
    logs = {stage: lake.log(stage) for stage in ("capture", "validate", *BUILT, REDACT)}
    kept = {stage: retained(_back(log), cutoff) for stage, log in logs.items()}
    loaded = lake.log("load").latest()
    return named(catalogue, kept, loaded, _shown(lake, catalogue), Attempts(logs))


def named(
    catalogue: Catalogue,
    kept: Mapping[str, Sequence[Commit]],
    loaded: Optional[Commit],
    shown: Iterable[str],
    attempt_of: AttemptOf,
) -> Reachable:
    """What retained commits and the catalogue name.

    Args:
        catalogue: The contracts.
        kept: By stage, its retained commits, the newest first.
        loaded: The newest commit of the load.
        shown: Prefixes that the catalogue sends readers to.
        attempt_of: Which attempt published a sequence.
    """
    return Reachable(
        attempt_of=attempt_of,
        stages=_stages(catalogue),
        locations=frozenset([*_live(catalogue, kept), *_copies(kept), *shown]),
        state=frozenset(_state(kept)),
        changes_from=_changes_from(kept, loaded),
        covered=min(kept[stage][0].last_batch if kept[stage] else 0 for stage in STAGES[1:-1]),
        copies={copy.prefix: copy.since for copy in _newest_copies(kept).values()},
    )


def _back(log: CommitLog) -> Iterator[Commit]:
    """Commits, the newest first, read as they are asked for."""
    for sequence in range(log.latest_sequence(), 0, -1):
        commit = log.get(sequence)
        if commit is not None:
            yield commit


def _stages(catalogue: Catalogue) -> dict[str, str]:
    star = {c.table: c.stages[0] for c in catalogue.star.values()}
    return {**star, **{f"_current/{table}": "dimensions" for table in catalogue.raw}}


def _state(kept: Mapping[str, Sequence[Commit]]) -> Iterator[str]:
    for commit in kept["capture"]:
        yield from (stated.key for stated in SourceState.of(commit).objects)
    for commit in kept["validate"]:
        for objects in ValidationState.of(commit).unresolved.values():
            yield from (data.key for data in objects)


def _live(catalogue: Catalogue, kept: Mapping[str, Sequence[Commit]]) -> Iterator[str]:
    prefix = catalogue.zones["star"].prefix
    for stage in BUILT:
        for commit in kept[stage]:
            for name, table in commit.tables.items():
                for spec, label in table.versions.items():
                    yield f"{prefix}{name}/{spec + '/' if spec else ''}version={label}/"


def _newest_copies(kept: Mapping[str, Sequence[Commit]]) -> Mapping[str, CopyState]:
    commits = kept.get(REDACT, ())
    return RedactionState.of(commits[0] if commits else None).tables


def _copies(kept: Mapping[str, Sequence[Commit]]) -> Iterator[str]:
    """Prefixes of copies of star tables, where a copy of today's columns is."""
    newest = _newest_copies(kept)
    for commit in kept.get(REDACT, ()):
        for name, copy in RedactionState.of(commit).tables.items():
            if name in newest and copy.prefix == newest[name].prefix:
                for spec, label in copy.versions.items():
                    yield f"{copy.prefix}{spec + '/' if spec else ''}version={label}/"


def _shown(lake: LakeClients, catalogue: Catalogue) -> Iterator[str]:
    """Where the catalogue sends readers, whatever the commits say."""
    root = f"s3://{lake.processed}/"
    copies = [copy for copy in catalogue.copies if copy.zone_info.bucket == "processed"]
    for contract in (*catalogue.star.values(), *copies):
        database, name = contract.zone_info.database, contract.table
        table = lake.glue.get_table(DatabaseName=database, Name=name)["Table"]
        locations = [table["StorageDescriptor"]["Location"]]
        if contract.partition_columns:
            locations += shown_locations(lake.glue, contract).values()
        for location in locations:
            yield location.replace(root, "", 1)


def _changes_from(kept: Mapping[str, Sequence[Commit]], loaded: Optional[Commit]) -> dict[str, int]:
    """From which commit of each stage an empty warehouse has to load.

    From the first, unless all stages answer one rebuild, which the warehouse has taken up. What a commit
    within the retention names stays in any case.
    """
    newest = {stage: Rebuilt.of(kept[stage][0]) if kept[stage] else Rebuilt() for stage in BUILT}
    complete = len({rebuilt.request for rebuilt in newest.values()}) == 1
    if not complete or loaded is None:
        return dict.fromkeys(BUILT, 0)
    if any(LoadState.of(loaded).sequence(stage) < rebuilt.sequence for stage, rebuilt in newest.items()):
        return dict.fromkeys(BUILT, 0)
    return {
        stage: min([rebuilt.sequence, *(commit.sequence for commit in kept[stage])])
        for stage, rebuilt in newest.items()
    }
