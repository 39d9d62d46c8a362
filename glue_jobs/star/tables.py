"""Building one table of the star: read what a change can concern, merge, check, write, measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StructType

from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.spark import spark_schema
from glue_jobs.lake import layout
from glue_jobs.lake.commits import Commit, CommitLog, DataObject, Partition, TableCommit
from glue_jobs.runtime import log
from glue_jobs.runtime.errors import UserError
from glue_jobs.star import calendar, current, gates, history, joined, members, numbering, project, read, write
from glue_jobs.star.partitions import KeyRange, candidates
from glue_jobs.star.shape import BATCH, DELETED, Shape, shape_of
from glue_jobs.star.summary import Survey, Tally, survey, tally

SNAPSHOTS = "_current/"
"""Begins the names under which the current rows of joined source tables are kept, in commits and in keys."""


@dataclass(frozen=True)
class Held:
    """What a stage has published of a table.

    Attributes:
        versions: Label of the live version by partition.
        key_ranges: Range of the keys by partition.
        highest_record_id: The highest record number given.
        years: Of the calendar, the years that it covers.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    key_ranges: Mapping[str, KeyRange] = field(default_factory=dict)
    highest_record_id: int = 0
    years: frozenset[int] = frozenset()

    @classmethod
    def of(cls, commit: Commit | None, table: str) -> Held:
        """What a stage's newest commit says of a table."""
        if commit is None or table not in commit.tables:
            return cls()
        state = commit.state.get("tables", {}).get(table, {})
        return cls(
            versions=commit.tables[table].versions,
            key_ranges={spec: (low, high) for spec, (low, high) in state.get("key_ranges", {}).items()},
            highest_record_id=state.get("highest_record_id", 0),
            years=frozenset(state.get("years", ())),
        )

    @property
    def state(self) -> dict[str, Any]:
        """What :meth:`of` finds again in the commit."""
        return {
            "key_ranges": {spec: list(limits) for spec, limits in self.key_ranges.items()},
            "highest_record_id": self.highest_record_id,
            "years": sorted(self.years),
        }


@dataclass(frozen=True)
class Built:
    """What a run made of a table: what its commit says, and what it holds then."""

    commit: TableCommit
    held: Held


@dataclass
class Build:
    """One run's building site.

    Attributes:
        spark: The session.
        s3: A boto3 ``s3`` client.
        catalogue: The contracts.
        buckets: Real bucket name by logical name.
        commits: The stage's own log, where the objects of live partitions are looked up.
        label: Names every version that this attempt writes.
        previous: The stage's newest commit.
        waiting: The validation commits to drain.
    """

    spark: SparkSession
    s3: Any
    catalogue: Catalogue
    buckets: Mapping[str, str]
    commits: CommitLog
    label: str
    previous: Commit | None
    waiting: Sequence[Commit]
    _kept: list[DataFrame] = field(default_factory=list)
    _known: dict[int, Commit] = field(default_factory=dict)

    @property
    def after_batch(self) -> int:
        """The last batch that the stage has covered."""
        return self.previous.last_batch if self.previous else 0

    def held(self, table: str) -> Held:
        """What the stage has published of a table."""
        return Held.of(self.previous, table)

    def accepted(self, table: str) -> list[DataObject]:
        """The waiting objects of a raw table."""
        return read.accepted_objects(self.waiting, table, self.after_batch)

    def raw(self, table: str, found: Sequence[DataObject]) -> DataFrame:
        """The rows of waiting objects of a raw table."""
        return read.raw_rows(self.spark, self.s3, self.buckets["ingestion"], self.catalogue.raw[table], found)

    def keep(self, rows: DataFrame) -> DataFrame:
        """Keep rows that are used more than once, until :meth:`release`."""
        self._kept.append(rows.persist())
        return rows

    def release(self) -> None:
        """Let go of everything that was kept."""
        while self._kept:
            self._kept.pop().unpersist()

    def partitions(self, table: str, versions: Mapping[str, str], specs: Iterable[str]) -> list[Partition]:
        """Live partitions as the commits that wrote them name them."""
        found: list[Partition] = []
        for spec in sorted(specs):
            sequence = int(versions[spec].split("-", 1)[0])
            if sequence not in self._known:
                commit = self.commits.get(sequence)
                if commit is None:
                    raise UserError(
                        f"The commit {self.commits.key(sequence)}, which wrote {table} {spec}, is missing.",
                        "Restore it from the bucket's versions.",
                    )
                self._known[sequence] = commit
            written = self._known[sequence].tables[table].partitions
            found.extend(p for p in written if layout.partition_spec(p.values) == spec)
        return found


