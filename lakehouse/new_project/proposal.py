"""Contracts of a database: a pure function of what its catalogs say.

Nothing is folded or guessed in silence: a name that two would share is refused, and what is a guess is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from catalog.model import NO_KEY, Zone
from catalog.types import parse_type, postgres_accepts
from glue_jobs.lake.layout import QUARANTINES
from glue_jobs.runtime.connections import spelled
from glue_jobs.runtime.errors import TablePaused
from glue_jobs.sources.postgres_source import SourceColumn
from lakehouse.new_project.columns import key_type, lake_type, one_text, why_left_out
from lakehouse.new_project.contracts import dimension_contract, fact_contract, is_fact, raw_contract
from lakehouse.new_project.database import Database, Place, Relation, spelled_place
from lakehouse.new_project.names import LONGEST_COLUMN, LONGEST_TABLE, VIEWS, collisions, lake_name
from lakehouse.new_project.tables import (
    Known,
    LeftOut,
    Marks,
    Options,
    ProposedColumn,
    ProposedReference,
    ProposedTable,
)


@dataclass(frozen=True)
class Proposal:
    """What is proposed.

    Attributes:
        raw: Contracts of the raw zone, by table.
        star: Contracts of the star, by table.
        marks: By zone, table and column, what a person should look at; an empty column is the whole table.
        left_out: What the project does not hold.
        skipped: Tables that the patterns leave out.
        chosen: What is captured.
    """

    raw: Mapping[str, Mapping[str, Any]]
    star: Mapping[str, Mapping[str, Any]]
    marks: Mapping[tuple[str, str, str], str]
    left_out: tuple[LeftOut, ...]
    skipped: int
    chosen: tuple[Relation, ...]


def propose(
    database: Database,
    options: Options,
    zones: Mapping[str, Zone],
    known: Mapping[Place, Known] | None = None,
) -> Proposal:
    """Contracts of a database's tables, and of a star to start from.

    Args:
        database: What it holds.
        options: What a person states.
        zones: What the zones add to each table, whose names no column may have.
        known: Tables of the database that the project has already, by their place there.
    """
    known = known or {}
    wanted = [one for one in database.relations if _is_wanted(one.place, options)]
    left: list[LeftOut] = []
    new = [one for one in wanted if one.place not in known]
    sound = [one for one in new if _is_capturable(one, database, left)]
    taken = taken_names(zones)
    # Before they are named: what cannot be held takes its name from nothing that can.
    unnamed = [table for one in sound if (table := _table(one, options, taken, left)) is not None]
    kept = {table.table for table in known.values()}
    named = _named_tables([table.relation for table in unnamed], options, kept, left)
    tables = [
        replace(table, name=named[table.relation.place]) for table in unnamed if table.relation.place in named
    ]
    skipped = len(database.relations) - len(wanted)
    return _contracts(tables, known, {one.place: one for one in database.relations}, options, left, skipped)


def _is_wanted(place: Place, options: Options) -> bool:
    def matches(patterns: Iterable[str]) -> bool:
        return any(fnmatchcase(name, one) for one in patterns for name in (".".join(place), place[1]))

    return (not options.include or matches(options.include)) and not matches(options.exclude)


def _is_capturable(relation: Relation, database: Database, left: list[LeftOut]) -> bool:
    shown = spelled_place(relation.place)
    if relation.found.kind in "vm":
        tables = ", ".join(spelled_place(place) for place in relation.made_of)
        reason = f"is a view over {tables}" if tables else "is a view over no table"
        remedy = f"Capture {tables}, and ask for what it shows by a question." if tables else "Leave it out."
        left.append(LeftOut(shown, f"{reason}: it has no row versions", remedy))
    elif not relation.in_reach:
        schema = spelled(relation.place[0])
        remedy = f"Let its owner run: GRANT USAGE ON SCHEMA {schema} TO {spelled(database.role)}"
        left.append(LeftOut(shown, f"lies in the schema {schema}, which the role may not use", remedy))
    elif relation.is_hypertable:
        reason = "is a hypertable of Timescale, which moves and compresses its rows by itself"
        left.append(
            LeftOut(shown, reason, "Copy what you need of it into an ordinary table, and capture that.")
        )
    else:
        try:
            relation.found.complain_unless_capturable(shown)
        except TablePaused as error:
            left.append(LeftOut(f"{shown}:", error.problem.rstrip("."), error.remedy))
        else:
            return True
    return False


def _named_tables(
    relations: Iterable[Relation], options: Options, kept: Collection[str], left: list[LeftOut]
) -> dict[Place, str]:
    """The names of tables in the lake, but for those that two would share."""
    found: dict[str, str] = {}
    places = {spelled_place(relation.place): relation.place for relation in relations}
    for shown, place in places.items():
        name = options.names.get(".".join(place)) or lake_name(place[1], frozenset(QUARANTINES))
        if name is None or len(name) > LONGEST_TABLE:
            left.append(LeftOut(shown, _why_unnamed(name, LONGEST_TABLE), _rename(place)))
        else:
            found[shown] = name
    shared = collisions(found, kept)
    for name, others in shared.items():
        reason = f"would be {found[name]}, as {' and '.join(others) or 'a table of the project'} would"
        left.append(LeftOut(name, reason, _rename(places[name])))
    lake_names = {*found.values(), *kept}
    for name, lake in found.items():
        view_of = next((lake.removesuffix(end) for end in VIEWS if lake.endswith(end)), None)
        if name not in shared and view_of in lake_names:
            reason = f"would be {lake}, and so would a view of {view_of} be called"
            left.append(LeftOut(name, reason, _rename(places[name])))
            shared[name] = (lake,)
    return {places[name]: lake for name, lake in found.items() if name not in shared}


def _table(
    relation: Relation, options: Options, taken: frozenset[str], left: list[LeftOut]
) -> ProposedTable | None:
    shown, declared = spelled_place(relation.place), relation.found.columns
    if not relation.keys:
        parts = [spelled(leaf.name) for leaf in relation.found.leaves if leaf.oid != relation.found.oid]
        others = f" Or write contracts of its parts, such as {parts[0]}, if they have keys." if parts else ""
        left.append(LeftOut(shown, "has no key", f"{NO_KEY[0].upper()}{NO_KEY[1:]}.{others}"))
        return None
    named, unnamed = named_columns(relation, options, taken)
    wrong: list[tuple[str, str, str]] = []
    for key in relation.keys:
        types = {one: key_type(declared[one], relation.bases.get(one)) for one in key}
        odd = [one for one in key if types[one] is None or one in unnamed]
        if not odd:
            break
        wrong += [(one, *_why_no_key(declared[one], unnamed.get(one))) for one in odd]
    else:
        column, reason, remedy = wrong[0]
        left.append(LeftOut(shown, f"has the key column {spelled(column)}, {reason}", remedy))
        return None
    columns = []
    for column, of in declared.items():
        kind = types.get(column) or lake_type(of.declared)
        if column in unnamed:
            left.append(LeftOut(f"{shown}.{spelled(column)}", *unnamed[column]))
        elif kind is None:
            left.append(LeftOut(f"{shown}.{spelled(column)}", *why_left_out(of.declared)))
        else:
            columns.append(ProposedColumn(column, named[column], kind))
    left += [
        LeftOut(
            f"{spelled(child)}.{spelled(column)}",
            f"is a column that {shown} has not, of which {spelled(child)} is a child",
            "Write a contract of the child beside that of its parent, if you need it.",
        )
        for child, column in relation.only_in_parts
    ]
    return ProposedTable(relation, key, tuple(columns))


def named_columns(
    relation: Relation, options: Options, taken: frozenset[str], kept: Collection[str] = ()
) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The names of columns in the lake; and of those that get none, why and the way out.

    Args:
        relation: Their table.
        options: What a person states.
        taken: What the lake calls columns of its own.
        kept: Names that other columns of the table have there.
    """
    found, unnamed = {}, {}
    for column in relation.found.columns:
        place = (*relation.place, column)
        name = options.names.get(".".join(place)) or lake_name(column, taken)
        if name is None or len(name) > LONGEST_COLUMN:
            unnamed[column] = (_why_unnamed(name, LONGEST_COLUMN), _rename(place))
        else:
            found[column] = name
    for column, others in collisions(found, kept).items():
        shared = " and ".join(map(spelled, others)) or "a column of its contract"
        unnamed[column] = (f"would be {found[column]}, as {shared} would", _rename((*relation.place, column)))
    return found, unnamed


