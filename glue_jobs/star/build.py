"""Building one table of the star on an engine: read what a change can concern, merge, check, write.

What is computed is SQL text from :mod:`glue_jobs.star.projection`, :mod:`glue_jobs.star.merge`,
:mod:`glue_jobs.star.members` and :mod:`glue_jobs.star.calendar`; here it is put in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Callable, Optional

import pyarrow as pa

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import Catalogue
from catalog.keys import is_number
from catalog.model import Contract
from glue_jobs.engine.protocol import Dataset, Destination, Engine
from glue_jobs.lake import layout
from glue_jobs.lake.commits import (
    Commit,
    CommitLog,
    DataObject,
    KeyRange,
    KeyValue,
    Partition,
    TableCommit,
)
from glue_jobs.lake.table_state import TableState, live_partitions
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.star import calendar, gates, members, merge, projection
from glue_jobs.star.candidates import candidates
from glue_jobs.star.merge_spec import BATCH, CAPTURED_AT, UNMATCHED, VERSION_ID, MergeSpec, merge_spec
from glue_jobs.star.projection import JoinedSource
from glue_jobs.star.summary import Survey, Tally, offsets, survey_of, tally_of

SNAPSHOTS = "_current/"
"""Begins the names under which the current rows of joined source tables are kept, in commits and in keys."""

VERSION = "version"
"""Directory column after the partition's own: which version of it this is."""

WORKING_RELATIONS = ("offsets", "home", "base", "new", "history")
"""What the writing of a table leaves behind, after the table's name; nobody reads it afterwards."""

OFFSETS = pa.schema([(BATCH, pa.int64()), (merge.BLOCK, pa.int64()), ("_number_before", pa.int64())])
"""Columns of the relation that :func:`glue_jobs.star.merge.record_ids` takes the offsets from."""

DAYS = pa.schema([(calendar.DAY, pa.date32()), (BATCH, pa.int64()), (CAPTURED_AT, pa.timestamp("ms"))])
"""Columns of the relation that :func:`glue_jobs.star.calendar.days` takes the days from."""


@dataclass(frozen=True)
class Built:
    """What a run made of a table: what its commit says, and what is published of it then."""

    commit: TableCommit
    state: TableState


@dataclass
class BuildContext:
    """What one run of a stage builds with.

    Attributes:
        engine: Runs the queries.
        catalogue: The contracts.
        buckets: Real bucket name by logical name.
        commits: The stage's own log, where the objects of live partitions are looked up.
        label: Names every version that this attempt writes.
        previous: The stage's newest commit; nothing for a full rebuild.
        waiting: The validation commits to drain.
    """

    engine: Engine
    catalogue: Catalogue
    buckets: Mapping[str, str]
    commits: CommitLog
    label: str
    previous: Optional[Commit]
    waiting: Sequence[Commit]
    _known: dict[int, Commit] = field(default_factory=dict)

    def state(self, table: str) -> TableState:
        """What the stage has published of a table."""
        return TableState.of(self.previous, table)

    def accepted(self, table: str) -> tuple[Partition, ...]:
        """The waiting partitions of a raw table that validation accepted.

        A table that waited for its rules brings batches that the stage has covered. A fact takes each version
        under its own batch, a dimension, which holds the newest alone, as if it had come with the commit.
        """
        if self.commits.stage == "facts":
            return accepted_partitions(self.waiting, table)
        return tuple(
            replace(
                one, values={**one.values, "batch": f"{max(int(one.values['batch']), commit.first_batch)}"}
            )
            for commit in self.waiting
            for one in accepted_partitions([commit], table)
        )

    def partitions(self, table: str, paths: Iterable[str]) -> tuple[Partition, ...]:
        """Live partitions as the commits that wrote them name them."""
        return live_partitions(self.commits, table, self.state(table).versions, paths, self._known)


