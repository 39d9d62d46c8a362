"""Which rows of the star lack a change that was rejected: what the views' ``has_rejected_change`` stands on.

Each stage lists what concerns the tables that it builds, and publishes that in the commit that publishes the
tables: a row that was corrected and the end of its flag are seen together. The list is made of the unresolved
dead letters of the last commit of validation that the stage covers. It is small, and written again whole
where it can have changed; where nothing has, nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from catalog.arrow import arrow_schema
from catalog.keys import is_number, key_sql, reference_sql
from catalog.model import UNRESOLVED, Contract, Join
from glue_jobs.engine.protocol import Dataset, Destination
from glue_jobs.lake import layout
from glue_jobs.lake.commits import CommitLog, DataObject, Partition, TableCommit
from glue_jobs.lake.table_state import TableState
from glue_jobs.lake.validation_state import (
    BATCH,
    CAPTURED_AT,
    KEY,
    ValidationState,
    unresolved_schema,
)
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.star.build import (
    SNAPSHOTS,
    VERSION,
    BuildContext,
    Built,
    main_table,
    snapshot_target,
    unchanged,
)
from glue_jobs.star.merge_spec import DELETED

STAGE = "stage"
"""The list's partition column: which stage's tables a part of it speaks of."""

_RELATION = "unresolved__"
_CAPTURES = pa.schema([(BATCH, pa.int64()), (CAPTURED_AT, pa.timestamp("ms"))])


def list_rejected_changes(
    context: BuildContext, contracts: Sequence[Contract], built: Mapping[str, Built], captures: CommitLog
) -> Built:
    """A stage's part of the list, after the waiting batches.

    Args:
        context: The build.
        contracts: The tables that the stage builds.
        built: What the build has made of them, by their names in commits.
        captures: The captures, which know when batches were taken.
    """
    listed = ValidationState.of(context.waiting[-1]).unresolved
    concerned = [
        (contract, {table: listed[table] for table in _sources(contract) if table in listed})
        for contract in contracts
        if contract.kind != "calendar"
    ]
    state, listed_from = context.state(UNRESOLVED), _listed_from(concerned, built)
    if state.versions and state.listed_from == listed_from:
        return unchanged(state)
    stage = context.commits.stage
    objects: tuple[DataObject, ...] = ()
    target = context.catalogue.star[UNRESOLVED]
    destination = Destination(
        bucket=context.buckets["processed"],
        prefix=target.prefix,
        schema=arrow_schema(target),
        order=tuple(target.key),
        partition_by=STAGE,
        suffix=f"{VERSION}={context.label}/",
    )
    every = {table: found for _, sources in concerned for table, found in sources.items()}
    rows = sum(data.rows for found in every.values() for data in found)
    if rows:
        _read_lists(context, every, captures)
        queries = [
            query for contract, sources in concerned for query in _changes(context, contract, sources, built)
        ]
        objects = context.engine.write(entries(stage, queries), destination, rows).get(stage, ())
    partition = Partition({STAGE: stage}, destination.location(stage), objects)
    versions = {layout.partition_path(partition.values): context.label}
    counts = {"read": rows, "accepted": rows, "rejected": 0, "new": partition.rows}
    log.step("star.listed", table=UNRESOLVED, new=partition.rows)
    return Built(
        TableCommit(counts, (partition,), versions=versions),
        TableState(versions, listed_from=listed_from),
    )


def entries(stage: str, changes: Iterable[str]) -> str:
    """Rejected changes as entries of the list: one for each key, of rows without one for each batch.

    Args:
        stage: The stage.
        changes: Queries from :func:`rejected` and :func:`rejected_in_join`.
    """
    every = "\nUNION ALL\n".join(changes)
    by = "table_name, row_key, row_key_text, source_table, source_key, source_key_text"
    return f"""\
SELECT table_name || '/' || source_table || '/'
           || coalesce(CAST(source_key AS STRING), source_key_text, 'batch ' || CAST(min({BATCH}) AS STRING))
           || '/' || coalesce(CAST(row_key AS STRING), row_key_text, '-') AS entry,
       {by},
       min({BATCH}) AS first_batch, min({CAPTURED_AT}) AS since, count(*) AS dead_letters,
       '{stage}' AS {STAGE}
FROM (
{every}
) AS rejected
GROUP BY {by}, CASE WHEN source_key IS NULL AND source_key_text IS NULL THEN {BATCH} END"""


def rejected(table: str, source: Contract, letters: str) -> str:
    """The rows of a star table of whose own source row a change was rejected.

    Args:
        table: The star table.
        source: Its main source table.
        letters: Relation of that table's unresolved dead letters.
    """
    return f"""\
SELECT '{table}' AS table_name, '{source.table}' AS source_table, {_keys("source_key", source, KEY)},
       {_keys("row_key", source, KEY)}, {BATCH}, {CAPTURED_AT}
