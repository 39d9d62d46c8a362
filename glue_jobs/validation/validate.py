"""The stage ``validate``: apply the rules to captured rows, split them, commit what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, Optional

import pyarrow as pa

from catalog.arrow import arrow_schema
from catalog.model import Contract
from expectations.rules import Suite
from glue_jobs.engine.protocol import Dataset, Destination, Engine
from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitConflict, DataObject, Partition, TableCommit
from glue_jobs.lake.validation_state import ValidationResult, ValidationState
from glue_jobs.runtime import log, metrics
from glue_jobs.runtime.errors import UserError
from glue_jobs.stages.stage import Stage
from glue_jobs.validation import row_validator, unresolved
from glue_jobs.validation.approval import DEFAULT_LIMITS, JOB, Limits, check_limits
from glue_jobs.validation.compiled import CompiledTables, compile_tables
from glue_jobs.validation.count_checks import check_captured, check_split
from glue_jobs.validation.inputs import Companions, Inputs
from glue_jobs.validation.results import write_results
from glue_jobs.validation.row_validator import BATCH, VERSION_ID, RowValidator

__all__ = ["Limits", "ValidationRun", "read_list", "validate", "validate_rows", "waiting_rows", "write_rows"]


@dataclass(frozen=True)
class Outcome:
    """What a run found and wrote.

    Attributes:
        tables: What the commit states of each table.
        state: What it keeps.
    """

    tables: Mapping[str, TableCommit]
    state: ValidationState


@dataclass(frozen=True)
class WaitingRows:
    """What waits for the stage.

    Attributes:
        captures: By batch, the captures of these rows.
        partitions: By raw table, the partitions to validate.
        looked_into: By raw table, the partitions that rules may look into: these, and those of tables that
            wait.
        waiting: By raw table that waits, the batches that are left alone.
    """

    captures: Mapping[int, Commit]
    partitions: Mapping[str, tuple[Partition, ...]]
    looked_into: Mapping[str, tuple[Partition, ...]]
    waiting: Mapping[str, tuple[int, ...]]


def validate(stage: Stage, suites: Mapping[str, Suite], limits: Limits = DEFAULT_LIMITS) -> int:
    """Apply the rules to everything that waits, and commit what was found.

    A table whose rules cannot be compiled waits: its batches are named in the commit, and the run that can
    takes them up together with the next batch.

    Args:
        stage: The stage ``validate``.
        suites: The rules by raw table; a table without an entry waits.
        limits: What may be rejected before a person has looked.

    Returns:
        The exit code: 0 also when nothing waited or another attempt was first, 1 when some table waits.

    Raises:
        BatchAwaitsApproval: More would be rejected than the limits allow; nothing was committed.
    """
    began = layout.utc_now()
    latest = stage.republish()
    if latest is not None:
        write_results(stage, latest, suites)
    captures = stage.waiting(latest)
    if not captures:
        log.info("validate.nothing_waits")
        return 0
    before = ValidationState.of(latest)
    tables = {name for commit in captures for name, table in commit.tables.items() if _rows(table.partitions)}
    compiled = compile_tables(stage.catalogue, suites, tables | set(before.waiting))
    attempt = layout.new_attempt()
    sequence = latest.sequence + 1 if latest else 1
    rows = waiting_rows(stage, captures, before, compiled)
    outcome = validate_rows(stage, rows, compiled, before, limits, sequence, attempt)
    log.step("validate.checked", batch=captures[-1].last_batch, tables=len(outcome.tables))
    try:
        commit = stage.commit(latest, attempt, captures, dict(outcome.tables), outcome.state.state)
    except CommitConflict:
        log.info("validate.commit_conflict", batch=captures[-1].last_batch)
        return 0
    seconds = (layout.utc_now() - began).total_seconds()
    stage.show(commit, seconds)
    write_results(stage, commit, suites)
    log.step("validate.published", sequence=commit.sequence, batch=commit.last_batch)
    _report(commit, suites, outcome.state, seconds)
    return 1 if compiled.refused else 0


def waiting_rows(
    stage: Stage, captures: Sequence[Commit], before: ValidationState, compiled: CompiledTables
) -> WaitingRows:
    """Find the partitions that wait: of new captures, and of tables that have waited for their rules.

    Args:
        stage: The stage ``validate``.
        captures: The captures that no commit of the stage covers.
        before: What the stage's newest commit keeps.
        compiled: The tables whose rules can be applied, and the others.
    """
    readable = set(compiled.validators)
    readable |= {lookup.table for one in compiled.validators.values() for lookup in one.suite.lookups}
    earlier = {batch for table, batches in before.waiting.items() if table in readable for batch in batches}
    by_batch = {batch: _capture(stage, batch) for batch in sorted(earlier)}
    found: dict[str, list[Partition]] = {}
    for batch, commit in by_batch.items():
        for table, batches in before.waiting.items():
            if batch in batches and table in commit.tables:
                found.setdefault(table, []).extend(_rows(commit.tables[table].partitions))
    for commit in captures:
        by_batch[commit.sequence] = commit
        for table, stated in commit.tables.items():
            found.setdefault(table, []).extend(_rows(stated.partitions))
    partitions = {table: tuple(found[table]) for table in sorted(found) if found[table]}
    return WaitingRows(
        captures=by_batch,
        partitions={table: some for table, some in partitions.items() if table in compiled.validators},
        looked_into={table: some for table, some in partitions.items() if table in readable},
        waiting={
            table: before.waiting.get(table, ())
            + tuple(c.sequence for c in captures if table in c.tables and _rows(c.tables[table].partitions))
            for table in compiled.refused
        },
    )


def _capture(stage: Stage, batch: int) -> Commit:
    captures = stage.lake.log(stage.reads)
    commit = captures.get(batch)
    if commit is None:
        raise UserError(
            f"The commit {captures.key(batch)}, of which rows wait for their rules, is missing.",
            "Restore it from the bucket's versions.",
        )
    return commit


def validate_rows(
    stage: Stage,
    rows: WaitingRows,
    compiled: CompiledTables,
    before: ValidationState,
    limits: Limits,
    sequence: int,
    attempt: str,
) -> Outcome:
    """Apply the rules to the waiting rows, write what is split, and state what is accepted.

    Args:
        stage: The stage ``validate``.
        rows: The rows that wait.
        compiled: The rules.
        before: What the stage's newest commit keeps.
        limits: What may be rejected before a person has looked.
        sequence: The commit that this is for.
        attempt: Names what is written.

    Raises:
        ChecksumMismatch: An object is not what its commit says.
        CountMismatch: An object does not hold the rows that its commit names.
        BatchAwaitsApproval: More would be rejected than the limits allow.
    """
    if not rows.partitions:
        return Outcome({}, ValidationState({}, before.unresolved, rows.waiting))
    engine = stage.engine()
    try:
        validators = {table: compiled.validators[table] for table in rows.partitions}
        run = ValidationRun(stage, engine, rows, validators, sequence, attempt)
        results = run.count()
        for table, partitions in rows.partitions.items():
            check_captured(table, partitions, results[table])
        suites = {table: validator.suite for table, validator in run.validators.items()}
        check_limits(stage, suites, results, limits)
        work = [
            partial(run.split, table, results[table], before.unresolved.get(table, ())) for table in results
        ]
        written = dict(zip(results, engine.run_in_parallel(work)))
    finally:
        engine.forget()
    tables = {table: commit for table, (commit, _) in written.items()}
    listed = {**before.unresolved, **{table: entries for table, (_, entries) in written.items()}}
    return Outcome(tables, ValidationState(results, listed, rows.waiting))


class ValidationRun:
    """What one run applies to the rows that wait: one pass that counts, one that splits where it must.

    Args:
        stage: The stage ``validate``.
        engine: The engine.
        rows: The rows that wait.
        validators: By raw table, the rules of its rows.
        sequence: The commit that the run is for.
        attempt: Names what the run writes.
    """

    def __init__(
        self,
        stage: Stage,
        engine: Engine,
        rows: WaitingRows,
        validators: Mapping[str, RowValidator],
        sequence: int,
        attempt: str,
    ) -> None:
        self._stage = stage
        self._engine = engine
        self._rows = rows
        self._sequence = sequence
        self._label = layout.version_label(sequence, attempt)
        self._bucket = stage.lake.ingestion
        self._inputs = Inputs(stage, engine, rows.captures, rows.looked_into)
        self._raw: Mapping[str, str] = {}
        self._companions: dict[str, Companions] = {}
        self._rejected_keys: dict[str, Mapping[int, Optional[tuple[int, int]]]] = {}
        self.validators = dict(validators)

    def count(self) -> dict[str, dict[int, ValidationResult]]:
        """What is found in every table and batch, by one query for all tables."""
        self._raw = self._inputs.read(self.validators.values())
        width = max(len(validator.flags) for validator in self.validators.values())
        queries = []
        for table, validator in self.validators.items():
            companions = self._inputs.gather(validator, self._raw[table], self._raw)
            self._companions[table] = companions
            self._engine.view(f"complete_{table}", companions.complete(self._raw[table], validator))
            queries.append(row_validator.tally(validator, f"complete_{table}", width))
        by_table: dict[str, list[Mapping[str, Any]]] = {table: [] for table in self.validators}
        for row in self._engine.fetch("\nUNION ALL\n".join(queries)):
            by_table[row[row_validator.TABLE]].append(row)
        for table, validator in self.validators.items():
            self._rejected_keys[table] = row_validator.rejected_keys(validator, by_table[table])
        return {
            table: row_validator.results(self.validators[table], rows) for table, rows in by_table.items()
        }

    def split(
        self, table: str, results: Mapping[int, ValidationResult], listed: Sequence[DataObject]
    ) -> tuple[TableCommit, tuple[DataObject, ...]]:
        """Pass on captured objects themselves where nothing is rejected; write the others in two parts.

        Args:
            table: The raw table.
            results: What was found in each batch.
            listed: The objects that list its unresolved dead letters until now.

        Returns:
            What the commit states of the table, and the objects that list its unresolved dead letters then.
        """
        accepted, dead, entries = [], [], []
        for partition in self._rows.partitions[table]:
            result = results[int(partition.values[BATCH])]
            if not result.rejected:
                accepted.append(partition)
                continue
            passed, letters, rejected = self._split_partition(table, partition, result)
            accepted.append(passed)
            dead.append(letters)
            entries.append(rejected)
        counts = {
            "read": sum(result.read for result in results.values()),
            "accepted": sum(result.read - result.rejected for result in results.values()),
            "rejected": sum(result.rejected for result in results.values()),
            "warned": sum(result.warned for result in results.values()),
        }
        commit = TableCommit(counts, tuple(accepted), dead_letters=tuple(dead))
        check_split(table, commit)
        return commit, self._list_unresolved(table, listed, dead, entries)

    def _split_partition(
        self, table: str, partition: Partition, result: ValidationResult
    ) -> tuple[Partition, Partition, str]:
        """Write objects that hold rejected rows in two parts; gives a query of the list's entries, too."""
        catalog, engine = self._stage.catalogue, self._engine
        raw, letters = catalog.raw[table], catalog.dead_letter[table]
        validator = self.validators[table].narrowed(result.broken)
        day, batch = date.fromisoformat(partition.values["captured_date"]), int(partition.values[BATCH])
        columns = [column.name for column in raw.all_columns]
        keys = self._rejected_keys[table][batch]
        passed = tuple(data for data in partition.objects if _lies_outside(data, keys))
        mixed = replace(partition, objects=tuple(data for data in partition.objects if data not in passed))
        # Captured rows are read a second time only here, and whole.
        rows = self._inputs.read_rows(f"whole_{table}_{batch}", table, [mixed], columns)
        flagged = f"flagged_{table}_{batch}"
        engine.view(flagged, self._companions[table].complete(rows, validator))
        rejected = f"rejected_{table}_{batch}"
        engine.table(rejected, row_validator.rejected(validator, flagged, [*columns, BATCH], keys))
        passing = row_validator.accepted(validator, flagged, columns)
        in_order = self._companions[table].joins_nothing(validator)
        parts = []
        for contract, prefix, query, count, is_ordered in (
            (raw, layout.accepted_prefix(raw), passing, mixed.rows, in_order),
            (letters, letters.prefix, f"SELECT * FROM {rejected}", result.rejected, False),
        ):
            location = layout.validated_location(prefix, day, batch, self._label)
            objects = write_rows(engine, self._bucket, location, contract, query, count, in_order=is_ordered)
            parts.append(Partition(partition.values, location, objects))
        parts[0] = replace(parts[0], objects=(*passed, *parts[0].objects))
        entries = f"entries_{table}_{batch}"
        engine.table(entries, unresolved.entries(rejected, raw, self._sequence))
        engine.forget([flagged, rows, rejected])
        log.step("validate.split", table=table, batch=batch, rejected=result.rejected)
        return parts[0], parts[1], f"SELECT * FROM {entries}"

    def _list_unresolved(
        self, table: str, listed: Sequence[DataObject], dead: Sequence[Partition], entries: Sequence[str]
    ) -> tuple[DataObject, ...]:
        """Write the list of a table's unresolved dead letters, unless nothing can have changed it."""
        if not listed and not entries:
            return ()
        engine, letters = self._engine, f"letters_{table}"
        raw = self._stage.catalogue.raw[table]
        queries = list(entries)
        if listed:
            read_list(engine, self._bucket, f"listed_{table}", raw, listed)
            queries.insert(0, f"SELECT * FROM listed_{table}")
        engine.view(letters, "\nUNION ALL\n".join(queries))
        query = f"SELECT * FROM {letters}"
        first = min((int(partition.values[BATCH]) for partition in dead), default=0)
        if listed or first < max(self._rows.captures):
            query = unresolved.unresolved(letters, self._raw[table], raw)
        rows = sum(data.rows for data in listed) + sum(partition.rows for partition in dead)
        order = (unresolved.KEY, unresolved.BATCH, unresolved.VERSION, unresolved.SEQUENCE)
        location = unresolved.location(table, self._label)
        destination = Destination(self._bucket, location, unresolved.unresolved_schema(raw), order)
        return engine.write(query, destination, rows).get("", ())