@dataclass(frozen=True)
class BuildTarget:
    """A table that is written: a star table, or the snapshot of a source table.

    Attributes:
        name: Its name in commits.
        relation: Begins the names of its relations.
        spec: How it is merged.
        prefix: Where it lies in the processed bucket; ends in a slash.
        schema: The columns of its files.
        partition_schema: Its partition column, where there is one.
        changes: Where this run's changes go; nothing for a table that nobody loads.
    """

    name: str
    relation: str
    spec: MergeSpec
    prefix: str
    schema: pa.Schema
    partition_schema: pa.Schema
    changes: Optional[str]

    def path(self, value: str) -> str:
        """The partition path of a partition value."""
        return layout.partition_path({self.spec.partition: value}) if self.spec.partition else ""


def star_target(context: BuildContext, contract: Contract) -> BuildTarget:
    """A fact or a dimension as it is written."""
    return BuildTarget(
        name=contract.table,
        relation=contract.table,
        spec=projection.spec_of(contract, context.catalogue),
        prefix=contract.prefix,
        schema=arrow_schema(contract),
        partition_schema=partition_schema(contract),
        changes=layout.changes_location(contract, context.label),
    )


def snapshot_target(contract: Contract, star: Contract) -> BuildTarget:
    """The current rows of a source table, with the lineage of the star table that joins them."""
    own, lineage = arrow_schema(contract), arrow_schema(star)
    fields = [own.field(column.name) for column in contract.columns]
    fields += [lineage.field(column.name) for column in star.zone_info.lineage]
    name = f"{SNAPSHOTS}{contract.table}"
    return BuildTarget(
        name=name,
        relation=f"{star.table}__{contract.table}",
        spec=merge_spec(contract),
        prefix=f"{star.zone_info.prefix}{name}/",
        schema=pa.schema(fields),
        partition_schema=pa.schema([]),
        changes=None,
    )


@dataclass(frozen=True)
class Merged:
    """A change of one table, compared with what it holds.

    Attributes:
        target: The table.
        state: What is published of it.
        classified: Relation of the classified rows.
        survey: What arrived.
        tally: What became of it.
        history: Relation of what it holds in the partitions that can hold the keys, if anything.
    """

    target: BuildTarget
    state: TableState
    classified: str
    survey: Survey
    tally: Tally
    history: Optional[str]


def accepted_partitions(commits: Iterable[Commit], table: str) -> tuple[Partition, ...]:
    """The partitions of a raw table that some commits of validation accepted."""
    return tuple(
        partition
        for commit in commits
        if table in commit.tables
        for partition in commit.tables[table].partitions
        if partition.rows
    )


def main_table(contract: Contract) -> str:
    """The raw table that a star table's rows come from.

    Raises:
        UserError: It is not built from one.
    """
    if contract.built_from is None or contract.built_from.table is None:
        raise UserError(
            f"The contract star.{contract.table} names no source table.", "State built_from.table."
        )
    return contract.built_from.table


# ---------------------------------------------------------------------- what is read


def read_raw(context: BuildContext, relation: str, table: str, columns: Iterable[str]) -> Optional[str]:
    """Waiting rows of a raw table as a relation of these columns and ``batch``; nothing where none waits."""
    found = context.accepted(table)
    if not found:
        return None
    raw = context.catalogue.raw[table]
    schema = arrow_schema(raw)
    wanted = pa.schema([schema.field(name) for name in columns])
    batch = pa.schema([partition_schema(raw).field("batch")])
    context.engine.read(relation, Dataset(context.buckets["ingestion"], wanted, batch, found))
    return relation


def read_live(
    context: BuildContext,
    relation: str,
    target: BuildTarget,
    paths: Iterable[str],
    columns: Optional[Sequence[str]] = None,
) -> Optional[str]:
    """Rows of live partitions as a relation, partition column included; nothing where there are none."""
    live = context.partitions(target.name, paths)
    if not any(partition.rows for partition in live):
        return None
    schema = target.schema if columns is None else pa.schema([target.schema.field(name) for name in columns])
    dataset = Dataset(context.buckets["processed"], schema, target.partition_schema, live)
    context.engine.read(relation, dataset)
    return relation


