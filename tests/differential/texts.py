"""Every text of SQL of the star and of validation, asked of an engine over a frame of relations.

A case makes its rows once; on an engine it makes relations of them and yields questions: the name of a text,
and a query for its rows. What a text needs of others it takes from the same engine, as a build does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa

from catalog.arrow import arrow_schema, partition_schema
from catalog.catalogue import Catalogue, load_catalogue
from catalog.functions import FUNCTIONS, literal
from catalog.model import Contract, Join
from catalog.regex import portable
from catalog.types import arrow_type
from expectations.compile import compile_rules, needed_lookups, star_table
from expectations.rules import load_suites
from glue_jobs.engine.protocol import Engine
from glue_jobs.lake.live_keys import keys_of
from glue_jobs.star import calendar, members, merge, projection, rejected_changes
from glue_jobs.star.build import DAYS, OFFSETS, main_table, snapshot_target
from glue_jobs.star.merge_spec import BATCH, CAPTURED_AT, DELETED, INFERRED, LINEAGE, VERSION_ID, MergeSpec
from glue_jobs.star.projection import JoinedSource
from glue_jobs.star.summary import offsets, tally_of
from glue_jobs.validation import lookups, references, replay_rows, row_validator, unresolved
from glue_jobs.validation.inputs import Companions
from glue_jobs.validation.lookups import FoundRows
from glue_jobs.validation.references import Answer, Reference
from glue_jobs.validation.row_validator import RowValidator
from tests.differential.relations import SPACE, Frame, Relation, Row, held, incoming, raw, seen
from tests.differential.values import palette
from tests.keyed import keyed


@dataclass(frozen=True)
class Question:
    """What two engines are asked.

    Attributes:
        text: Names the text of SQL.
        query: Asks for its rows, whose order says nothing.
        key: The column that tells which relation a row is of, where there is one.
    """

    text: str
    query: str
    key: str | None = None


Ask = Callable[[Engine], Iterator[Question]]
"""Makes relations on an engine, yields questions, and makes more of them with what that engine answered."""

Case = Callable[[Frame], Ask]
"""Makes the rows of a frame of relations."""


@lru_cache(maxsize=1)
def catalog() -> Catalogue:
    """The project's own contracts."""
    return load_catalogue()


def cases() -> dict[str, Case]:
    """Every case by name."""
    star = catalog().star
    made: dict[str, Case] = {}
    for contract in star.values():
        if contract.kind not in ("dimension", "fact"):
            continue
        spec = projection.spec_of(contract, catalog())
        made[f"merge {contract.table}"] = partial(merge_case, spec, _types(contract))
        joins = contract.built_from is not None and bool(contract.built_from.joins)
        if joins:
            made[f"joined {contract.table}"] = partial(joined_case, contract)
            for table in _sources(contract):
                target = snapshot_target(catalog().raw[table], contract)
                types = {field.name: field.type for field in target.schema}
                made[f"merge {table} of {contract.table}"] = partial(merge_case, target.spec, types)
        else:
            made[f"incoming {contract.table}"] = partial(incoming_case, contract)
    made["members"] = members_case
    made["calendar"] = calendar_case
    for table in catalog().raw:
        made[f"validation {table}"] = partial(validation_case, table)
    made["functions"] = functions_case
    return made


# ---------------------------------------------------------------------- merge


def merge_case(spec: MergeSpec, types: Mapping[str, pa.DataType], frame: Frame) -> Ask:
    """The merge of a table that holds something, and of one that holds nothing."""
    content = [pa.field(name, types[name]) for name in spec.content if name != INFERRED]
    arriving, holding = [], []
    for relation in frame.relations(f"merge {spec.table}"):
        arriving += incoming(relation, spec, content)
        holding += held(relation, spec, content)
    columns = [(name, types[name]) for name in spec.columns]
    own = [(spec.record_id, types[spec.record_id])] if spec.record_id else []
    flags = [(name, pa.bool_()) for name in spec.flag_columns]

    def ask(engine: Engine) -> Iterator[Question]:
        engine.rows("incoming", pa.schema([*columns, (VERSION_ID, pa.int64()), *flags]), arriving)
        engine.rows("held", pa.schema([*own, *columns]), holding)
        yield Question("survey", merge.survey(spec, "incoming"), merge.LOW)
        yield Question("classify where none is several", merge.classify(spec, "incoming"), spec.key[0])
        yield from _merged(engine, spec, own, None)
        yield from _merged(engine, spec, own, "held")

    return ask


