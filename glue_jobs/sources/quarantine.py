"""Rows of a table that disagrees with its contract: quarantined whole, each version once.

The contract cannot type these rows, so PostgreSQL writes each as JSON. What is quarantined is what a capture
of the table would have published: the versions since the table's xmin horizon, which stays where it is.
The next capture continues where the quarantined rows end, as long as it finds the same structure; under
another one the whole batch is quarantined again, since the rows look different then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pyarrow as pa
from pyroaring import BitMap64

from catalog.arrow import arrow_schema
from catalog.model import CELL_BYTES, Column, Contract
from catalog.types import parse_type
from glue_jobs.lake import live_keys
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.source_state import CaptureState, Pause, horizon_for, quarantine_horizon
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.runtime import log
from glue_jobs.sources import capture_query as query
from glue_jobs.sources import cells, structure
from glue_jobs.sources.parts import Deliver, PartNumbers, PartWriter
from glue_jobs.sources.postgres_source import Reader, Source, SourceTable
from glue_jobs.sources.structure import StructureConflict

_TEXT = Column(name="source_row", type=parse_type("text"), nullable=False, description="The row as JSON.")
_SAME_IN_ALL = ("source_table", "reason", "conflict", "structure")
"""Columns that say the same in every row; in memory each is held once."""


@dataclass(frozen=True)
class DeadLetters:
    """Where rows go that cannot be published.

    Attributes:
        contract: The table that takes them.
        deliver: Is given every finished file.
    """

    contract: Contract
    deliver: Deliver


@dataclass(frozen=True)
class QuarantinedRows:
    """What a capture quarantined of one table.

    Attributes:
        conflict: Names the structure that was found.
        rows: Versions that were written.
        rereads: Versions that an earlier capture had written already.
        continued: Whether earlier rows of the same conflict stand beside them.
        seen: Transactions whose versions the next capture reads again.
    """

    conflict: str
    rows: int
    rereads: int
    continued: bool
    seen: BitMap64


class QuarantineRun:
    """Quarantines one table's batch.

    Args:
        contract: The table's contract, with which it disagrees.
        declared: The table as it is.
        disagreement: How the two differ.
        source: The open snapshot.
        state: Where the last published capture left the table.
        store: Where the transactions are kept whose versions are read again.
        folder: Where files are made.
        letters: Where the rows go.
    """

    def __init__(
        self,
        contract: Contract,
        declared: SourceTable,
        disagreement: StructureConflict,
        source: Source,
        state: CaptureState,
        store: KeyStore,
        folder: Path,
        letters: DeadLetters,
    ) -> None:
        self.contract = contract
        self.disagreement = disagreement
        self._declared = declared
        self._source = source
        self._folder = folder / contract.table
        self._letters = letters
        self._mark = structure.digest(declared)
        self._continues = quarantine_horizon(state, source.snapshot, self._mark)
        horizon = self._continues
        if horizon is None:
            horizon = horizon_for(state, source.snapshot, state.structure)
        self._place = declared.location(source.places[contract.table])
        joined = structure.joined(declared, store.leaves(state.leaves)) if self._continues is None else ()
        self._window = query.Window(horizon, source.snapshot.xmax, joined)
        limits = (column.cell_limit for column in contract.columns if column.type.name == "text")
        limit = max(limits, default=CELL_BYTES)
        self._limits = {name: limit for name, column in declared.columns.items() if column.varying}
        self._large = 0
        # A transaction's versions come into view all at once: to know it is to know them.
        pause = state.pause if self._continues is not None else None
        known = None if pause is None else pause.seen_transactions
        self._seen = store.live(known)
        self._seen_next = BitMap64()
        self._rows = self._rereads = 0

    @property
    def blocks(self) -> int:
        """Size of the table in blocks."""
        return self._declared.blocks

    def count(self) -> bool:
        """Whether there is anything to quarantine.

        Raises:
            TablePaused: The role may not see the rows, which is no matter of structure.
        """
        counts = self._source.count(self.contract.table, self._place, self._window, self._limits)
        self._large = sum(count.large for count in counts)
        return any(count.fresh for count in counts)

    def read(self, reader: Reader) -> None:
        """Write every version that is new."""
        stated = [self.contract.column(name) for name in self.contract.key]
        key = [(column.at_source, column.type.name == "text") for column in stated]
        statement = query.read_whole_rows(
            self._place,
            key if all(name in self._declared.columns for name, _ in key) else (),
            self._window,
            list(self._declared.columns) if self._large else (),
            self._limits,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        writer = PartWriter(
            self._folder,
            PartNumbers(),
            _written_schema(self._letters.contract),
            partial(self._letters.deliver, self._letters.contract, self.contract.table),
        )
        for batch in reader.batches(self.contract.table, statement):
            writer.write(self._stated(batch))
        writer.close()

    def finish(self) -> QuarantinedRows:
        """Sum up."""
        log.info(
            "capture.quarantined",
            table=self.contract.table,
            conflict=self._mark,
            rows=self._rows,
            rereads=self._rereads,
        )
        return QuarantinedRows(
            self._mark, self._rows, self._rereads, self._continues is not None, self._seen_next
        )

    def _stated(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch as the dead letter table states it, without what was written before."""
        whole, key, place, xmin = batch.columns
        snapshot, rows = self._source.snapshot, batch.num_rows
        ids = query.version_ids(xmin, snapshot.xmax)
        again = live_keys.contains(ids, self._seen)
        self._seen_next |= live_keys.keys_of(ids[ids >= snapshot.xmin])
        self._rereads += int(again.sum())
        self._rows += rows - int(again.sum())
        same = {
            "source_table": self.contract.table,
            "reason": str(self.disagreement),
            "conflict": self._mark,
            "structure": structure.as_json(self._declared),
        }
        columns: dict[str, Any] = {
            **{name: _repeated(value, rows) for name, value in same.items()},
            "captured_at": pa.repeat(pa.scalar(snapshot.captured_at, pa.timestamp("ms")), rows),
            "source_key": _text(key),
            "version_id": pa.array(ids),
            "place": pa.array(query.row_positions(place)),
            "source_row": _text(whole),
        }
        schema = _written_schema(self._letters.contract)
        stated = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
        return stated.filter(pa.array(~again)) if again.any() else stated