def read_incoming(
    context: BuildContext, contract: Contract, relation: str, only: Optional[Sequence[str]] = None
) -> Optional[str]:
    """Candidate versions of a star table without joins, from what waits; nothing where nothing does.

    Args:
        context: The build.
        contract: The table.
        relation: What the relation is called.
        only: Columns of the table, where no others are wanted: what makes the others is not decoded.
    """
    columns = projection.source_columns(contract, context.catalogue, only)
    raw = read_raw(context, f"{relation}__raw", main_table(contract), columns)
    if raw is None:
        return None
    context.engine.view(relation, projection.incoming(contract, context.catalogue, raw, only))
    return relation


# ---------------------------------------------------------------------- what is built


def inferred_members(context: BuildContext) -> dict[str, str]:
    """By dimension, a relation of the inferred members that the waiting batches need.

    Read are the waiting rows of the tables that refer to dimensions, and of each dimension the partitions
    that can hold the keys; see :mod:`glue_jobs.star.members`.
    """
    found: dict[str, str] = {}
    for begin, block, of_numbers in (("members", "block_of", True), ("members_text", "text_block", False)):
        dimensions = {
            name: table
            for name, table in context.catalogue.star.items()
            if table.kind == "dimension" and len(table.key) == 1 and is_number(table) == of_numbers
        }
        found.update(_members_of(context, dimensions, begin, block))
    return found


def _members_of(
    context: BuildContext, dimensions: Mapping[str, Contract], begin: str, block: str
) -> dict[str, str]:
    """The inferred members of dimensions whose keys are of one kind.

    Args:
        context: The build.
        dimensions: The dimensions.
        begin: Begins the names of the relations.
        block: The function that gives a key's block.
    """
    engine, star = context.engine, context.catalogue.star
    referred = []
    for table in star.values():
        keys = sorted({r.column for r in table.references if r.table in dimensions})
        incoming = read_incoming(context, table, f"{begin}__{table.table}", keys) if keys else None
        if incoming is not None:
            referred.append(members.references(table, incoming, dimensions))
    if not referred:
        return {}
    if not engine.table(f"{begin}__referred", members.first(referred)):
        return {}
    known = []
    for name, spans in _spans(engine.fetch(members.spans(f"{begin}__referred", block))).items():
        dimension = star[name]
        target = star_target(context, dimension)
        state = context.state(name)
        paths = candidates(state.leading_key_ranges, (), spans)
        history = read_live(context, f"{begin}__{name}__history", target, paths, [*dimension.key, BATCH])
        if history is not None:
            known.append(members.known_keys(dimension, history))
        columns = (str(dimension.column(dimension.key[0]).source), "operation", VERSION_ID)
        raw = read_raw(context, f"{begin}__{name}__raw", main_table(dimension), columns)
        if raw is not None:
            known.append(members.arriving(dimension, raw))
    if not engine.table(f"{begin}__missing", members.missing(f"{begin}__referred", known)):
        return {}
    needed = engine.fetch(f"SELECT DISTINCT {members.DIMENSION} FROM {begin}__missing")
    found = {}
    for name in sorted(row[members.DIMENSION] for row in needed):
        found[name] = f"{begin}__{name}"
        engine.view(found[name], members.members(star[name], context.catalogue, f"{begin}__missing"))
    return found


def _spans(found: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[KeyValue, KeyValue]]]:
    spans: dict[str, list[tuple[KeyValue, KeyValue]]] = {}
    for row in found:
        spans.setdefault(row[members.DIMENSION], []).append((row[members.LOW], row[members.HIGH]))
    return spans


def build_table(
    context: BuildContext, contract: Contract, inferred: Optional[str] = None
) -> dict[str, Built]:
    """A fact, or a dimension of one source table, after the waiting batches.

    Args:
        context: The build.
        contract: The table.
        inferred: Of a dimension, the relation of inferred members that it needs.
    """
    target = star_target(context, contract)
    state = context.state(contract.table)
    from_source = read_incoming(context, contract, f"{target.relation}__from_source")
    accepted = sum(partition.rows for partition in context.accepted(main_table(contract)))
    incoming = _beside(target, from_source, inferred, context.engine.cache)
    if incoming is None:
        return {contract.table: unchanged(state)}
    merged = merge_incoming(context, target, state, incoming, accepted)
    return {contract.table: write(context, merged)}