FROM {letters}"""


def rejected_in_join(
    table: str, join: Join, joined: Contract, letters: str, main: Contract, rows: str
) -> str:
    """The rows of a star table that join a source row of which a change was rejected.

    Args:
        table: The star table.
        join: The joined source table.
        joined: Its contract.
        letters: Relation of that table's unresolved dead letters.
        main: The star table's main source.
        rows: Relation of its current rows.
    """
    columns = ", ".join(dict.fromkeys([*main.key, join.on]))
    return f"""\
SELECT '{table}' AS table_name, '{join.table}' AS source_table,
       {_keys("source_key", joined, f"letters.{KEY}")}, {_keys("row_key", main, key_sql(main, "pointing"))},
       letters.{BATCH}, letters.{CAPTURED_AT}
FROM {letters} AS letters
LEFT JOIN (SELECT {columns} FROM {rows} WHERE NOT {DELETED}) AS pointing
  ON {reference_sql(joined, f"pointing.{join.on}")} = letters.{KEY}"""


def _keys(name: str, contract: Contract, key: str) -> str:
    """A key in two columns: as a number, and as a text; one of them is empty."""
    number, text = (key, "NULL") if is_number(contract) else ("NULL", key)
    return f"CAST({number} AS BIGINT) AS {name}, CAST({text} AS STRING) AS {name}_text"


def _sources(contract: Contract) -> tuple[str, ...]:
    joins = contract.built_from.joins if contract.built_from else ()
    return (main_table(contract), *(join.table for join in joins))


def _listed_from(
    concerned: Iterable[tuple[Contract, Mapping[str, tuple[DataObject, ...]]]], built: Mapping[str, Built]
) -> dict[str, tuple[str, ...]]:
    """What the list follows from, by name: checksums of lists, and of what rows join the live version."""
    found: dict[str, tuple[str, ...]] = {}
    for contract, sources in concerned:
        main = main_table(contract)
        found.update({table: tuple(data.sha256 for data in objects) for table, objects in sources.items()})
        if set(sources) - {main}:
            found[f"{SNAPSHOTS}{main}"] = tuple(built[f"{SNAPSHOTS}{main}"].state.versions.values())
    return found


def _read_lists(
    context: BuildContext, every: Mapping[str, tuple[DataObject, ...]], captures: CommitLog
) -> None:
    engine, bucket = context.engine, context.buckets["ingestion"]
    for table, objects in every.items():
        lists, schema = (Partition({}, "", objects),), unresolved_schema(context.catalogue.raw[table])
        engine.read(f"{_RELATION}{table}__stored", Dataset(bucket, schema, pa.schema([]), lists))
    # Lists of earlier releases do not say when the batches were captured.
    stored = "\nUNION ALL\n".join(f"SELECT {BATCH}, {CAPTURED_AT} FROM {_RELATION}{t}__stored" for t in every)
    batches = engine.fetch(
        f"SELECT DISTINCT {BATCH} FROM (\n{stored}\n) AS stored WHERE {CAPTURED_AT} IS NULL"
    )
    times = [{BATCH: row[BATCH], CAPTURED_AT: _captured_at(captures, row[BATCH])} for row in batches]
    engine.rows(f"{_RELATION}captures", _CAPTURES, times)
    for table in every:
        engine.view(
            f"{_RELATION}{table}",
            f"SELECT stored.{KEY}, stored.{BATCH}, coalesce(stored.{CAPTURED_AT}, captures.{CAPTURED_AT})"
            f" AS {CAPTURED_AT}\nFROM {_RELATION}{table}__stored AS stored"
            f" LEFT JOIN {_RELATION}captures AS captures ON captures.{BATCH} = stored.{BATCH}",
        )


def _captured_at(captures: CommitLog, batch: int) -> object:
    commit = captures.get(batch)
    if commit is None:
        raise UserError(
            f"The commit {captures.key(batch)}, of which dead letters are unresolved, is missing.",
            "Restore it from the bucket's versions.",
        )
    return layout.from_iso(commit.captured_at or commit.committed_at)


def _changes(
    context: BuildContext,
    contract: Contract,
    sources: Mapping[str, tuple[DataObject, ...]],
    built: Mapping[str, Built],
) -> Iterator[str]:
    main = main_table(contract)
    if main in sources:
        yield rejected(contract.table, context.catalogue.raw[main], f"{_RELATION}{main}")
    joins = [j for j in (contract.built_from.joins if contract.built_from else ()) if j.table in sources]
    if not joins:
        return
    raw = context.catalogue.raw[main]
    target = snapshot_target(raw, contract)
    made = built[target.name].commit.partitions
    live = made or context.partitions(target.name, context.state(target.name).versions)
    names = dict.fromkeys([*raw.key, *(join.on for join in joins), DELETED])
    schema = pa.schema([target.schema.field(name) for name in names])
    current = f"{_RELATION}{target.relation}"
    context.engine.read(current, Dataset(context.buckets["processed"], schema, pa.schema([]), live))
    for join in joins:
        joined = context.catalogue.raw[join.table]
        yield rejected_in_join(contract.table, join, joined, f"{_RELATION}{join.table}", raw, current)
