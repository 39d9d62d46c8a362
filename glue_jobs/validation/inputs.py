"""What rows are compared with besides themselves: the rows that they refer to, and those that they look up.

A capture is one snapshot, and its commit names the keys that were live in it, as compressed bitmaps. So
whether a row that another one refers to was there is asked of the capture that brought that one: a parent
that was rejected was there, one that the source never had was not. Contents are looked up in the waiting
batches and, for what came before them, in the star, of which only the partitions are read that can hold a
wanted key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

import pyarrow as pa

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import Catalogue
from catalog.keys import is_number
from catalog.model import Contract
from expectations.compile import needed_lookups, star_table
from expectations.rules import Lookup
from glue_jobs.engine.protocol import Dataset, Engine
from glue_jobs.lake.commits import Commit, Partition
from glue_jobs.lake.live_keys import KeyStore
from glue_jobs.lake.source_state import CaptureState, SourceState
from glue_jobs.lake.state_objects import StateObject
from glue_jobs.stages.stage import Stage
from glue_jobs.star.build import BuildContext, accepted_partitions
from glue_jobs.star.candidates import candidates
from glue_jobs.validation import lookups, references
from glue_jobs.validation.lookups import FoundRows
from glue_jobs.validation.references import Answer, Reference, Spans
from glue_jobs.validation.row_validator import BATCH, OPERATION, RowValidator


@dataclass(frozen=True)
class Companions:
    """What is joined to the rows of one table before rules are applied to them.

    Attributes:
        references: By column, what is known of the rows that it refers to.
        found: The rows that are looked up, in the order in which they are joined.
    """

    references: Mapping[str, Reference]
    found: tuple[FoundRows, ...]

    def complete(self, rows: str, validator: RowValidator) -> str:
        """Rows with everything that a validator's conditions speak of, and no more joins than it needs.

        Args:
            rows: Relation of the rows.
            validator: The rules; those that :func:`gather` was given, or some of them.
        """
        known, found = self._needed(validator)
        columns = [f"{rows}.*", *(f"{one.value(rows)} AS {one.name}" for one in known)]
        columns += [value for one in found for value in one.values]
        joins = [one.join(rows) for one in known] + [one.join(rows, found) for one in found]
        return f"SELECT {', '.join(columns)}\nFROM {rows}{''.join(joins)}"

    def joins_nothing(self, validator: RowValidator) -> bool:
        """Whether the rows of :meth:`complete` come in the order of their objects."""
        known, found = self._needed(validator)
        return not found and all(reference.joins_nothing for reference in known)

    def _needed(self, validator: RowValidator) -> tuple[list[Reference], list[FoundRows]]:
        names = validator.names
        tables = {lookup.table for lookup in validator.suite.lookups}
        known = [reference for reference in self.references.values() if reference.name in names]
        return known, [one for one in self.found if one.table in tables]


@dataclass
class Inputs:
    """What one run reads.

    Attributes:
        stage: The stage ``validate``.
        engine: The engine.
        captures: By batch, the capture that knows which rows were there.
        waiting: By raw table, the captured partitions that wait.
    """

    stage: Stage
    engine: Engine
    captures: Mapping[int, Commit]
    waiting: Mapping[str, Sequence[Partition]]
    _states: dict[int, Mapping[str, CaptureState]] = field(default_factory=dict)
    _spans: dict[str, Optional[Spans]] = field(default_factory=dict)

    @property
    def _catalog(self) -> Catalogue:
        return self.stage.catalogue

    @property
    def _bucket(self) -> str:
        return self.stage.lake.ingestion

    def read(self, validators: Iterable[RowValidator]) -> dict[str, str]:
        """Make a relation of the waiting rows of every table, with the columns that some rule speaks of."""
        validators = list(validators)
        relations = {}
        for table in self.waiting:
            names = {OPERATION, *self._catalog.raw[table].key}
            for validator in validators:
                if validator.table == table:
                    names |= columns_needed(validator)
                names |= {
                    name
                    for lookup, fields in needed_lookups(validator.suite).items()
                    if lookup == table
                    for name in fields
                }
            relations[table] = self.read_rows(f"raw_{table}", table, self.waiting[table], names)
        return relations

    def read_rows(
        self, relation: str, table: str, partitions: Sequence[Partition], names: Iterable[str]
    ) -> str:
        """Make a relation of captured rows, with these columns and ``batch``."""
        read_raw(self.engine, self._bucket, relation, self._catalog.raw[table], partitions, names)
        return relation

    def gather(self, validator: RowValidator, rows: str, raw: Mapping[str, str]) -> Companions:
        """Find what is joined to the rows of a table.

        Args:
            validator: The rules.
            rows: Relation of its rows.
            raw: By table, the relation of the waiting rows, which rules may look into.
        """
        names = validator.names
        known = {
            stated.column: self._reference(validator.table, stated.column, stated.table, rows)
            for stated in validator.suite.contract.references
            if f"{references.KNOWN}{stated.column}" in names
        }
        fields = needed_lookups(validator.suite)
        found = tuple(
            self._look_up(validator.table, lookup, fields[lookup.table], rows, raw)
            for lookup in validator.suite.lookups
        )
        return Companions(known, found)

    # ------------------------------------------------------------------ references

    def _reference(self, table: str, column: str, parent: str, rows: str) -> Reference:
        target = self._catalog.raw[parent]
        by_answer: dict[tuple[StateObject, bool], list[int]] = {}
        for batch in sorted(self.captures):
            state = self._state(batch, parent)
            # Of a table whose key became another kind nobody can tell what was there before.
            if (
                state is not None
                and state.live_keys is not None
                and bool(state.live_keys.parts) != is_number(target)
            ):
                by_answer.setdefault((state.live_keys, state.pause is None), []).append(batch)
        if not is_number(target):
            return self._by_text(column, target, f"{table}_{column}", rows, by_answer)
        answers = tuple(
            Answer(tuple(batches), self._few_spans(live), is_complete)
            for (live, is_complete), batches in by_answer.items()
        )
        many = {
            batch: live
            for ((live, _), batches), answer in zip(by_answer.items(), answers)
            if answer.spans is None
            for batch in batches
        }
        if not many:
            return Reference(column, target, answers)
        return self._by_block(Reference(column, target, answers), f"{table}_{column}", rows, many)

    def _by_block(
        self, reference: Reference, name: str, rows: str, live_of: Mapping[int, StateObject]
    ) -> Reference:
        """The reference with the relations of blocks and keys, which hold what its rows ask about."""
        wanted = self.engine.fetch(references.wanted(rows, reference.column, live_of))
        by_live: dict[StateObject, list[Mapping[str, int]]] = {}
        for row in wanted:
            by_live.setdefault(live_of[row[references.BATCH]], []).append(row)
        blocks, keys = [], []
        for live, asked in by_live.items():
            of_blocks, of_keys = references.live_blocks(self._store.live(live), asked)
            blocks += of_blocks
            keys += of_keys
        self.engine.rows(f"blocks_{name}", references.BLOCKS_SCHEMA, blocks)
        self.engine.rows(f"keys_{name}", references.KEYS_SCHEMA, keys)
        return replace(reference, blocks=f"blocks_{name}", keys=f"keys_{name}")

    def _by_text(
        self,
        column: str,
        parent: Contract,
        name: str,
        rows: str,
        by_answer: Mapping[tuple[StateObject, bool], Sequence[int]],
    ) -> Reference:
        """The reference with the relation of those keys that its rows ask about and that were live."""
        answers = tuple(Answer(tuple(found), None, complete) for (_, complete), found in by_answer.items())
        reference = Reference(column, parent, answers)
        if not answers:
            return reference
        wanted, stored, parts, live = (f"{begin}_{name}" for begin in ("asked", "stored", "parts", "live"))
        self.engine.table(wanted, references.wanted_texts(rows, reference))
        live_of = {batch: kept for (kept, _), batches in by_answer.items() for batch in batches}
        found = references.parts_of(live_of)
        self.engine.rows(parts, references.PARTS_SCHEMA, found.batches)
        self.engine.read(
            stored,
            Dataset(self._bucket, references.STORED_SCHEMA, references.STORED_PARTS, found.partitions),
        )
        self.engine.table(live, references.live_texts(wanted, stored, parts))
        return replace(reference, live=live)

    @property
    def _store(self) -> KeyStore:
        return KeyStore(self.stage.lake.s3, self._bucket)

    def _few_spans(self, live: StateObject) -> Optional[Spans]:
        if live.key not in self._spans:
            self._spans[live.key] = references.few_spans(self._store.live(live))
        return self._spans[live.key]

    def _state(self, batch: int, table: str) -> Optional[CaptureState]:
        if batch not in self._states:
            self._states[batch] = SourceState.of(self.captures[batch]).tables
        return self._states[batch].get(table)

    # ------------------------------------------------------------------ lookups

    def _look_up(
        self, looking: str, lookup: Lookup, fields: Sequence[str], rows: str, raw: Mapping[str, str]
    ) -> FoundRows:
        table, contract = lookup.table, self._catalog.raw[lookup.table]
        wanted, relation = f"wanted_{looking}_{table}", f"found_{looking}_{table}"
        before, _, column = lookup.on.rpartition(".")
        if before:
            text = lookups.wanted_by_lookup(f"found_{looking}_{before}", column, contract)
        else:
            text = lookups.wanted_by_rows(rows, column, contract)
        self.engine.table(wanted, text)
        versions = [lookups.waiting_versions(raw[table], contract, fields)] if table in raw else []
        versions += self._versions_before(f"{looking}_{table}", table, fields, wanted)
        found = lookups.found(wanted, versions, fields)
        if found is None:
            schema = arrow_schema(contract)
            key = pa.int64() if is_number(contract) else pa.string()
            none = [(lookups.WANTED_KEY, key), (lookups.WANTED_BATCH, pa.int64())]
            self.engine.rows(relation, pa.schema([*none, *(schema.field(name) for name in fields)]), [])
        else:
            self.engine.table(relation, found)
        flat = f"{before}__{column}" if before else column
        return FoundRows(contract, flat, tuple(fields), relation)

    def _versions_before(self, name: str, table: str, fields: Sequence[str], wanted: str) -> list[str]:
        """What was accepted before the waiting batches: from the star, and from commits that it lacks."""
        star = star_table(self._catalog, table)
        if star is None:  # such a rule is not compiled
            return []
        stage = star.stages[0]
        commits = self.stage.lake.log(stage)
        built = commits.latest()
        covered = built.last_batch if built else 0
        contract = self._catalog.raw[table]
        versions = []
        lacking = accepted_partitions(self.stage.log.covering(covered), table)
        if lacking:
            accepted = self.read_rows(f"accepted_{name}", table, lacking, {*contract.key, OPERATION, *fields})
            versions.append(lookups.accepted_versions(accepted, contract, fields))
        if built is not None:
            context = BuildContext(
                self.engine, self._catalog, self.stage.lake.buckets, commits, "", built, ()
            )
            state = context.state(star.table)
            paths: Iterable[str] = state.versions
            if star.partition is not None:
                spans = [
                    (row[lookups.LOW], row[lookups.HIGH])
                    for row in self.engine.fetch(lookups.intervals(wanted, contract))
                ]
                paths = candidates(state.leading_key_ranges, (), spans)
            live = context.partitions(star.table, paths)
            if any(partition.rows for partition in live):
                versions.append(self._star_versions(f"star_{name}", star, fields, live))
        return versions

    def _star_versions(
        self, relation: str, star: Contract, fields: Sequence[str], live: Sequence[Partition]
    ) -> str:
        by_source = {column.source: column.name for column in star.columns if column.source is not None}
        columns = [by_source[name] for name in fields]
        schema = arrow_schema(star)
        names = dict.fromkeys([*star.key, *columns, "batch_sequence"])
        wanted = pa.schema([schema.field(name) for name in names])
        bucket = self.stage.lake.bucket(star)
        self.engine.read(relation, Dataset(bucket, wanted, pa.schema([]), tuple(live)))
        return lookups.star_versions(relation, star, columns, fields)


def columns_needed(validator: RowValidator) -> set[str]:
    """The raw columns that are needed to apply a table's rules, those of the path left out."""
    contract = validator.suite.contract
    names = set(validator.names)
    names |= {
        stated.column for stated in contract.references if f"{references.KNOWN}{stated.column}" in names
    }
    names |= {lookup.on for lookup in validator.suite.lookups} | set(validator.emptiable)
    own = {column.name for column in contract.all_columns}
    return (names & own) | {OPERATION}


def read_raw(
    engine: Engine,
    bucket: str,
    relation: str,
    contract: Contract,
    partitions: Sequence[Partition],
    names: Iterable[str],
) -> None:
    """Make a relation of rows of a raw table, or of its dead letters, with these columns and ``batch``."""
    wanted, schema = set(names), arrow_schema(contract)
    columns = pa.schema([column.with_nullable(True) for column in schema if column.name in wanted])
    path = pa.schema(
        [column for column in partition_schema(contract) if column.name == BATCH or column.name in wanted]
    )
    engine.read(relation, Dataset(bucket, columns, path, tuple(partitions)))