def build_joined(
    context: BuildContext, contract: Contract, inferred: Optional[str] = None
) -> dict[str, Built]:
    """A dimension of several source tables, and the snapshots of these, after the waiting batches.

    Args:
        context: The build.
        contract: The dimension.
        inferred: The relation of inferred members that it needs.
    """
    main = main_table(contract)
    joins = contract.built_from.joins if contract.built_from else ()
    if contract.partition is not None:
        raise UserError(
            f"The contract star.{contract.table} has joins and is partitioned.",
            "A dimension with joins is small; leave its partition out.",
        )
    tables = (main, *(join.table for join in joins))
    sources: dict[str, JoinedSource] = {}
    built: dict[str, Built] = {}
    targets = {table: snapshot_target(context.catalogue.raw[table], contract) for table in tables}
    if any(context.accepted(table) for table in tables):
        for table, target in targets.items():
            sources[table], built[target.name] = _snapshot(context, context.catalogue.raw[table], target)
    else:
        built = {target.name: unchanged(context.state(target.name)) for target in targets.values()}
    changed = any(table.commit.counts.get("new") for table in built.values())
    target = star_target(context, contract)
    from_source = None
    if changed:
        from_source = f"{target.relation}__from_source"
        context.engine.view(from_source, projection.joined(contract, context.catalogue, sources))
    # Joins as of each batch are made once.
    incoming = _beside(target, from_source, inferred, context.engine.table)
    state = context.state(contract.table)
    if incoming is None:
        return {**built, contract.table: unchanged(state)}
    merged = merge_incoming(context, target, state, incoming, None)
    return {**built, contract.table: write(context, merged)}


def build_calendar(context: BuildContext, contract: Contract) -> dict[str, Built]:
    """The calendar, with every year that a waiting row of a table that refers to it uses."""
    engine, state = context.engine, context.state(contract.table)
    used = []
    for table in context.catalogue.star.values():
        dates = [reference.column for reference in table.references if reference.table == contract.table]
        relation = f"{contract.table}__{table.table}"
        incoming = read_incoming(context, table, relation, sorted(set(dates))) if dates else None
        if incoming is not None:
            used.append((incoming, dates))
    years = engine.fetch(calendar.years_in_use(used)) if used else []
    fresh = sorted(
        (row for row in years if row[calendar.YEAR] not in state.years), key=lambda row: row[calendar.YEAR]
    )
    if not fresh:
        return {contract.table: unchanged(state)}
    listed = list(calendar.days_of(fresh))
    engine.rows(f"{contract.table}__days", DAYS, listed)
    added = f"{contract.table}__new"
    engine.table(added, calendar.days(contract, f"{contract.table}__days"))
    target = BuildTarget(
        name=contract.table,
        relation=contract.table,
        spec=MergeSpec(contract.table, contract.key, (), ()),
        prefix=contract.prefix,
        schema=arrow_schema(contract),
        partition_schema=pa.schema([]),
        changes=layout.changes_location(contract, context.label),
    )
    columns = target.schema.names
    base = read_live(context, f"{contract.table}__base", target, state.versions)
    existing = sum(partition.rows for partition in context.partitions(contract.table, state.versions))
    rows = projection.union(base, added, columns)
    changes = _write_changes(context, target, added, len(listed))
    partitions = _write_partitions(context, target, str(rows), [""], existing + len(listed))
    commit = TableCommit({"new": len(listed)}, partitions, changes, {"": context.label})
    covered = state.years | {row[calendar.YEAR] for row in fresh}
    return {contract.table: Built(commit, TableState(versions=commit.versions, years=covered))}