def _why_no_key(column: SourceColumn, unnamed: tuple[str, str] | None) -> tuple[str, str]:
    if unnamed is not None:
        reason, remedy = unnamed
        return f"which {reason}", remedy
    if column.is_vague:
        return (
            "whose collation takes texts for equal that are not the same",
            "Give the column a deterministic collation, or the table a unique column of another type.",
        )
    reason = f"which is {column.declared}: a value of it has several texts, by which a row could be named"
    return reason, "Give the table a unique column of whole numbers, uuid, or text that is never empty."


def _contracts(
    tables: list[ProposedTable],
    known: Mapping[Place, Known],
    relations: Mapping[Place, Relation],
    options: Options,
    left: list[LeftOut],
    skipped: int,
) -> Proposal:
    tables = _widened(tables, known)
    targets = {**known, **{table.relation.place: table.known for table in tables}}
    references = {table.name: references_of(table, targets, relations) for table in tables}
    referred = {one.target for of in references.values() for one in of}
    facts = {table.name for table in tables if is_fact(table, references[table.name], referred)}
    dimensions = {one.table: one.dimension for one in known.values() if one.dimension is not None}
    dimensions |= {table.name: f"dim_{table.name}" for table in tables if table.name not in facts}
    marks: Marks = {}
    raw = {table.name: raw_contract(table, references[table.name], options, marks) for table in tables}
    star = {}
    for table in tables:
        if table.name in facts:
            star[f"fact_{table.name}"] = fact_contract(
                table, references[table.name], dimensions, options, marks
            )
        else:
            star[f"dim_{table.name}"] = dimension_contract(table, options, marks)
    chosen = tuple(table.relation for table in tables)
    return Proposal(raw, star, marks, tuple(sorted(left, key=lambda one: one.what)), skipped, chosen)