def _merged(
    engine: Engine, spec: MergeSpec, own: Sequence[tuple[str, pa.DataType]], history: str | None
) -> Iterator[Question]:
    begin = "later_" if history else "first_"
    names = ("several", "compared", "classified", "offsets", "new", "home")
    several, compared, classified, starts, new, home = (f"{begin}{name}" for name in names)

    def rows(text: str, relation: str) -> Question:
        return Question(f"{text} with history" if history else text, f"SELECT * FROM {relation}", spec.key[0])

    engine.table(several, merge.several(spec, "incoming", history))
    yield rows("several", several)
    engine.table(compared, merge.compare(spec, "incoming", history, several))
    yield rows("compare", compared)
    engine.table(classified, merge.classify(spec, "incoming", several, compared))
    yield rows("classify", classified)
    yield Question("tally", merge.tally(spec, classified))
    blocks = tally_of(spec, engine.fetch(merge.tally(spec, classified))).blocks
    listed = [
        {BATCH: batch, merge.BLOCK: block, "_number_before": number}
        for (batch, block), number in offsets(blocks, 7).items()
    ]
    engine.rows(starts, OFFSETS, listed)
    engine.table(new, merge.record_ids(spec, classified, starts))
    yield rows("record_ids", new)
    engine.table(home, merge.homes(spec, classified))
    if history:
        yield rows("homes", home)
    columns = [name for name, _ in own] + [name for name in spec.columns if name != spec.partition]
    yield Question("changes", merge.changes(columns, new), spec.key[0])
    if spec.partition and history:
        yield Question("strays", merge.strays(spec, history, home))
    for base, moved in ((None, None), (history, None), (history, home)) if history else ((None, None),):
        if base is not None and moved is None and not spec.keeps_history:
            continue
        text = merge.rewritten(spec, columns, base, new, moved)
        yield Question(f"rewritten {bool(base)} {bool(moved)}", text, spec.key[0])


def _types(contract: Contract) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in [*arrow_schema(contract), *partition_schema(contract)]}


# ---------------------------------------------------------------------- projection


def incoming_case(contract: Contract, frame: Frame) -> Ask:
    """Raw rows as candidates of a table without joins."""
    table = catalog().raw[main_table(contract)]
    rows = _captured(frame, table)

    def ask(engine: Engine) -> Iterator[Question]:
        engine.rows("raw", _raw_schema(table), rows)
        engine.table("incoming", projection.incoming(contract, catalog(), "raw"))
        key = projection.spec_of(contract, catalog()).key[0]
        yield Question("projection.incoming", "SELECT * FROM incoming", key)
        dimensions = {
            r.table: catalog().star[r.table]
            for r in contract.references
            if catalog().star[r.table].kind == "dimension"
        }
        if dimensions:
            referred = members.references(contract, "incoming", dimensions)
            yield Question("members.references", referred, members.KEY)

    return ask