@dataclass(frozen=True)
class Target:
    """A table that is written: a star table, or the snapshot of a source table.

    Attributes:
        name: Its name in commits.
        shape: How it is merged.
        prefix: Where it lies in the processed bucket; ends in a slash.
        schema: The columns of its files.
        changes: Where this run's changes go; nothing for a table that nobody loads.
        keeps_history: Whether every version stays, or the latest of each key.
    """

    name: str
    shape: Shape
    prefix: str
    schema: StructType
    changes: str | None
    keeps_history: bool

    @classmethod
    def star(cls, contract: Contract, label: str) -> Target:
        """A fact or a dimension."""
        return cls(
            name=contract.table,
            shape=shape_of(contract),
            prefix=contract.prefix,
            schema=spark_schema(contract),
            changes=layout.changes_location(contract, label),
            keeps_history=contract.kind == "fact",
        )

    @classmethod
    def snapshot(cls, contract: Contract, star: Contract) -> Target:
        """The current rows of a source table, with the lineage of the star table that joins them."""
        own = {column.name for column in contract.columns}
        lineage = {column.name for column in star.zone_info.lineage}
        fields = [field for field in spark_schema(contract) if field.name in own]
        fields += [field for field in spark_schema(star) if field.name in lineage]
        name = f"{SNAPSHOTS}{contract.table}"
        return cls(
            name=name,
            shape=shape_of(contract),
            prefix=f"{star.zone_info.prefix}{name}/",
            schema=StructType(fields),
            changes=None,
            keeps_history=False,
        )


@dataclass(frozen=True)
class Merged:
    """A judged change of one table.

    Attributes:
        target: The table.
        held: What it held.
        classified: The judged rows, kept in memory.
        survey: What arrived.
        tally: What became of it.
    """

    target: Target
    held: Held
    classified: DataFrame
    survey: Survey
    tally: Tally


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


def inferred_members(build: Build) -> dict[str, DataFrame]:
    """By dimension, the inferred members that the waiting batches need; see :mod:`glue_jobs.star.members`.

    Read are the waiting rows of the tables that refer to dimensions, and of each dimension the partitions
    that can hold the keys.
    """
    referred = []
    for table in build.catalogue.star.values():
        dimensions = {r.table for r in table.references if build.catalogue.star[r.table].kind == "dimension"}
        if dimensions and (found := build.accepted(main_table(table))):
            raw = build.raw(main_table(table), found)
            referred.append(members.references(table, raw, dimensions))
    if not referred:
        return {}
    keys = build.keep(members.first(referred))
    known = []
    for name, spans in members.spans(keys).items():
        dimension = build.catalogue.star[name]
        held = build.held(name)
        specs = candidates(held.key_ranges, (), spans)
        rows = _read(build, Target.star(dimension, build.label), held, specs)
        if rows is not None:
            known.append(members.held(dimension, rows))
        if found := build.accepted(main_table(dimension)):
            known.append(members.arriving(dimension, build.raw(main_table(dimension), found)))
    missing = build.keep(members.missing(keys, known))
    needed = missing.select(members.DIMENSION).distinct().collect()
    names = sorted(row[members.DIMENSION] for row in needed)
    return {name: members.members(build.catalogue.star[name], missing) for name in names}


def build_table(build: Build, contract: Contract, inferred: DataFrame | None = None) -> Built:
    """A fact, or a dimension of one source table, after the waiting batches.

    Args:
        build: The building site.
        contract: The table.
        inferred: Of a dimension, the inferred members that it needs.
    """
    table = main_table(contract)
    target = Target.star(contract, build.label)
    held = build.held(contract.table)
    found = build.accepted(table)
    incoming = _beside(project.incoming(contract, build.raw(table, found)) if found else None, inferred)
    if incoming is None:
        return unchanged(held)
    merged = merge(build, target, held, incoming, sum(data.rows for data in found))
    return written(build, merged)