def merge_incoming(
    context: BuildContext, target: BuildTarget, state: TableState, incoming: str, accepted: Optional[int]
) -> Merged:
    """Compare incoming rows with the partitions that can hold their predecessors.

    Args:
        context: The build.
        target: The table.
        state: What is published of it.
        incoming: Relation of candidate versions.
        accepted: Rows that the commits name; nothing where one row of theirs is not one of these.

    Raises:
        GateError: Rows were lost or doubled, cannot be read, or leave a required column empty.
    """
    engine, spec = context.engine, target.spec
    arrived = survey_of(spec, engine.fetch(merge.survey(spec, incoming)))
    if accepted is not None:
        gates.check_accepted(target.name, arrived, accepted)
    gates.check_readable(target.name, arrived)
    arriving = [target.path(value) for value in arrived.arriving]
    paths = candidates(state.leading_key_ranges, arriving, arrived.keys)
    history = read_live(context, f"{target.relation}__history", target, paths)
    classified = classify(engine, spec, target.relation, incoming, history)
    counted = tally_of(spec, engine.fetch(merge.tally(spec, classified)))
    gates.check_tally(target.name, arrived, counted)
    return Merged(target, state, classified, arrived, counted, history)


def classify(engine: Engine, spec: MergeSpec, begin: str, incoming: str, history: Optional[str]) -> str:
    """Make the relation of what is known of every incoming row, see :func:`glue_jobs.star.merge.classify`.

    Args:
        engine: The engine.
        spec: The table.
        begin: Begins the names of the relations.
        incoming: Relation of candidate versions.
        history: Relation of what the table holds, if anything.

    Returns:
        Its name.
    """
    several, compared, classified = (f"{begin}__{name}" for name in ("several", "compared", "classified"))
    if engine.table(several, merge.several(spec, incoming, history)):
        engine.table(compared, merge.compare(spec, incoming, history, several))
        engine.view(classified, merge.classify(spec, incoming, several, compared))
    else:
        engine.view(classified, merge.classify(spec, incoming))
    return classified


def write(context: BuildContext, merged: Merged) -> Built:
    """Write the partitions that a change touches, and the change itself; nothing if nothing is new.

    Raises:
        GateError: The written rows are not those that were there and the new ones.
    """
    target, state, counted, spec = merged.target, merged.state, merged.tally, merged.target.spec
    if not counted.kept:
        return unchanged(state, merged)
    engine = context.engine
    new, home = f"{target.relation}__new", None
    starts = f"{target.relation}__offsets"
    numbered = merge.record_ids(spec, merged.classified, starts)
    if spec.record_id is None:
        # These are the classified rows themselves, and are read to be written and for nothing else.
        engine.view(new, numbered)
    else:
        before = offsets(counted.blocks, state.highest_record_id)
        engine.rows(
            starts,
            OFFSETS,
            [
                {BATCH: batch, merge.BLOCK: block, "_number_before": number}
                for (batch, block), number in before.items()
            ],
        )
        engine.table(new, numbered)
    touched = set(counted.kept_in)
    if counted.replaced and merged.history is not None and (spec.partition or not spec.keeps_history):
        home = f"{target.relation}__home"
        engine.table(home, merge.homes(spec, merged.classified))
        left = engine.fetch(merge.strays(spec, merged.history, home)) if spec.partition else []
        touched |= {row[merge.PARTITION_VALUE] for row in left}
        home = home if left or not spec.keeps_history else None
    columns = target.schema.names
    live = [path for value in touched if (path := target.path(value)) in state.versions]
    base = read_live(context, f"{target.relation}__base", target, live)
    existing = sum(partition.rows for partition in context.partitions(target.name, live))
    expected = existing + counted.kept - (0 if spec.keeps_history else counted.replaced)
    query = merge.rewritten(spec, columns, base, new, home)
    writes: list[Callable[[], Any]] = [
        partial(_write_changes, context, target, new, counted.kept),
        partial(_write_partitions, context, target, query, touched, expected),
    ]
    changes, partitions = engine.run_in_parallel(writes)
    versions = {**state.versions, **{layout.partition_path(p.values): context.label for p in partitions}}
    ranges = {layout.partition_path(p.values): _key_range(p) for p in partitions}
    commit = TableCommit(_counts(merged), partitions, changes, versions)
    highest = state.highest_record_id + (counted.kept if spec.record_id else 0)
    engine.forget(f"{target.relation}__{name}" for name in WORKING_RELATIONS)
    log.step("star.written", table=target.name, new=counted.kept, partitions=len(partitions))
    return Built(commit, TableState(versions, {**state.key_ranges, **ranges}, highest))