def joined_case(contract: Contract, frame: Frame) -> Ask:
    """A dimension as of every batch in which one of its sources changed."""
    tables = {table: snapshot_target(catalog().raw[table], contract) for table in _sources(contract)}
    joins = contract.built_from.joins if contract.built_from else ()
    main = main_table(contract)
    known: dict[str, list[Row]] = {table: [] for table in tables}
    new: dict[str, list[Row]] = {table: [] for table in tables}
    captured: dict[str, list[Row]] = {table: [] for table in tables}
    for relation in frame.relations(f"joined {contract.table}"):
        keys = relation.some_keys()
        for table, target in tables.items():
            raw_table = catalog().raw[table]
            fields = [f for f in target.schema if f.name not in (target.spec.key[0], *LINEAGE)]
            wanted = [palette(relation.random, field.type) for field in fields]
            batches = sorted(relation.random.sample(range(1, 8), 4))
            for key in keys:
                for batch in relation.random.sample(batches, relation.random.randint(1, 3)):
                    row = {f.name: relation.random.choice(v) for f, v in zip(fields, wanted, strict=True)}
                    row |= {target.spec.key[0]: key, BATCH: batch, CAPTURED_AT: seen(batch)}
                    row[DELETED] = relation.random.random() < 0.2
                    if table == main:
                        row |= {
                            join.on: relation.random.choice([*keys, relation.base + 9, None])
                            for join in joins
                        }
                    known[table].append(row)
                    if batch > 3:
                        new[table].append(row)
            columns = [
                pa.field(c.name, arrow_type(c.type)) for c in raw_table.columns if c.name != raw_table.key[0]
            ]
            captured[table] += raw(relation, raw_table.key[0], columns, keys=keys)

    def ask(engine: Engine) -> Iterator[Question]:
        sources = {}
        for table, target in tables.items():
            schema = pa.schema([target.schema.field(name) for name in target.spec.columns])
            engine.rows(f"{table}_versions", schema, known[table])
            engine.rows(f"{table}_new", schema, new[table])
            engine.rows(f"{table}_raw", _raw_schema(catalog().raw[table]), captured[table])
            text = projection.source_versions(catalog().raw[table], f"{table}_raw")
            yield Question(f"projection.source_versions {table}", text, target.spec.key[0])
            sources[table] = JoinedSource(catalog().raw[table], f"{table}_versions", f"{table}_new")
        key = projection.spec_of(contract, catalog()).key[0]
        yield Question("projection.joined", projection.joined(contract, catalog(), sources), key)

    return ask


def _sources(contract: Contract) -> tuple[str, ...]:
    joins = contract.built_from.joins if contract.built_from else ()
    return (main_table(contract), *(join.table for join in joins))


def _captured(frame: Frame, table: Contract) -> list[Row]:
    columns = [pa.field(c.name, arrow_type(c.type)) for c in table.columns if c.name != table.key[0]]
    return [
        row
        for relation in frame.relations(f"raw {table.table}")
        for row in raw(relation, table.key[0], columns)
    ]


def _raw_schema(table: Contract) -> pa.Schema:
    return pa.schema([*arrow_schema(table), pa.field("batch", pa.int64())])


# ---------------------------------------------------------------------- members and calendar


def members_case(frame: Frame) -> Ask:
    """The members that facts need and nothing has come of, of every dimension."""
    dimensions = catalog().star_of_kind("dimension")
    mentioned: list[Row] = []
    captured: dict[str, list[Row]] = {contract.table: [] for contract in dimensions}
    holding: dict[str, list[Row]] = {contract.table: [] for contract in dimensions}
    for relation in frame.relations("members"):
        chosen = relation.random
        for contract in dimensions:
            table = catalog().raw[main_table(contract)]
            spec, types = projection.spec_of(contract, catalog()), _types(contract)
            keys = relation.some_keys()
            for key in chosen.choices(keys, k=4):
                batch = chosen.randint(1, 6)
                row = {
                    members.DIMENSION: contract.table,
                    members.KEY: key,
                    BATCH: batch,
                    CAPTURED_AT: seen(batch),
                }
                mentioned.append(row)
            captured[contract.table] += raw(relation, table.key[0], [], keys=chosen.sample(keys, 1))
            content = [pa.field(name, types[name]) for name in spec.content if name != INFERRED]
            holding[contract.table] += held(relation, spec, content)[:3]
    named = [(members.DIMENSION, pa.string()), (members.KEY, pa.int64())]
    referred = pa.schema([*named, (BATCH, pa.int64()), (CAPTURED_AT, pa.timestamp("ms"))])

    def ask(engine: Engine) -> Iterator[Question]:
        engine.rows("mentioned", referred, mentioned)
        engine.table("referred", members.first(["SELECT * FROM mentioned", "SELECT * FROM mentioned"]))
        yield Question("members.first", "SELECT * FROM referred", members.KEY)
        yield Question("members.spans", members.spans("referred", "block_of"), members.LOW)
        known = []
        for contract in dimensions:
            table = catalog().raw[main_table(contract)]
            spec, types = projection.spec_of(contract, catalog()), _types(contract)
            engine.rows(f"raw_{contract.table}", _raw_schema(table), captured[contract.table])
            schema = pa.schema([(name, types[name]) for name in spec.columns])
            engine.rows(f"held_{contract.table}", schema, holding[contract.table])
            known += [
                members.known_keys(contract, f"held_{contract.table}"),
                members.arriving(contract, f"raw_{contract.table}"),
            ]
            yield Question(f"members.known_keys {contract.table}", known[-2], members.KEY)
            yield Question(f"members.arriving {contract.table}", known[-1], members.KEY)
        engine.table("missing", members.missing("referred", known))
        yield Question("members.missing", "SELECT * FROM missing", members.KEY)
        yield Question("members.missing of nothing", members.missing("referred", []), members.KEY)
        for contract in dimensions:
            key = projection.spec_of(contract, catalog()).key[0]
            text = members.members(contract, catalog(), "missing")
            yield Question(f"members.members {contract.table}", text, key)

    return ask


