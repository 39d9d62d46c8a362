"""Making the copies: objects that were published since the last commit, again without their personal columns.

A copy is made of an object that a commit names, after its checksum was compared, a row group at a time. It
holds the columns that the contract states and does not call personal, and none that the contract does not
know.
One commit publishes all copies of a run. Who dies before it has published nothing, and the next run begins
where the last commit ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.catalogue import Catalogue
from catalog.model import Contract
from glue_jobs.lake import layout, objects, rebuilds
from glue_jobs.lake.catalog_check import ZONES, repair_tables
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.commits import (
    FIRST_STAGE,
    REDACT,
    Commit,
    CommitConflict,
    DataObject,
    Partition,
    TableCommit,
)
from glue_jobs.lake.partitions import register_exactly
from glue_jobs.lake.redaction_state import (
    CopyState,
    RedactionState,
    copies_wait,
    name_of,
    values_of,
)
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError

BATCHES_AT_ONCE = 200
"""Captures that one commit covers at most: a run that dies in a long history loses no more than that."""

_ROWS_AT_A_TIME = 65_536


def redact(lake: LakeClients, catalogue: Catalogue) -> int:
    """Copy what waits, and show it in the catalog.

    Args:
        lake: Its clients.
        catalogue: The contracts.

    Returns:
        The exit code: 0 also when nothing waited or another attempt was first.

    Raises:
        UserError: A commit is missing.
        ChecksumMismatch: An object is not what its commit says.
    """
    if not catalogue.copies:
        return 0
    repair_tables(lake, catalogue, ZONES[REDACT])
    latest = lake.log(REDACT).latest()
    if latest is not None:
        _show(lake, catalogue, latest)
        log.step("redact.republished", sequence=latest.sequence)
    while copies_wait(lake, catalogue):
        try:
            latest = _Run.begin(lake, catalogue, latest).commit()
        except CommitConflict:
            log.info("redact.commit_conflict")
            return 0
        log.step("redact.committed", sequence=latest.sequence, batch=latest.last_batch)
        _show(lake, catalogue, latest)
        log.step("redact.published", sequence=latest.sequence)
    log.info("redact.done", batch=latest.last_batch if latest else 0)
    return 0


@dataclass(frozen=True)
class _Run:
    """What one commit publishes.

    Attributes:
        lake: Its clients.
        catalogue: The contracts.
        sequence: The commit's.
        attempt: Names it.
        before: The state that it follows on.
        states: By name, from where each table is copied.
        captured: The newest batch.
        built: By stage of the star, its newest commit.
    """

    lake: LakeClients
    catalogue: Catalogue
    sequence: int
    attempt: str
    before: RedactionState
    states: Mapping[str, CopyState]
    captured: int
    built: Mapping[str, Commit]

    @classmethod
    def begin(cls, lake: LakeClients, catalogue: Catalogue, latest: Optional[Commit]) -> _Run:
        """See what waits."""
        before = RedactionState.of(latest)
        request = rebuilds.requested(lake)
        if request != before.request:
            before = RedactionState(request)
        sequence = latest.sequence + 1 if latest else 1
        states = {}
        for copy in catalogue.copies:
            name = name_of(catalogue, copy)
            state = before.tables.get(name, CopyState())
            states[name] = state if state.prefix == copy.prefix else CopyState(copy.prefix, sequence)
        newest = {stage: lake.log(stage).latest() for stage in rebuilds.BUILT}
        built = {stage: commit for stage, commit in newest.items() if commit is not None}
        captured = lake.log(FIRST_STAGE).latest_sequence()
        return cls(lake, catalogue, sequence, layout.new_attempt(), before, states, captured, built)

    @property
    def after(self) -> int:
        """The last batch of which every raw table is copied."""
        return min((s.batch for name, s in self.states.items() if name.startswith("raw/")), default=0)

    @property
    def until(self) -> int:
        """The last batch that this commit covers."""
        return min(self.captured, self.after + BATCHES_AT_ONCE)

    @property
    def _label(self) -> str:
        return layout.version_label(self.sequence, self.attempt)

    @property
    def _sequences(self) -> dict[str, int]:
        return {stage: commit.sequence for stage, commit in self.built.items()}

    def commit(self) -> Commit:
        """Copy, and publish it in one act.

        Raises:
            CommitConflict: Another attempt was first.
        """
        tables, states = {}, {}
        captures = {batch: self._capture(batch) for batch in range(self.after + 1, self.until + 1)}
        for copy in self.catalogue.copies:
            name = name_of(self.catalogue, copy)
            made = self._raw(copy, name, captures) if name.startswith("raw/") else self._star(copy, name)
            states[name], partitions = made
            if partitions:
                rows = sum(partition.rows for partition in partitions)
                tables[name] = TableCommit({"read": rows, "accepted": rows}, partitions)
        log.step("redact.written", tables=len(tables))
        commit = Commit(
            stage=REDACT,
            sequence=self.sequence,
            attempt=self.attempt,
            committed_at=layout.iso(layout.utc_now()),
            first_batch=min(self.after + 1, self.until),
            last_batch=self.until,
            tables=tables,
            state=RedactionState(self.before.request, self._sequences, states).state,
        )
        self.lake.log(REDACT).publish(commit)
        return commit

    def _capture(self, batch: int) -> Commit:
        commit = self.lake.log(FIRST_STAGE).get(batch)
        if commit is None:
            raise UserError(f"The capture {batch} is missing.", "Look for its commit in _commits/capture/.")
        return commit

    def _raw(
        self, copy: Contract, name: str, captures: Mapping[int, Commit]
    ) -> tuple[CopyState, tuple[Partition, ...]]:
        """Copy what captures published of a raw table."""
        state, made = self.states[name], []
        for batch, commit in captures.items():
            captured = commit.tables.get(copy.table)
            for partition in captured.partitions if captured and batch > state.batch else ():
                path = "/".join(
                    f"{column.name}={partition.values[column.name]}" for column in copy.partition_columns
                )
                made.append(self._copied(copy, partition, f"{copy.prefix}{path}/attempt={self._label}/"))
        return replace(state, batch=max(state.batch, self.until)), tuple(made)

    def _star(self, copy: Contract, name: str) -> tuple[CopyState, tuple[Partition, ...]]:
        """Copy the live versions of a star table that are not copied yet."""
        stage, state = copy.stages[0], self.states[name]
        newest = self.built.get(stage)
        if newest is None or copy.table not in newest.tables:
            return state, ()
        live = newest.tables[copy.table].versions
        changed = {path: label for path, label in live.items() if state.copied_from.get(path) != label}
        partitions = tuple(
            self._copied(copy, self._written(stage, copy, path, label), self._version(copy, path))
            for path, label in changed.items()
        )
        kept = {path: label for path, label in state.versions.items() if path in live}
        versions = {**kept, **dict.fromkeys(changed, self._label)}
        return replace(state, copied_from=dict(live), versions=versions), partitions

    def _version(self, copy: Contract, path: str) -> str:
        return layout.star_location(copy, path, self._label)

    def _written(self, stage: str, copy: Contract, path: str, label: str) -> Partition:
        """A live partition of a star table, as the commit that wrote it states it."""
        original = self.catalogue.copied(copy)
        location = layout.star_location(original, path, label)
        commit = self.lake.log(stage).get(layout.version_sequence(location))
        table = commit.tables.get(copy.table) if commit else None
        for partition in table.partitions if table else ():
            if partition.location == location:
                return partition
        raise UserError(
            f"The live version {location} of {copy.table} was written by no commit of {stage}.",
            f"Look for the commit that is missing in _commits/{stage}/.",
        )

    def _copied(self, copy: Contract, partition: Partition, location: str) -> Partition:
        made = [
            self._copied_object(copy, data, f"{location}part-{number:05d}.parquet")
            for number, data in enumerate(partition.objects)
        ]
        return Partition(partition.values, location, tuple(made))

    def _copied_object(self, copy: Contract, data: DataObject, key: str) -> DataObject:
        """An object again, with the columns that the copy's contract states and no other."""
        s3, bucket = self.lake.s3, self.lake.bucket(copy)
        stated = {column.name for column in copy.all_columns}
        with (
            objects.open_verified(s3, bucket, data) as file,
            tempfile.TemporaryDirectory() as folder,
            pq.ParquetFile(file) as source,
        ):
            fields = [field for field in source.schema_arrow if field.name in stated]
            names = [field.name for field in fields]
            path = Path(folder) / "rows.parquet"
            with pq.ParquetWriter(path, pa.schema(fields), compression="zstd") as writer:
                for batch in source.iter_batches(_ROWS_AT_A_TIME, columns=names):
                    writer.write_batch(batch.select(names))
            return objects.upload(s3, bucket, key, path, data.rows)


def _show(lake: LakeClients, catalogue: Catalogue, commit: Commit) -> None:
    """Project a commit into the catalog, idempotently."""
    state = RedactionState.of(commit)
    for copy in catalogue.copies:
        name = name_of(catalogue, copy)
        of_table, written = state.tables.get(name), commit.tables.get(name)
        if of_table is None or of_table.prefix != copy.prefix:
            continue
        if name.startswith("star/"):
            live = {
                tuple(layout.partition_values(path).values()): layout.star_location(copy, path, label)
                for path, label in of_table.versions.items()
            }
            register_exactly(lake, copy, live, removes=True)
        elif written is not None:
            places = {values_of(copy, one): one.location for one in written.partitions}
            register_exactly(lake, copy, places, only=True)