def _lies_outside(data: DataObject, keys: Optional[tuple[int, int]]) -> bool:
    """Whether an object surely holds none of these keys."""
    if keys is None or data.key_min is None or data.key_max is None:
        return False
    low, high = data.key_min[0], data.key_max[0]
    return isinstance(low, int) and isinstance(high, int) and (high < keys[0] or keys[1] < low)


def write_rows(
    engine: Engine,
    bucket: str,
    location: str,
    contract: Contract,
    query: str,
    rows: int,
    *,
    in_order: bool = False,
) -> tuple[DataObject, ...]:
    """Write rows of a raw table, or of its dead letters, below a prefix that no other attempt shares.

    Args:
        engine: The engine.
        bucket: The ingestion bucket.
        location: The prefix; ends in a slash.
        contract: The table.
        query: The rows.
        rows: About how many there are.
        in_order: Whether they come in the order of the objects that they were read from: texts of megabytes
            are not sorted for nothing.
    """
    # A deletion holds its key alone, and a rejected row may lack even that.
    schema = pa.schema([column.with_nullable(True) for column in arrow_schema(contract)])
    # A captured key is there once, and a rejected row may be anything.
    ties = schema.names if contract.zone == "dead_letter" else ()
    order = () if in_order else tuple(dict.fromkeys([*contract.key, VERSION_ID, *ties]))
    destination = Destination(bucket, location, schema, order, key=tuple(contract.key))
    return engine.write(query, destination, rows).get("", ())