def calendar_case(frame: Frame) -> Ask:
    """The years in use and their days: each relation has four years of its own, others in other frames."""
    used: dict[str, list[Row]] = {"one": [], "other": []}
    years = range(1, 10_000, 4)
    days: list[Row] = []
    for relation in frame.relations("calendar"):
        first = years[relation.number % len(years)]
        for rows in used.values():
            for _ in range(4):
                batch = relation.random.randint(1, 6)
                stated = {
                    name: np.datetime64(
                        f"{min(first + relation.random.randint(0, 3), 9999):04}-01-01"
                    ).astype(object)
                    for name in ("created_date", "last_updated_date")
                    if relation.random.random() < 0.8
                }
                deleted = relation.random.random() < 0.2
                rows.append({**stated, BATCH: batch, CAPTURED_AT: seen(batch), DELETED: deleted})
        days.append({calendar.YEAR: first, BATCH: relation.number, CAPTURED_AT: seen(1)})
    dates = [("created_date", pa.date32()), ("last_updated_date", pa.date32())]
    lineage = [(BATCH, pa.int64()), (CAPTURED_AT, pa.timestamp("ms")), (DELETED, pa.bool_())]
    listed = [row for year in days for row in list(calendar.days_of([year]))[::29]]

    def ask(engine: Engine) -> Iterator[Question]:
        for name, rows in used.items():
            engine.rows(name, pa.schema([*dates, *lineage]), rows)
        both = [(name, ["created_date", "last_updated_date"]) for name in used]
        yield Question("calendar.years_in_use", calendar.years_in_use(both))
        engine.rows("days", DAYS, listed)
        for contract in catalog().star_of_kind("calendar"):
            yield Question("calendar.days", calendar.days(contract, "days"))

    return ask


# ---------------------------------------------------------------------- validation