def _widened(tables: list[ProposedTable], known: Mapping[Place, Known]) -> list[ProposedTable]:
    """The same, with columns of the type of the key that they refer to: of more digits, or text."""
    while True:
        targets = {**known, **{table.relation.place: table.known for table in tables}}
        wider = [widened_table(table, targets) for table in tables]
        if wider == tables:
            return tables
        tables = wider


def widened_table(table: ProposedTable, targets: Mapping[Place, Known]) -> ProposedTable:
    """The same, with columns of the type of the key that they refer to: of more digits, or text.

    Args:
        table: The table.
        targets: What it may refer to.
    """
    changed = {
        key.columns[0]: targets[key.target].types[0]
        for key in table.relation.foreign_keys
        if len(key.columns) == 1
        and key.target in targets
        and key.target_columns == targets[key.target].key
        and _is_held_by(targets[key.target].types[0], table.relation, key.columns[0])
    }
    columns = tuple(replace(one, type=changed.get(one.at_source, one.type)) for one in table.columns)
    return replace(table, columns=columns)


def _is_held_by(kind: str, relation: Relation, column: str) -> bool:
    """Whether a column that refers to a key of a type is of that type as well."""
    of = relation.found.columns[column]
    if kind == "text":
        return key_type(of, relation.bases.get(column)) == "text"
    return kind == "bigint" and postgres_accepts(parse_type("bigint"), of.declared)


def references_of(
    table: ProposedTable, targets: Mapping[Place, Known], relations: Mapping[Place, Relation]
) -> tuple[ProposedReference, ...]:
    """What a contract can say of a table's foreign keys: one column that holds another table's key.

    Args:
        table: The table.
        targets: What it may refer to.
        relations: The database's tables.
    """
    found = {}
    types = {column.at_source: column.type for column in table.columns}
    for key in table.relation.foreign_keys:
        target = targets.get(key.target)
        if (
            key.is_checked
            and target is not None
            and len(key.columns) == 1
            and key.target_columns == target.key
            and types.get(key.columns[0]) == target.types[0]
            and (
                target.types[0] != "text"
                or (
                    key.target in relations
                    and _texts(table.relation, key.columns[0]) == _texts(relations[key.target], target.key[0])
                )
            )
        ):
            found[key.columns[0]] = ProposedReference(key.columns[0], key.target, target)
    return tuple(found.values())


def _texts(relation: Relation, column: str) -> tuple[str, bool]:
    """What the texts of a column are alike with: those of another have the same value only within that."""
    of = relation.found.columns[column]
    return one_text(relation.bases.get(column, of.declared)), of.is_vague


def taken_names(zones: Mapping[str, Zone]) -> frozenset[str]:
    """What the lake calls columns of its own.

    Args:
        zones: The zones by name.
    """
    return frozenset(
        column.name
        for zone in zones.values()
        if zone.name != "ops"
        for column in (
            *zone.lineage,
            *zone.dimension_lineage,
            *zone.validation_columns,
            *zone.partition_columns,
        )
    )


def _why_unnamed(name: str | None, longest: int) -> str:
    if name is None:
        return "has a name of letters that have no plain form"
    return f"would be {name}, which is longer than the {longest} characters of a name here"


def _rename(place: tuple[str, ...]) -> str:
    # As a shell reads it, whatever quotes are in the name.
    name = ".".join(place).replace("'", "'\\''")
    return f"Name it with --rename '{name}=NAME', or leave it out."
