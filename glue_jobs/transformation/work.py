"""How far the stages are, and how much waits for them: read from commits alone, before any row is.

What a batch can concern follows from the keys that its capture states in spans: the live partitions whose
keys can be among them. Rows that another table's rows name (inferred members, what a rule looks up) are
read by key alone and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.lake import layout, rebuilds
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import STAGES, Commit, CommitLog, KeyValue, Partition, TableCommit
from glue_jobs.lake.table_state import TableState
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.star.candidates import candidates
from glue_jobs.transformation.decide import Limits, Work

CAPTURE, VALIDATE, LOAD = STAGES[0], STAGES[1], STAGES[-1]

ENGINE_STAGES = STAGES[1:-1]
"""The stages that an engine does, in order: validation, dimensions, facts."""

Spans = Sequence[tuple[KeyValue, KeyValue]]


@dataclass(frozen=True)
class Progress:
    """How far the stages are.

    Attributes:
        captured: The newest batch.
        latest: By stage of an engine, its newest commit.
        requested: The last rebuild that was asked for; 0 where none was.
    """

    captured: int
    latest: Mapping[str, Optional[Commit]]
    requested: int = 0

    @property
    def rebuilt(self) -> int:
        """The last rebuild that dimensions and facts have both built; who never committed has nothing to."""
        commits = (self.latest[stage] for stage in rebuilds.BUILT)
        built = (rebuilds.Rebuilt.of(commit).request for commit in commits if commit is not None)
        return min(built, default=self.requested)

    @property
    def rebuild(self) -> int:
        """The rebuild that is asked for and not built yet; 0 where there is none."""
        return self.requested if self.requested > self.rebuilt else 0

    @property
    def covered(self) -> int:
        """The last batch that every stage has covered."""
        return min(commit.last_batch if commit else 0 for commit in self.latest.values())

    @property
    def first_batch(self) -> int:
        """The first batch that some stage has yet to take; a rebuild takes all."""
        return 1 if self.rebuild else self.covered + 1

    @property
    def batches(self) -> int:
        """How many batches wait for some stage."""
        return max(self.captured - self.first_batch + 1, 0)

    @property
    def left_alone(self) -> Mapping[int, frozenset[str]]:
        """By earlier batch, the tables whose rows validation left alone, since their rules do not compile."""
        found: dict[int, set[str]] = {}
        for table, batches in ValidationState.of(self.latest[VALIDATE]).waiting.items():
            for batch in batches:
                if batch < self.first_batch:
                    found.setdefault(batch, set()).add(table)
        return {batch: frozenset(tables) for batch, tables in found.items()}

    @property
    def name(self) -> str:
        """Names what waits: it stays until every stage has moved on, however many batches come after."""
        return f"{self.rebuild:010d}-{self.covered + 1:010d}"


def read_progress(lake: LakeClients) -> Progress:
    """Read how far the stages are.

    Args:
        lake: Its clients.
    """
    return Progress(
        captured=lake.log(CAPTURE).latest_sequence(),
        latest={stage: lake.log(stage).latest() for stage in ENGINE_STAGES},
        requested=rebuilds.requested(lake),
    )


def estimate(lake: LakeClients, catalog: Catalogue, progress: Progress, limits: Limits) -> Work:
    """How much waits; counting ends at the first limit that is passed.

    Args:
        lake: Its clients.
        catalog: The contracts.
        progress: How far the stages are.
        limits: Where counting may end.
    """
    work = Work(waiting_batches=progress.batches)
    if not progress.batches:
        return work
    log, left = lake.log(CAPTURE), progress.left_alone
    captures: list[Commit] = []
    for batch in (*sorted(left), *range(progress.first_batch, progress.captured + 1)):
        if work.excess(limits):
            return work
        commit = log.get(batch)
        if commit is not None:
            wanted = left.get(batch, commit.tables.keys())
            tables = [table for name, table in commit.tables.items() if name in wanted]
            rows, size = _sizes([partition for table in tables for partition in table.partitions])
            work = replace(
                work, waiting_rows=work.waiting_rows + rows, waiting_bytes=work.waiting_bytes + size
            )
            captures.append(commit)
    # A rebuild reads nothing that stands in the star.
    for partition in () if progress.rebuild else _live_partitions(lake, catalog, progress, captures):
        if work.excess(limits):
            return work
        rows, size = _sizes([partition])
        work = replace(
            work, partition_rows=work.partition_rows + rows, partition_bytes=work.partition_bytes + size
        )
    return work


def _sizes(partitions: Sequence[Partition]) -> tuple[int, int]:
    objects = [data for partition in partitions for data in partition.objects]
    return sum(data.rows for data in objects), sum(data.bytes for data in objects)


def _live_partitions(
    lake: LakeClients, catalog: Catalogue, progress: Progress, captures: Sequence[Commit]
) -> Iterator[Partition]:
    """The live partitions of the star that can hold a key of these captures."""
    for stage in rebuilds.BUILT:
        latest = progress.latest[stage]
        # A stage that is ahead of the others is not asked again for what it has.
        waiting = [commit for commit in captures if latest and commit.last_batch > latest.last_batch]
        if latest is None or not waiting:
            continue
        writers = _Writers(lake.log(stage))
        for contract in catalog.star.values():
            if stage in contract.stages:
                for name, paths in _candidates(latest, contract, waiting).items():
                    yield from writers.partitions(name, latest.tables[name].versions, paths)


def _candidates(latest: Commit, contract: Contract, captures: Sequence[Commit]) -> dict[str, list[str]]:
    """By name in the commit, the partition paths of a star table, and of what it is joined from."""
    built_from = contract.built_from
    if built_from is None or built_from.table is None:
        return {}
    joined = [join.table for join in built_from.joins]
    arriving = [
        commit.tables[table]
        for commit in captures
        for table in (built_from.table, *joined)
        if table in commit.tables and any(partition.rows for partition in commit.tables[table].partitions)
    ]
    if not arriving:
        return {}
    found = {}
    for name in (contract.table, *(f"_current/{table}" for table in (built_from.table, *joined) if joined)):
        if name in latest.tables:
            state = TableState.of(latest, name)
            spans = _spans(arriving) if contract.partition is not None else None
            found[name] = sorted(
                state.versions if spans is None else candidates(state.leading_key_ranges, (), spans)
            )
    return found


def _spans(tables: Sequence[TableCommit]) -> Optional[Spans]:
    """Spans that hold every key of what was captured; nothing where a capture does not say."""
    found: list[tuple[KeyValue, KeyValue]] = []
    for table in tables:
        spans = table.leading_key_spans or _object_spans(table)
        if not spans:
            return None
        found.extend(spans)
    return found


def _object_spans(table: TableCommit) -> Spans:
    """The range of each object; none if one is unknown."""
    objects = [data for partition in table.partitions for data in partition.objects if data.rows]
    ranges = [(data.key_min, data.key_max) for data in objects]
    known = [(low[0], high[0]) for low, high in ranges if low is not None and high is not None]
    return known if len(known) == len(ranges) else ()


class _Writers:
    """The commits that wrote live partitions, each read once."""

    def __init__(self, log: CommitLog) -> None:
        self._log = log
        self._known: dict[int, Optional[Commit]] = {}

    def partitions(
        self, table: str, versions: Mapping[str, str], paths: Sequence[str]
    ) -> Iterator[Partition]:
        for path in paths:
            sequence = int(versions[path].split("-", 1)[0])
            if sequence not in self._known:
                self._known[sequence] = self._log.get(sequence)
            commit = self._known[sequence]
            # What is missing stops the build, in words.
            written = commit.tables[table].partitions if commit is not None else ()
            yield from (one for one in written if layout.partition_path(one.values) == path)