def validation_case(table: str, frame: Frame) -> Ask:
    """Everything that validation and replay ask about one raw table, with all its rules."""
    contract = catalog().raw[table]
    key = contract.key[0]
    suite = load_suites(catalog())[table]
    validator = RowValidator(suite, compile_rules(suite, catalog()).conditions)
    fields = needed_lookups(suite)
    made = _validated(frame, contract, fields)

    def ask(engine: Engine) -> Iterator[Question]:
        engine.rows("raw", _raw_schema(contract), made.rows)
        known: dict[str, Reference] = {}
        for stated in contract.references:
            yield from _reference(engine, stated.column, made, known)
        found: list[FoundRows] = []
        for lookup in suite.lookups:
            yield from _lookup(engine, lookup.table, lookup.on, fields[lookup.table], made, found)
        companions = Companions(known, tuple(found))
        engine.table("complete", companions.complete("raw", validator))
        yield Question("complete", "SELECT * FROM complete", key)
        names = list(_raw_schema(contract).names)
        broken = [f"({condition}) AS broken_{place}" for place, condition in enumerate(validator.conditions)]
        yield Question(
            "conditions", f"SELECT {key}, batch, version_id, {', '.join(broken)} FROM complete", key
        )
        yield Question(
            "row_validator.tally", row_validator.tally(validator, "complete", len(validator.flags) + 1)
        )
        yield Question("row_validator.accepted", row_validator.accepted(validator, "complete", names), key)
        engine.table("rejected", row_validator.rejected(validator, "complete", names))
        yield Question("row_validator.rejected", "SELECT * FROM rejected", key)
        # Around the smallest of the frame's keys, on both sides of zero.
        reach = SPACE * (frame.first // 2 + 20)
        between = (-reach, reach)
        text = row_validator.rejected(validator, "complete", names, between)
        yield Question("row_validator.rejected between", text, key)
        yield from _dead_letters(engine, names, contract)

    return ask


@dataclass(frozen=True)
class _Validated:
    """The rows of a raw table with what they refer to and look up."""

    rows: list[Row]
    batches: list[list[int]]
    keys: list[int]
    looked_into: Mapping[str, Mapping[str, list[Row]]]


def _validated(frame: Frame, contract: Contract, fields: Mapping[str, Sequence[str]]) -> _Validated:
    key, refers = contract.key[0], {reference.column for reference in contract.references}
    rows: list[Row] = []
    keys: list[int] = []
    batches: list[list[int]] = []
    looked: dict[str, dict[str, list[Row]]] = {
        table: {"waiting": [], "accepted": [], "star": []} for table in fields
    }
    for relation in frame.relations(f"validation {contract.table}"):
        first = 10 * relation.place
        own = raw(relation, key, _plain_fields(contract), first.__add__)
        parents = relation.some_keys()
        for row in own:
            for name in refers:
                if row["operation"] != "delete":
                    row[name] = relation.random.choice([*parents, relation.base + 77, None])
        # A row of which nothing can be read is captured, too.
        if relation.random.random() < 0.1:
            own[0] = {**own[0], key: None}
        rows += own
        keys += parents[: relation.random.randint(0, len(parents))]
        batches.append([first + batch for batch in range(1, 5)])
        for table, names in fields.items():
            _looked_into(relation, first, table, names, parents, looked[table])
    return _Validated(rows, batches, sorted(set(keys)), looked)


def _looked_into(
    relation: Relation,
    first: int,
    table: str,
    names: Sequence[str],
    keys: Sequence[int],
    looked: Mapping[str, list[Row]],
) -> None:
    contract, chosen = catalog().raw[table], relation.random
    refers = {reference.column for reference in contract.references}
    wanted = {name: palette(chosen, arrow_type(contract.column(name).type)) for name in names}
    for place, rows in looked.items():
        for key in chosen.sample(list(keys), chosen.randint(0, len(keys))):
            for batch in chosen.sample(range(1, 5), 2):
                row = {name: chosen.choice(values) for name, values in wanted.items()}
                row |= {name: chosen.choice([*keys, None]) for name in names if name in refers}
                row[contract.key[0]] = key
                row["batch"] = first + batch
                row["operation"] = chosen.choice(["insert", "update", "delete"])
                rows.append(row)
                if place == "star":
                    break


def _plain_fields(contract: Contract) -> list[pa.Field]:
    return [pa.field(c.name, arrow_type(c.type)) for c in contract.columns if c.name != contract.key[0]]


def _reference(
    engine: Engine, column: str, made: _Validated, known: dict[str, Reference]
) -> Iterator[Question]:
    """Batches that a few spans answer, those of a paused table, those that bitmaps answer, and others."""
    by_kind = [
        [batch for batches in made.batches for batch in batches[place : place + 1]] for place in range(4)
    ]
    spans = tuple((low, low + 4095) for low in made.keys[::7][: references.FEW_SPANS])
    live = keys_of(np.array(made.keys, np.int64))
    text = references.wanted("raw", column, by_kind[2])
    yield Question(f"references.wanted {column}", text, references.LOW)
    blocks, keys = references.live_blocks(live, engine.fetch(text))
    engine.rows(f"blocks_{column}", references.BLOCKS_SCHEMA, blocks)
    engine.rows(f"keys_{column}", references.KEYS_SCHEMA, keys)
    answers = (
        Answer(tuple(by_kind[0]), spans, is_complete=True),
        Answer(tuple(by_kind[1]), spans[:3], is_complete=False),
        Answer(tuple(by_kind[2]), None, is_complete=True),
    )
    parent = keyed("parent", id="bigint")
    known[column] = Reference(column, parent, answers, f"blocks_{column}", f"keys_{column}")


def _lookup(
    engine: Engine, table: str, on: str, names: Sequence[str], made: _Validated, found: list[FoundRows]
) -> Iterator[Question]:
    contract = catalog().raw[table]
    key, before = contract.key[0], on.rpartition(".")[0]
    column = on.rpartition(".")[2]
    text = (
        lookups.wanted_by_lookup(f"found_{before}", column, contract)
        if before
        else lookups.wanted_by_rows("raw", column, contract)
    )
    engine.table(f"wanted_{table}", text)
    yield Question(f"lookups.wanted {table}", f"SELECT * FROM wanted_{table}", lookups.WANTED_KEY)
    text = lookups.intervals(f"wanted_{table}", contract)
    yield Question(f"lookups.intervals {table}", text, lookups.LOW)
    types = {
        **{c.name: arrow_type(c.type) for c in contract.columns},
        "batch": pa.int64(),
        "operation": pa.string(),
    }
    columns = dict.fromkeys([key, "batch", "operation", *names])
    schema = pa.schema([(name, types[name]) for name in columns])
    for place, rows in made.looked_into[table].items():
        if place != "star":
            engine.rows(f"{place}_{table}", schema, rows)
    star = star_table(catalog(), table)
    assert star is not None
    by_source = {column.source: column.name for column in star.columns if column.source is not None}
    stated = [
        {BATCH: row["batch"], **{by_source[name]: row[name] for name in dict.fromkeys([key, *names])}}
        for row in made.looked_into[table]["star"]
    ]
    star_schema = arrow_schema(star)
    own = dict.fromkeys([by_source[key], *(by_source[name] for name in names), BATCH])
    engine.rows(f"star_{table}", pa.schema([star_schema.field(name) for name in own]), stated)
    versions = [
        lookups.waiting_versions(f"waiting_{table}", contract, names),
        lookups.accepted_versions(f"accepted_{table}", contract, names),
        lookups.star_versions(f"star_{table}", star, [by_source[name] for name in names], names),
    ]
    for place, version in zip(("waiting", "accepted", "star"), versions, strict=True):
        yield Question(f"lookups.{place}_versions {table}", version, lookups.VERSION_KEY)
    engine.table(f"found_{table}", str(lookups.found(f"wanted_{table}", versions, names)))
    yield Question(f"lookups.found {table}", f"SELECT * FROM found_{table}", lookups.WANTED_KEY)
    found.append(
        FoundRows(contract, f"{before}__{column}" if before else column, tuple(names), f"found_{table}")
    )


def _dead_letters(engine: Engine, names: Sequence[str], contract: Contract) -> Iterator[Question]:
    """The list of what was rejected, what of it is unresolved, and what a replay would send on."""
    key = contract.key[0]
    engine.table("letters", unresolved.entries("rejected", contract, 3))
    yield Question("unresolved.entries", "SELECT * FROM letters", unresolved.KEY)
    arrived = f"SELECT * FROM raw WHERE ({key} + batch) % 3 <> 0 OR {key} IS NULL"
    engine.table("arrived", arrived)
    text = unresolved.unresolved("letters", "arrived", contract)
    yield Question("unresolved.unresolved", text, unresolved.KEY)
    yield from _rejected_changes(engine, contract)
    text = replay_rows.originals("rejected", "letters", contract, names)
    engine.table("originals", text)
    yield Question("replay_rows.originals", "SELECT * FROM originals", key)
    sent = replay_rows.sent_on("SELECT * FROM originals", names, "2024-11-15T10:00:00.123")
    yield Question("replay_rows.sent_on", sent, key)


def _rejected_changes(engine: Engine, contract: Contract) -> Iterator[Question]:
    """What the star lists of rejected rows, of a table's own and of one that it joins."""
    key = contract.key[0]
    engine.table("pointing", f"SELECT {key}, {key} AS joined, {key} IS NULL AS {DELETED} FROM raw")
    own = rejected_changes.rejected("fact", contract, "letters")
    join = Join(table="other", on="joined")
    joined = rejected_changes.rejected_in_join("fact", join, contract, "letters", contract, "pointing")
    engine.table("listed", rejected_changes.entries("facts", [own, joined]))
    yield Question("rejected_changes.entries", "SELECT * FROM listed", "entry")


# ---------------------------------------------------------------------- functions

# fmt: off
_PATTERNS = (
    "a", "a|b", "(a|b){1,9}", "[a-z]{0,3}", "[^a]", "[^\n]+", r"\d+", "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"\A\d",
    r"\d\z", "[ -~]*", "(?:ab?){1,3}", "[é\U0001f600]", r"\\", r"[\]\\\^\-]", r"\.\*", "[^\x85]", "x{1000}",
    "[K-\u017f]",
)
# fmt: on

_ARROW = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "INT": pa.int32(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("ms"),
    "BOOLEAN": pa.bool_(),
    "DECIMAL(18,9)": pa.decimal128(18, 9),
}


def functions_case(frame: Frame) -> Ask:
    """Every function of the library; patterns are literals, as the compiler writes them."""
    kinds = {kind for function in FUNCTIONS for _, kind in function.arguments}
    named = {kind: kind.lower().partition("(")[0] for kind in kinds}
    rows = [
        {
            "relation": relation.number * SPACE,
            **{named[kind]: relation.random.choice(values) for kind, values in all_of.items()},
        }
        for relation in frame.relations("functions")
        for all_of in [{kind: _spread(relation.random, kind) for kind in sorted(kinds)}]
        for _ in range(8)
    ]
    schema = pa.schema([("relation", pa.int64()), *((named[kind], _ARROW[kind]) for kind in sorted(kinds))])

    def ask(engine: Engine) -> Iterator[Question]:
        engine.rows("given", schema, rows)
        for function in FUNCTIONS:
            taken = [named[kind] for _, kind in function.arguments]
            calls = [f"{function.name}({', '.join(taken)})"]
            if "pattern" in dict(function.arguments):
                calls = [f"{function.name}(string, {literal(portable(pattern))})" for pattern in _PATTERNS]
            columns = ", ".join(f"{call} AS value_{place}" for place, call in enumerate(calls))
            yield Question(
                function.name,
                f"SELECT relation, {', '.join(dict.fromkeys(taken))}, {columns} FROM given",
                "relation",
            )

    return ask


def _spread(chosen: random.Random, kind: str) -> list[object]:
    """Odd values, and any value of the type."""
    values = palette(chosen, _ARROW[kind], size=4)
    if kind == "BIGINT":
        return [*values, chosen.randint(-(2**63), 2**63 - 1), chosen.randint(-9000, 9000)]
    if kind == "DATE":
        return [*values, np.datetime64(chosen.randint(-719_162, 2_932_896), "D").astype(object)]
    if kind == "TIMESTAMP":
        return [
            *values,
            np.datetime64(chosen.randint(-62_135_596_800_000, 253_402_300_799_999), "ms").astype(object),
        ]
    if kind == "STRING":
        letters = "aK09-. \\'\"\n\r\t\x85\u2028\u212a\u017féßİ\U0001f600[]"
        return [*values, "".join(chosen.choices(letters, k=chosen.randint(0, 6)))]
    return values