def build_joined(build: Build, contract: Contract, inferred: DataFrame | None = None) -> dict[str, Built]:
    """A dimension of several source tables, and the snapshots of these, after the waiting batches.

    Args:
        build: The building site.
        contract: The dimension.
        inferred: The inferred members that it needs.
    """
    main = main_table(contract)
    joins = contract.built_from.joins if contract.built_from else ()
    if contract.partition is not None:
        raise UserError(
            f"The contract star.{contract.table} has joins and is partitioned.",
            "A dimension with joins is small; leave its partition out.",
        )
    tables = (main, *(join.table for join in joins))
    sources: dict[str, joined.Source] = {}
    built: dict[str, Built] = {}
    if any(build.accepted(table) for table in tables):
        for table in tables:
            raw = build.catalogue.raw[table]
            target = Target.snapshot(raw, contract)
            sources[table], built[target.name] = _snapshot(build, raw, target)
    else:
        names = [f"{SNAPSHOTS}{table}" for table in tables]
        built = {name: unchanged(build.held(name)) for name in names}
    held = build.held(contract.table)
    changed = any(table.commit.counts.get("new") for table in built.values())
    incoming = _beside(joined.incoming(contract, main, joins, sources) if changed else None, inferred)
    if incoming is None:
        return {**built, contract.table: unchanged(held)}
    incoming = build.keep(incoming)
    merged = merge(build, Target.star(contract, build.label), held, incoming, None)
    return {**built, contract.table: written(build, merged)}


def build_calendar(build: Build, contract: Contract) -> Built:
    """The calendar, with every year that a waiting row of a table that refers to it uses."""
    held = build.held(contract.table)
    used = [
        years for table in build.catalogue.star.values() for years in _years(build, table, contract.table)
    ]
    if not used:
        return unchanged(held)
    years = calendar.earliest(reduce(DataFrame.unionByName, used))
    fresh = [row for row in years.collect() if row[calendar.YEAR] not in held.years]
    if not fresh:
        return unchanged(held)
    schema = spark_schema(contract)
    live = build.partitions(contract.table, held.versions, held.versions)
    base = read.star_rows(
        build.spark, build.s3, build.buckets["processed"], contract.prefix, schema, None, live
    )
    added = calendar.days(contract, calendar.stated(build.spark, [row.asDict() for row in fresh]))
    new = sum(calendar.length(row[calendar.YEAR]) for row in fresh)
    bucket = build.buckets["processed"]
    place = layout.changes_location(contract, build.label)
    changes = write.write_table(added, build.s3, bucket, place, schema, contract.key, new)
    expected = sum(partition.rows for partition in live) + new
    rows = added if base is None else base.unionByName(added)
    location = f"{contract.prefix}{write.VERSION}={build.label}/"
    objects = write.write_table(rows, build.s3, bucket, location, schema, contract.key, expected)
    partition = Partition({}, location, objects)
    gates.check_written(contract.table, expected, partition.rows)
    covered = held.years | {row[calendar.YEAR] for row in fresh}
    commit = TableCommit({"new": new}, (partition,), changes, {"": build.label})
    return Built(commit, Held(versions=commit.versions, years=covered))


def merge(build: Build, target: Target, held: Held, incoming: DataFrame, accepted: int | None) -> Merged:
    """Judge incoming rows against the partitions that can hold their predecessors.

    Args:
        build: The building site.
        target: The table.
        held: What it holds.
        incoming: Candidate versions.
        accepted: Rows that the commits name; nothing where one row of theirs is not one of these.

    Raises:
        GateError: Rows were lost or doubled, cannot be read, or leave a required column empty.
    """
    shape = target.shape
    arrived = survey(incoming, shape)
    if accepted is not None:
        gates.check_accepted(target.name, arrived, accepted)
    gates.check_readable(target.name, arrived)
    arriving = [_spec(shape, cut) for cut in arrived.arriving]
    specs = candidates(held.key_ranges, arriving, arrived.keys)
    base = _read(build, target, held, specs)
    classified = history.classify(base, incoming, shape)
    judged = (
        history.keep_every(classified) if target.keeps_history else current.keep_latest(classified, shape)
    )
    judged = build.keep(judged)
    counted = tally(judged, shape)
    gates.check_tally(target.name, arrived, counted)
    return Merged(target, held, judged, arrived, counted)