def read_list(
    engine: Engine, bucket: str, relation: str, contract: Contract, objects: Sequence[DataObject]
) -> None:
    """Make a relation of the objects that list unresolved dead letters of a raw table."""
    listed = Partition({}, "", tuple(objects))
    schema = unresolved.unresolved_schema(contract)
    engine.read(relation, Dataset(bucket, schema, pa.schema([]), (listed,)))


def _rows(partitions: Iterable[Partition]) -> tuple[Partition, ...]:
    return tuple(partition for partition in partitions if partition.rows)


def _report(commit: Commit, suites: Mapping[str, Suite], state: ValidationState, seconds: float) -> None:
    for name, table in commit.tables.items():
        log.info("validate.table", table=name, batch=commit.last_batch, **table.counts)
    for name, by_batch in state.results.items():
        severities = {rule.name: rule.severity for rule in suites[name].rules}
        for batch, result in by_batch.items():
            for rule, count in result.broken.items():
                log.warning(
                    "validate.broken",
                    table=name,
                    batch=batch,
                    rule=rule,
                    severity=severities[rule],
                    rows=count,
                )
    # What an alarm stands on: the share of the rows that was rejected, and what is unresolved by now.
    read, rejected = (
        sum(table.counts.get(count, 0) for table in commit.tables.values()) for count in ("read", "rejected")
    )
    opened = sum(state.unresolved_rows.values())
    share = round(100 * rejected / read, 3) if read else 0.0
    # What awaited approval is in this commit.
    metrics.emit({"job": JOB}, {"percent_rejected": share, "verdicts_held": 0})
    for name in commit.tables:
        # The owner of a table is told while rows of it wait.
        metrics.emit({"job": JOB, "table": name}, {"dead_letters_open": state.unresolved_rows.get(name, 0)})
    seconds = round(seconds, 3)
    log.info("validate.done", batch=commit.last_batch, rejected=rejected, open=opened, seconds=seconds)
