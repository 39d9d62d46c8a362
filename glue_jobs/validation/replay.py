"""Replay: today's rules are applied to unresolved dead letters; what passes is a new batch of captured rows.

The new batch is a commit of the capture's own log, which carries on the state of the capture before it. So
nothing can come between looking for newer versions and sending a row on: of two that commit one loses the
race. A dead letter is unresolved only while nothing newer of its key was captured, so the row is still what
the source held at the last capture, and says so in ``captured_at``. Validation of the new batch then resolves
the dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from expectations.rules import Suite
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitConflict, DataObject, Partition, TableCommit
from glue_jobs.lake.publish import publish
from glue_jobs.lake.validation_state import ValidationState
from glue_jobs.runtime import log
from glue_jobs.stages.stage import Stage
from glue_jobs.validation import replay_rows, row_validator, unresolved
from glue_jobs.validation.compiled import compile_tables
from glue_jobs.validation.inputs import Inputs, read_raw
from glue_jobs.validation.row_validator import BATCH, RowValidator
from glue_jobs.validation.validate import read_list, write_rows

REPLAYED = "replayed"
"""Where the commit keeps, by table, how many rows it sends on and which batches they came with."""


def replay(stage: Stage, suites: Mapping[str, Suite]) -> int:
    """Judge every unresolved dead letter again and send on what passes.

    Args:
        stage: The stage ``validate``.
        suites: Today's rules by raw table.

    Returns:
        The exit code: 0 also when nothing passed, when a batch waits for validation (which may resolve dead
        letters), or when another run was first; 1 when the rules of some table cannot be compiled.
    """
    captures = stage.lake.log("capture")
    newest, validated = captures.latest(), stage.log.latest()
    listed = {table: found for table, found in ValidationState.of(validated).unresolved.items() if found}
    if newest is None or validated is None or not listed:
        log.info("replay.nothing_unresolved")
        return 0
    if validated.last_batch < newest.sequence:
        log.warning("replay.batches_wait", validated=validated.last_batch, captured=newest.sequence)
        return 0
    compiled = compile_tables(stage.catalogue, suites, listed)
    code = 1 if compiled.refused else 0
    run = ReplayRun(stage, stage.engine(), newest, layout.new_attempt())
    tables, replayed = {}, {}
    try:
        for table, validator in compiled.validators.items():
            sent, batches = run.send_on(validator, listed[table])
            rows = sum(data.rows for data in listed[table])
            log.info("replay.table", table=table, unresolved=rows, passed=sent.rows)
            if sent.rows:
                counts = {"read": sent.rows, "accepted": sent.rows, "rejected": 0, "new": sent.rows}
                tables[table] = TableCommit(counts=counts, partitions=(sent,))
                replayed[table] = {"rows": sent.rows, "batches": batches}
    finally:
        run.engine.forget()
    log.step("replay.written", tables=len(tables))
    if not tables:
        log.info("replay.nothing_passes")
        return code
    batch = newest.sequence + 1
    commit = replace(
        newest,
        sequence=batch,
        attempt=run.attempt,
        committed_at=layout.iso(layout.utc_now()),
        first_batch=batch,
        last_batch=batch,
        tables=tables,
        state={**newest.state, REPLAYED: replayed},
    )
    try:
        captures.publish(commit)
    except CommitConflict:
        log.info("replay.commit_conflict", batch=batch)
        return code
    log.step("replay.committed", batch=batch)
    publish(stage.lake, stage.catalogue, commit)
    log.info("replay.done", batch=batch, rows=sum(table.counts["read"] for table in tables.values()))
    return code


@dataclass(frozen=True)
class ReplayRun:
    """One run's replaying.

    Attributes:
        stage: The stage ``validate``.
        engine: The engine.
        newest: The newest capture, which knows what is there.
        attempt: Names what the run writes.
    """

    stage: Stage
    engine: Engine
    newest: Commit
    attempt: str

    def send_on(self, validator: RowValidator, listed: Sequence[DataObject]) -> tuple[Partition, list[int]]:
        """Write the unresolved dead letters of a table that pass today, as raw rows.

        Returns:
            What was written, and the batches that the dead letters came with.
        """
        table, engine = validator.table, self.engine
        raw, bucket = self.stage.catalogue.raw[table], self.stage.lake.ingestion
        letters, rows, flagged = f"letters_{table}", f"originals_{table}", f"flagged_{table}"
        read_list(engine, bucket, letters, raw, listed)
        origins = engine.fetch(f"SELECT DISTINCT {unresolved.SEQUENCE}, {unresolved.BATCH} FROM {letters}")
        batches = sorted({row[unresolved.BATCH] for row in origins})
        found = self._dead_letters(
            table, {(row[unresolved.SEQUENCE], row[unresolved.BATCH]) for row in origins}
        )
        columns = [column.name for column in raw.all_columns]
        read_raw(engine, bucket, f"dead_{table}", self.stage.catalogue.dead_letter[table], found, columns)
        text = replay_rows.originals(f"dead_{table}", letters, raw, [*columns, BATCH])
        engine.table(rows, text)
        # What was there then is there now: had it gone, a row of it would have been captured since.
        inputs = Inputs(self.stage, engine, dict.fromkeys(batches, self.newest), {})
        engine.view(flagged, inputs.gather(validator, rows, {}).complete(rows, validator))
        captured_at = layout.from_iso(str(self.newest.captured_at))
        query = replay_rows.sent_on(
            row_validator.accepted(validator, flagged, columns),
            columns,
            captured_at.isoformat(timespec="milliseconds"),
        )
        batch = self.newest.sequence + 1
        location = layout.raw_location(raw, captured_at.date(), batch, self.attempt)
        objects = write_rows(engine, bucket, location, raw, query, sum(data.rows for data in listed))
        values = {"captured_date": captured_at.date().isoformat(), "batch": str(batch)}
        return Partition(values, location, objects), batches

    def _dead_letters(self, table: str, origins: set[tuple[int, int]]) -> list[Partition]:
        """The partitions that hold these dead letters, by the commit that rejected them and their batch."""
        found: list[Partition] = []
        for sequence in sorted({sequence for sequence, _ in origins}):
            commit = self.stage.log.get(sequence)
            dead = commit.tables[table].dead_letters if commit else ()
            found.extend(one for one in dead if (sequence, int(one.values[BATCH])) in origins)
        return found