def written(build: Build, merged: Merged) -> Built:
    """Write the partitions that a change touches, and the change itself; nothing if nothing is new.

    Raises:
        GateError: The written rows are not those that were there and the new ones.
    """
    target, held, counted = merged.target, merged.held, merged.tally
    shape = target.shape
    if not counted.kept:
        return unchanged(held, merged)
    new = numbering.numbered(
        merged.classified.where(history.KEPT).select(*shape.columns),
        shape,
        numbering.offsets(counted.blocks, held.highest_record_id),
    )
    touched = set(counted.kept_in) | (set() if target.keeps_history else counted.origins)
    live = build.partitions(
        target.name, held.versions, [s for cut in touched if (s := _spec(shape, cut)) in held.versions]
    )
    cut_columns = [shape.partition] if shape.partition else []
    new = new.select(*target.schema.names, *cut_columns)
    base = _read(build, target, held, [layout.partition_spec(p.values) for p in live])
    if base is None:
        rows = new
    elif target.keeps_history:
        rows = base.unionByName(new)
    else:
        rows = current.replace(base, new, shape)
    existing = sum(partition.rows for partition in live)
    expected = existing + counted.kept - (0 if target.keeps_history else counted.replaced)
    changes = _write_changes(build, target, new, counted.kept)
    partitions = _write_partitions(build, target, rows, touched, expected)
    if target.changes is not None:
        gates.check_written(f"changes of {target.name}", counted.kept, sum(data.rows for data in changes))
    gates.check_written(target.name, expected, sum(p.rows for p in partitions))
    versions = {**held.versions, **{layout.partition_spec(p.values): build.label for p in partitions}}
    ranges = {layout.partition_spec(p.values): (p.key_min, p.key_max) for p in partitions}
    commit = TableCommit(_counts(merged), partitions, changes, versions)
    highest = held.highest_record_id + (counted.kept if shape.record_id else 0)
    log.step("star.written", table=target.name, new=counted.kept, partitions=len(partitions))
    return Built(commit, Held(versions, {**held.key_ranges, **ranges}, highest))


def unchanged(held: Held, merged: Merged | None = None) -> Built:
    """A table that a run leaves as it was."""
    counts = _counts(merged) if merged else {"read": 0, "accepted": 0, "rejected": 0, "new": 0}
    return Built(TableCommit(counts=counts, versions=held.versions), held)


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
        "unknown_deletions": counted.empty,
        "unmatched": merged.survey.marked.get(joined.UNMATCHED, 0),
        **(members_of if merged.target.shape.has_members else {}),
    }


def _beside(incoming: DataFrame | None, inferred: DataFrame | None) -> DataFrame | None:
    """Candidate versions from the source and inferred ones together; either may be missing."""
    if incoming is None or inferred is None:
        return inferred if incoming is None else incoming
    return incoming.unionByName(inferred, allowMissingColumns=True)


def _spec(shape: Shape, cut: str) -> str:
    return layout.partition_spec({shape.partition: cut}) if shape.partition else ""


def _read(build: Build, target: Target, held: Held, specs: Iterable[str]) -> DataFrame | None:
    live = build.partitions(target.name, held.versions, specs)
    bucket = build.buckets["processed"]
    return read.star_rows(
        build.spark, build.s3, bucket, target.prefix, target.schema, target.shape.partition, live
    )


def _write_changes(build: Build, target: Target, new: DataFrame, expected: int) -> tuple[DataObject, ...]:
    if target.changes is None:
        return ()
    order = [target.shape.record_id or target.shape.key]
    bucket = build.buckets["processed"]
    return write.write_table(new, build.s3, bucket, target.changes, target.schema, order, expected)


def _write_partitions(
    build: Build, target: Target, rows: DataFrame, touched: Iterable[str], expected: int
) -> tuple[Partition, ...]:
    shape, bucket = target.shape, build.buckets["processed"]
    order = [shape.key, BATCH]
    if shape.partition:
        return write.write_partitions(
            rows,
            build.s3,
            bucket,
            target.prefix,
            target.schema,
            shape.partition,
            touched,
            build.label,
            order,
            expected,
            shape.key,
        )
    location = f"{target.prefix}{write.VERSION}={build.label}/"
    objects = write.write_table(rows, build.s3, bucket, location, target.schema, order, expected, shape.key)
    return (Partition({}, location, objects),)


def _snapshot(build: Build, raw: Contract, target: Target) -> tuple[joined.Source, Built]:
    held = build.held(target.name)
    base = _read(build, target, held, held.versions)
    found = build.accepted(raw.table)
    if not found:
        none = read.no_rows(build.spark, target.schema)
        return joined.Source(target.shape.key, base, none), unchanged(held)
    incoming = project.source_versions(raw, build.raw(raw.table, found))
    merged = merge(build, target, held, incoming, sum(data.rows for data in found))
    new = history.new_versions(merged.classified, target.shape)
    return joined.Source(target.shape.key, base, new), written(build, merged)


def _years(build: Build, table: Contract, calendar_table: str) -> list[DataFrame]:
    dates = [reference.column for reference in table.references if reference.table == calendar_table]
    found = build.accepted(main_table(table)) if dates else []
    if not found:
        return []
    rows = project.incoming(table, build.raw(main_table(table), found))
    return [calendar.years_in_use(rows.where(~F.col(DELETED)), dates)]