def unchanged(state: TableState, merged: Optional[Merged] = None) -> Built:
    """A table that a run leaves as it was."""
    counts = _counts(merged) if merged else {"read": 0, "accepted": 0, "rejected": 0, "new": 0}
    return Built(TableCommit(counts=counts, versions=state.versions), state)


def _counts(merged: Merged) -> dict[str, int]:
    counted = merged.tally
    members_of = {"inferred": counted.inferred, "repaired": counted.repaired}
    return {
        "read": merged.survey.from_source,
        "accepted": merged.survey.from_source,
        "rejected": 0,
        "new": counted.kept,
        "deletions": counted.deletions,
        "passed": counted.passed,
        "unchanged": counted.unchanged,
        "repeated": counted.repeated,
        "unknown_deletions": counted.unknown_deletions,
        "unmatched": merged.survey.flagged.get(UNMATCHED, 0),
        **(members_of if merged.target.spec.has_members else {}),
    }


def _beside(
    target: BuildTarget,
    from_source: Optional[str],
    inferred: Optional[str],
    make: Callable[[str, str], object],
) -> Optional[str]:
    """Candidate versions from the source and inferred ones as a relation; nothing where there are none."""
    columns = (*target.spec.columns, VERSION_ID, *target.spec.flag_columns)
    query = projection.union(from_source, inferred, columns)
    if query is None:
        return None
    make(f"{target.relation}__incoming", query)
    return f"{target.relation}__incoming"


def _snapshot(context: BuildContext, raw: Contract, target: BuildTarget) -> tuple[JoinedSource, Built]:
    state, spec, engine = context.state(target.name), target.spec, context.engine
    columns, new = ", ".join(spec.columns), f"{target.relation}__versions_new"
    names = (*(column.name for column in raw.columns), *projection.RAW_LINEAGE[1:])
    arriving = read_raw(context, f"{target.relation}__raw", raw.table, names)
    base = read_live(context, f"{target.relation}__before", target, state.versions)
    if arriving is None:
        engine.rows(new, pa.schema([target.schema.field(name) for name in spec.columns]), [])
        built = unchanged(state)
    else:
        incoming = f"{target.relation}__incoming"
        engine.cache(incoming, projection.source_versions(raw, arriving))
        accepted = sum(partition.rows for partition in context.accepted(raw.table))
        merged = merge_incoming(context, target, state, incoming, accepted)
        engine.view(new, f"SELECT {columns} FROM {merged.classified} WHERE {merge.IS_NEW}")
        built = write(context, merged)
    versions = f"{target.relation}__versions"
    engine.view(versions, str(projection.union(base, new, spec.columns)))
    return JoinedSource(raw, versions, new), built


def _write_changes(
    context: BuildContext, target: BuildTarget, new: str, expected: int
) -> tuple[DataObject, ...]:
    if target.changes is None:
        return ()
    spec = target.spec
    order = (spec.record_id,) if spec.record_id else (*spec.key, BATCH)
    destination = Destination(context.buckets["processed"], target.changes, target.schema, order)
    query = merge.changes(target.schema.names, new)
    objects = context.engine.write(query, destination, expected).get("", ())
    gates.check_written(f"changes of {target.name}", expected, sum(data.rows for data in objects))
    return objects


def _write_partitions(
    context: BuildContext, target: BuildTarget, query: str, touched: Iterable[str], expected: int
) -> tuple[Partition, ...]:
    spec, name = target.spec, target.spec.partition
    version = f"{VERSION}={context.label}/"
    destination = Destination(
        bucket=context.buckets["processed"],
        prefix=target.prefix if name else f"{target.prefix}{version}",
        schema=target.schema,
        order=(*spec.key, BATCH),
        key=spec.key,
        partition_by=name,
        suffix=version if name else "",
    )
    found = context.engine.write(query, destination, expected)
    # A partition that lost its last row is published empty.
    values = sorted({*touched, *found})
    partitions = tuple(
        Partition({name: value} if name else {}, destination.location(value), found.get(value, ()))
        for value in values
    )
    gates.check_written(target.name, expected, sum(partition.rows for partition in partitions))
    return partitions


def _key_range(partition: Partition) -> KeyRange:
    return partition.key_min, partition.key_max
