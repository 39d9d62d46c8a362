"""One capture: what every table holds that is new since its base, and what it lost, in one snapshot.

Reading is spread over a few connections that share the snapshot; a large table is read in ranges of blocks.
Each connection decodes, types and writes in its own thread, so no rows wait in a queue and memory holds a few
batches whatever the table's size.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Optional, Union

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap64

from catalog.arrow import arrow_schema
from catalog.model import Contract
from glue_jobs.lake import layout
from glue_jobs.lake.live_keys import NO_VERSIONS, KeyStore, Versions
from glue_jobs.lake.snapshot import UNKNOWN_SOURCE, Snapshot
from glue_jobs.lake.source_state import NEW, CaptureState, horizon_for, is_renamed
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import TablePaused
from glue_jobs.sources import capture_query as query
from glue_jobs.sources import cells, structure
from glue_jobs.sources.key_ledger import KeyLedger, MissingKeys, Seen, open_ledger
from glue_jobs.sources.mass_deletes import DEFAULT_GUARD, MassDeleteGuard
from glue_jobs.sources.parts import Deliver, PartNumbers, PartWriter
from glue_jobs.sources.postgres_source import TID_RANGE_SCANS, Reader, Source, SourceTable
from glue_jobs.sources.quarantine import DeadLetters, QuarantinedRows, QuarantineRun
from glue_jobs.sources.structure import StructureConflict

STREAMS = 2
"""Connections that read side by side."""

ROWS_WORTH_SPLITTING = 200_000
"""New rows from which a table is read by several connections."""


@dataclass(frozen=True)
class TableCapture:
    """What a capture found in one table.

    Attributes:
        read: Row versions that the source delivered.
        inserts: Rows under a key that was not live.
        updates: New versions of live keys.
        deletes: Keys that were live and are gone.
        rereads: Versions that an earlier capture had published already.
        unparseable: Cells that their column's type could not hold.
        structure: Fingerprint of the table and its columns.
        labels: What the values of its enumerations are called.
        leaves: The relations that hold its rows, each with how many; none where it holds them itself, and
            each key once.
        leaves_changed: Whether they differ from before.
        live: The keys that are live now, or where they are kept; nothing where no key, a text, ever was.
        live_changed: Whether they differ from before.
        seen: Versions that the next capture may read again.
        key_spans: Spans that hold every published key; none where nothing is known of them.
    """

    read: int
    inserts: int
    updates: int
    deletes: int
    rereads: int
    unparseable: int
    structure: str
    labels: Mapping[str, str]
    leaves: Mapping[int, int]
    leaves_changed: bool
    live: Union[BitMap64, StateObject, None]
    live_changed: bool
    seen: Versions
    key_spans: tuple[tuple[int, int], ...] = ()

    @property
    def published(self) -> int:
        """Rows in the files: new versions and deletions."""
        return self.inserts + self.updates + self.deletes


@dataclass(frozen=True)
class Capture:
    """What one capture found.

    Attributes:
        snapshot: The moment that it shows.
        tables: By table, what was found; a held table is not among them.
        held: By table, why it could not be captured.
        quarantined: By paused table, what was kept whole of it; one whose rows cannot be seen is not
            among them.
        unstated: By table, the columns that its contract does not state, and that were left out.
    """

    snapshot: Snapshot
    tables: Mapping[str, TableCapture]
    held: Mapping[str, TablePaused]
    quarantined: Mapping[str, QuarantinedRows]
    unstated: Mapping[str, Sequence[str]]

    @property
    def changed(self) -> bool:
        """Whether there is anything to publish."""
        published = any(table.published for table in self.tables.values())
        return published or any(rows.rows for rows in self.quarantined.values())


def capture(
    source: Source,
    contracts: Iterable[Contract],
    states: Mapping[str, CaptureState],
    store: KeyStore,
    folder: Path,
    deliver: Deliver,
    letters: DeadLetters,
    guard: MassDeleteGuard = DEFAULT_GUARD,
    in_full: Collection[str] = (),
    label: str = "",
) -> Capture:
    """Read what is new in every table of the snapshot; quarantine what the contracts cannot type.

    Args:
        source: The open snapshot.
        contracts: The raw tables.
        states: Where the last published capture left each table.
        store: Where live keys are kept.
        folder: Where files are made; one folder per table.
        deliver: Is given every finished file, from several threads.
        letters: Where rows of a table go that disagrees with its contract.
        guard: Pauses a table that lost more keys at once than is believable.
        in_full: Tables of which every row is captured again.
        label: Names what is written of their keys; one of its own unless given.

    Raises:
        SourceUnavailable: The source stopped answering; nothing is to be published.
    """
    held: dict[str, TablePaused] = {}
    runs: list[_TableRun] = []
    conflicts: list[QuarantineRun] = []
    unstated: dict[str, Sequence[str]] = {}
    for contract in contracts:
        state = states.get(contract.table, NEW)
        if contract.table in in_full:
            state = replace(state, xmin_horizon=None)
        with _holding(held, contract.table):
            declared = _found(source, contract)
            try:
                structure.check(contract, declared)
            except StructureConflict as conflict:
                conflicts.append(
                    QuarantineRun(contract, declared, conflict, source, state, store, folder, letters)
                )
                raise
            extra = structure.extra_columns(contract, declared)
            if extra:
                log.warning("capture.extra_columns", table=contract.table, columns=extra)
                unstated[contract.table] = extra
            structure.check_key(contract, declared)
            runs.append(_planned(source, contract, declared, state, store, folder, deliver))
    log.step("capture.counted", tables=len(runs), held=len(held))
    runs = _read_all(source, runs, held)
    quarantined = _quarantine(source, conflicts, held)
    tables, label = {}, label or layout.new_attempt()
    for run in runs:
        with _holding(held, run.contract.table):
            tables[run.contract.table] = run.finish(guard, label)
    return Capture(source.snapshot, tables, held, quarantined, unstated)


def _found(source: Source, contract: Contract) -> SourceTable:
    declared = source.tables.get(contract.table)
    if declared is not None:
        declared.complain_unless_capturable(contract.table)
    if contract.table in source.refused:
        raise source.refused[contract.table]
    if declared is None:
        schema, name = source.places[contract.table]
        raise TablePaused(
            f"The source has no table {name} in the schema {schema}.",
            "Rename it back, or change the contract.",
        )
    return declared


def _planned(
    source: Source,
    contract: Contract,
    declared: SourceTable,
    state: CaptureState,
    store: KeyStore,
    folder: Path,
    deliver: Deliver,
) -> _TableRun:
    mark = structure.fingerprint(contract, declared)
    base = horizon_for(state, source.snapshot, mark)
    if is_renamed(state.labels, structure.labels(contract, declared)):
        base = None
    if base is None and state.source != UNKNOWN_SOURCE:
        log.warning(
            "capture.in_full",
            table=contract.table,
            xmin_horizon=state.xmin_horizon,
            xmax=source.snapshot.xmax,
        )
    place = folder / contract.table
    versions = state.seen_versions if base is not None else None

    def ledger(seen: Optional[StateObject]) -> KeyLedger:
        return open_ledger(contract, store, state.live_keys, seen, place)

    run = _TableRun(contract, declared, mark, source, base, PartNumbers(), place, deliver, ledger, versions)
    run.kept, run.before = state.live_keys, store.leaves(state.leaves)
    run.count()
    return run


def _quarantine(
    source: Source, conflicts: Sequence[QuarantineRun], held: dict[str, TablePaused]
) -> dict[str, QuarantinedRows]:
    """Write the batches of tables that disagree with their contracts, where the role may see them."""
    refused: dict[str, TablePaused] = {}
    jobs = []
    for run in conflicts:
        with _holding(refused, run.contract.table):
            if run.count():
                jobs.append(_Job(run, run.blocks, run.read))
    _work(source, jobs, refused)
    held.update(refused)
    return {run.contract.table: run.finish() for run in conflicts if run.contract.table not in refused}


def _read_all(source: Source, runs: Sequence[_TableRun], held: dict[str, TablePaused]) -> list[_TableRun]:
    """Read rows, and keys where the numbers do not agree; in full again where the source has unknown keys."""
    _work(source, [job for run in runs for job in run.reads()], held)
    uncertain = [run for run in runs if run.contract.table not in held and not run.complete]
    _work(source, [_Job(run, run.blocks, run.read_keys) for run in uncertain], held)
    again = [run.in_full() for run in uncertain if run.contract.table not in held and run.unknown_keys]
    if again:
        for run in again:
            log.warning("capture.unknown_keys", table=run.contract.table)
            run.count()
        _read_all(source, again, held)
    replaced = {run.contract.table: run for run in again}
    return [replaced.get(run.contract.table, run) for run in runs if run.contract.table not in held]


@dataclass(frozen=True)
class _Job:
    """A piece of reading that one connection does."""

    run: Union[_TableRun, QuarantineRun]
    size: int
    do: Callable[[Reader], None]


def _work(source: Source, jobs: Sequence[_Job], held: dict[str, TablePaused]) -> None:
    """Do the jobs on a few connections, the largest first; a table that is refused is held."""
    if not jobs:
        return
    waiting = deque(sorted(jobs, key=lambda job: -job.size))
    blocked: deque[_Job] = deque()
    others = min(STREAMS, len(jobs)) - 1
    with ThreadPoolExecutor(others + 1) as pool:
        working = [pool.submit(_read_beside, source, waiting, blocked, held) for _ in range(others)]
        working.append(pool.submit(_work_off, source.holder, waiting, held))
        for done in working:
            done.result()
    _work_off(source.holder, blocked, held)


def _read_beside(
    source: Source, waiting: deque[_Job], blocked: deque[_Job], held: dict[str, TablePaused]
) -> None:
    """What another connection does: jobs, until none is left.

    A change of structure may wait for the lock that the source holds. Whoever asked for a lock behind it
    would wait for ever, so it is taken at once or not at all, and such a table is left to the connection that
    holds it.
    """
    reader = source.reader()

    def is_locked(table: str) -> bool:
        return reader.lock(*source.places[table]) is None

    try:
        _work_off(reader, waiting, held, is_locked, blocked)
    finally:
        reader.close()


def _work_off(
    reader: Reader,
    waiting: deque[_Job],
    held: dict[str, TablePaused],
    is_locked: Callable[[str], bool] = lambda _: True,
    blocked: Optional[deque[_Job]] = None,
) -> None:
    """What one thread does: jobs, on one connection, until none is left."""
    try:
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            table = job.run.contract.table
            if table in held:
                continue
            if blocked is not None and not is_locked(table):
                log.info("capture.lock_left", table=table)
                blocked.append(job)
                continue
            try:
                reader.attempt(job.do)
            except TablePaused as error:
                held[table] = error
    except BaseException:
        waiting.clear()
        raise


class _TableRun:
    """The capture of one table, fed by several threads."""

    def __init__(
        self,
        contract: Contract,
        declared: SourceTable,
        mark: str,
        source: Source,
        base: Optional[int],
        numbers: PartNumbers,
        folder: Path,
        deliver: Deliver,
        open_keys: Callable[[Optional[StateObject]], KeyLedger],
        versions: Optional[StateObject] = None,
    ) -> None:
        self.contract = contract
        self.kept: Optional[StateObject] = None
        self.before: Mapping[int, int] = {}
        self._open_keys = open_keys
        self._keys = open_keys(versions)
        self._declared = declared
        self._mark = mark
        self._source = source
        self._numbers = numbers
        self._folder = folder
        self._deliver = deliver
        self._schema = arrow_schema(contract)
        self._place = declared.location(source.places[contract.table])
        self._window = query.Window(base, source.snapshot.xmax)
        self._limits = structure.cell_limits(contract, declared)
        self._lock = threading.Lock()
        self._leaves: Mapping[int, int] = {}
        self._total = self._fresh = self._large = 0
        self._counts = dict.fromkeys(("read", "inserts", "updates", "rereads", "odd", "keyless"), 0)
        self._keys_travelled = False

    @property
    def blocks(self) -> int:
        """Size of the table in blocks."""
        return self._declared.blocks

    def count(self) -> None:
        """Ask how many rows there are and how many are new."""
        if self._window.base is not None:
            joined = {*structure.joined(self._declared, self.before), *self._remade()}
            self._window = replace(self._window, leaves=tuple(sorted(joined)))
        if self._window.leaves:
            # One transaction may have written a key in what left and in what joined.
            self._keys.forget_versions()
        counts = self._source.count(self.contract.table, self._place, self._window, self._limits)
        rows = {count.leaf: count.rows for count in counts}
        self._leaves = {leaf.oid: rows.get(leaf.oid, 0) for leaf in self._declared.leaves}
        self._total = sum(rows.values())
        self._fresh = sum(count.fresh for count in counts)
        self._large = sum(count.large for count in counts)

    def _remade(self) -> list[int]:
        columns = [column.at_source for column in self.contract.columns]
        return self._source.remade(self._declared, columns, self._window)

    def in_full(self) -> _TableRun:
        """The same table once more, with every row; the files written so far are left behind."""
        run = _TableRun(
            self.contract,
            self._declared,
            self._mark,
            self._source,
            None,
            self._numbers,
            self._folder,
            self._deliver,
            self._open_keys,
        )
        run.kept, run.before = self.kept, self.before
        return run

    def reads(self) -> list[_Job]:
        """The jobs that read the new rows; none where nothing is new."""
        if not self._fresh:
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        split = self._fresh >= ROWS_WORTH_SPLITTING and self._source.version >= TID_RANGE_SCANS
        ranges = query.split_ranges(self.blocks, STREAMS) if split and self.blocks >= STREAMS else [None]
        columns = structure.columns_to_read(self.contract.columns, self._declared)
        if not self._large:
            self._limits = {}
        statements = [
            query.read_rows(self._place, columns, self._window, blocks, self._limits) for blocks in ranges
        ]
        size = self.blocks // len(ranges)
        return [_Job(self, size, partial(self._read, statement=statement)) for statement in statements]

    @property
    def complete(self) -> bool:
        """Whether numbers prove that no key is missing.

        Of a table that holds a key once, every row is among the known ones, so that equal numbers do. Of one
        that may hold a key twice they prove nothing, unless each part has as many rows as before and none is
        new.
        """
        if self._same_rows:
            return True
        if not structure.has_unique_key(self.contract, self._declared) or self._counts["keyless"]:
            return False
        return self._total == self._keys.known(once=True)

    @property
    def _same_rows(self) -> bool:
        return not self._fresh and bool(self.before) and self._leaves == self.before

    @property
    def unknown_keys(self) -> bool:
        """Whether the source holds keys that are neither live nor new: rows came in by another way."""
        return self._keys.has_unknown(once=structure.has_unique_key(self.contract, self._declared))

    def read_keys(self, reader: Reader) -> None:
        """Read all keys of the source."""
        stated = [self.contract.column(name) for name in self.contract.key]
        columns = structure.columns_to_read(stated, self._declared)
        self._keys.begin_source()
        for batch in reader.batches(self.contract.table, query.read_keys(self._place, columns)):
            typed = (cells.cast(array, column)[0] for array, column in zip(batch.columns, stated))
            self._keys.add_source(list(typed))
        self._keys_travelled = True

    def finish(self, guard: MassDeleteGuard, label: str) -> TableCapture:
        """Publish deletions and sum up.

        Args:
            guard: Decides whether so many keys may be gone.
            label: Names what is written of the keys.

        Raises:
            MassDeletePaused: More keys vanished at once than is believable.
        """
        gone = self._keys.gone()
        before = self.kept.count if self.kept is not None else 0
        guard.check(
            self.contract.table, self.kept, before, gone, self._source.snapshot, self._rows_of_the_detached
        )
        self._write_deletions(gone)
        once = structure.has_unique_key(self.contract, self._declared)
        live, live_changed = self._keys.live(label, once=once)
        # Where a key stands once, and there are no parts, the number of live keys says as much.
        single = self._declared.alone and once
        leaves = {} if single else self._leaves
        counts = self._counts
        found = TableCapture(
            read=counts["read"],
            inserts=counts["inserts"],
            updates=counts["updates"],
            deletes=len(gone),
            rereads=counts["rereads"],
            unparseable=counts["odd"],
            structure=self._mark,
            labels=structure.labels(self.contract, self._declared),
            leaves=leaves,
            leaves_changed=leaves != self.before,
            live=live,
            live_changed=live_changed,
            seen=self._seen_next(),
            key_spans=() if counts["keyless"] else self._keys.spans(),
        )
        log.info(
            "capture.table",
            table=self.contract.table,
            rows=self._total,
            full=self._window.base is None,
            keys_travelled=self._keys_travelled,
            **{name: getattr(found, name) for name in _LOGGED},
        )
        return found

    @property
    def _rows_of_the_detached(self) -> int:
        """How many rows were in partitions that are detached as a matter of course."""
        if self.contract.rotation != "routine":
            return 0
        return sum(rows for leaf, rows in self.before.items() if leaf not in self._leaves)

    def _read(self, reader: Reader, statement: str) -> None:
        with self._writer() as writer:
            for batch in reader.batches(self.contract.table, statement):
                writer.write(self._typed(batch))

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with its lineage, without what was published before; takes note of its keys."""
        rows = batch.num_rows
        odd: dict[str, cells.Odd] = {}
        columns = []
        for column, array in zip(self.contract.columns, batch.columns):
            typed, strange = cells.cast(array, column)
            columns.append(typed)
            if strange:
                odd[column.name] = strange
        names = {column.at_source: column.name for column in self.contract.columns}
        for (at_source, limit), lengths in zip(self._limits.items(), batch.columns[len(columns) : -1]):
            above, name = cells.lengths(lengths, limit), names[at_source]
            if above:
                odd[name] = {**odd.get(name, {}), **above}
        ids = query.version_ids(batch.columns[-1], self._source.snapshot.xmax)
        key = [columns[self._schema.get_field_index(name)] for name in self.contract.key]
        seen = self._keys.look_up(key, ids, self._source.snapshot.xmin)
        self._count(seen, odd)
        operation = pa.repeat("insert", rows)
        if seen.known.any():
            operation = pc.if_else(pa.array(seen.known), "update", "insert")
        lineage = _lineage(self._source.snapshot, operation, ids, cells.unparseable(rows, odd))
        typed_batch = pa.RecordBatch.from_arrays([*columns, *lineage], schema=self._schema)
        return typed_batch.filter(pa.array(~seen.again)) if seen.again.any() else typed_batch

    def _count(self, seen: Seen, odd: Mapping[str, cells.Odd]) -> None:
        rows, rereads = len(seen.known), int(seen.again.sum())
        updates = int((seen.known & ~seen.again).sum())
        with self._lock:
            self._counts["read"] += rows
            self._counts["updates"] += updates
            self._counts["inserts"] += rows - rereads - updates
            self._counts["rereads"] += rereads
            self._counts["odd"] += sum(len(cells_of_column) for cells_of_column in odd.values())
            self._counts["keyless"] += rows - int(seen.has_key.sum())

    def _seen_next(self) -> Versions:
        versions = self._keys.seen_next()
        if versions is None:
            # Downstream compares contents: what is read again is absorbed there.
            log.warning("capture.seen_overflow", table=self.contract.table)
            return NO_VERSIONS
        return versions

    def _write_deletions(self, gone: MissingKeys) -> None:
        snapshot = self._source.snapshot
        with self._writer() as writer:
            for key in gone.columns():
                rows = len(next(iter(key.values())))
                own = [
                    key[field.name].cast(field.type) if field.name in key else pa.nulls(rows, field.type)
                    for field in list(self._schema)[: len(self.contract.columns)]
                ]
                lineage = _lineage(
                    snapshot,
                    pa.repeat("delete", rows),
                    np.full(rows, snapshot.xmax),
                    cells.unparseable(rows, {}),
                )
                writer.write(pa.RecordBatch.from_arrays([*own, *lineage], schema=self._schema))

    @contextmanager
    def _writer(self) -> Iterator[PartWriter]:
        self._folder.mkdir(parents=True, exist_ok=True)
        writer = PartWriter(
            self._folder,
            self._numbers,
            self._schema,
            partial(self._deliver, self.contract, self.contract.table),
            # A text that is the key stands in no other row.
            self.contract.key if len(self.contract.key) == 1 else (),
        )
        yield writer
        writer.close()


_LOGGED = ("read", "inserts", "updates", "deletes", "rereads", "unparseable")


def _lineage(
    snapshot: Snapshot, operation: pa.Array, ids: npt.NDArray[np.int64], odd: pa.Array
) -> list[pa.Array]:
    """The lineage columns in the order in which the raw zone states them."""
    captured_at = pa.scalar(snapshot.captured_at, pa.timestamp("ms"))
    return [operation, pa.array(ids), pa.repeat(captured_at, len(ids)), odd]


@contextmanager
def _holding(held: dict[str, TablePaused], table: str) -> Iterator[None]:
    try:
        yield
    except TablePaused as error:
        held[table] = error