def pause_after(
    before: Optional[Pause],
    reason: str,
    now: str,
    rows: Optional[QuarantinedRows],
    end: CaptureState,
    seen: Optional[StateObject],
) -> Pause:
    """What the next capture is to know of a paused table.

    Args:
        before: What was known, if the table was paused already.
        reason: Why it is paused now.
        now: The snapshot's time as commits state times.
        rows: What was quarantined; nothing where the rows cannot be seen.
        end: Where the quarantined rows end.
        seen: Where the transactions are kept that are read again.
    """
    known = before if before is not None else Pause(reason=reason, since=now)
    if rows is None:
        return replace(known, reason=reason)
    return Pause(
        reason=reason,
        since=known.since,
        conflict=rows.conflict,
        quarantined=rows.rows + (known.quarantined if rows.continued else 0),
        xmin_horizon=end.xmin_horizon,
        snapshot_xmax=end.snapshot_xmax,
        source=end.source,
        server_starts=end.server_starts,
        seen_transactions=seen,
    )


def _text(array: pa.Array) -> pa.Array:
    """Text as it is; bytes that are none, from a database without an encoding, are written out."""
    typed, odd = cells.cast(array, _TEXT)
    if not odd:
        return typed
    values = typed.to_pylist()
    return pa.array([odd.get(row, value) for row, value in enumerate(values)], pa.string())


def _written_schema(contract: Contract) -> pa.Schema:
    schema = arrow_schema(contract)
    once = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([f.with_type(once) if f.name in _SAME_IN_ALL else f for f in schema])


def _repeated(value: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))
