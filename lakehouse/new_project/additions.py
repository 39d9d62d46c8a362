"""What contracts lack of a database: columns, values of enumerations and tables, as YAML to paste.

A pure function of what the database declares and of the contracts; it proposes, and changes no contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalog.catalogue import Catalogue
from catalog.model import Contract
from catalog.types import postgres_accepts
from lakehouse.new_project.columns import lake_type, why_left_out
from lakehouse.new_project.contracts import stated_column
from lakehouse.new_project.database import Database, Place, Relation, spelled_place
from lakehouse.new_project.proposal import named_columns, references_of, taken_names, widened_table
from lakehouse.new_project.tables import Known, LeftOut, Options, ProposedColumn, ProposedTable
from lakehouse.new_project.yaml_text import one_line


@dataclass(frozen=True)
class Addition:
    """What a contract lacks.

    Attributes:
        path: Its file, below the project.
        what: What is to be done there, in words.
        lines: YAML for it.
    """

    path: str
    what: str
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"# {self.path}: {self.what}", *self.lines])


def additions(
    database: Database, catalogue: Catalogue, options: Options, known: Mapping[Place, Known]
) -> tuple[list[Addition], list[LeftOut]]:
    """What the contracts of captured tables lack of what the database has, and what cannot be held of it.

    Args:
        database: What it holds.
        catalogue: The contracts.
        options: What a person states.
        known: The captured tables, by their place in the database.
    """
    found: list[Addition] = []
    left: list[LeftOut] = []
    relations = {relation.place: relation for relation in database.relations}
    for place, table in known.items():
        contract, relation = catalogue.raw[table.table], relations.get(place)
        path = f"catalog/contracts/raw/{contract.table}.yaml"
        if relation is None and place in database.parts:
            reason = "is a part of another table, whose columns are not looked at here"
            left.append(LeftOut(spelled_place(place), reason, "Compare them with its contract yourself."))
            continue
        if relation is None:
            what = f"the database has no {spelled_place(place)}; state its new name by source, or take it out"
            found.append(Addition(path, what))
            continue
        proposed = _new_columns(relation, contract, catalogue, options, known, left)
        found += _values(contract, relation, path)
        found += _columns(proposed, contract, catalogue, known, relations, path)
        found += _differences(contract, relation, proposed, path)
    return found, left


def _new_columns(
    relation: Relation,
    contract: Contract,
    catalogue: Catalogue,
    options: Options,
    known: Mapping[Place, Known],
    left: list[LeftOut],
) -> ProposedTable:
    """The columns that the contract does not state, those of the table's that can be held."""
    stated = {column.at_source for column in contract.columns}
    new = {name: of for name, of in relation.found.columns.items() if name not in stated}
    # What the contract calls its columns, whatever the database does.
    kept = {column.name for column in contract.columns}
    named, unnamed = named_columns(
        replace(relation, found=replace(relation.found, columns=new)),
        options,
        taken_names(catalogue.zones),
        kept,
    )
    shown, columns = spelled_place(relation.place), []
    for name, of in new.items():
        kind = lake_type(of.declared)
        what = f"{shown}.{name}"
        if name in unnamed:
            left.append(LeftOut(what, *unnamed[name]))
        elif kind is None:
            left.append(LeftOut(what, *why_left_out(of.declared)))
        else:
            columns.append(ProposedColumn(name, named[name], kind))
    key = tuple(contract.column(name).at_source for name in contract.key)
    return widened_table(ProposedTable(relation, key, tuple(columns), contract.table), known)


def _columns(
    proposed: ProposedTable,
    contract: Contract,
    catalogue: Catalogue,
    known: Mapping[Place, Known],
    relations: Mapping[Place, Relation],
    path: str,
) -> Iterable[Addition]:
    if not proposed.columns:
        return
    references = references_of(proposed, known, relations)
    referring = {one.column: one.known for one in references}
    lines = []
    for column in proposed.columns:
        stated, said = stated_column(proposed, column, column.at_source in referring)
        lines.append(_listed(stated, said))
    yield Addition(path, f"{_raised(contract)}, and add to the end of columns:", tuple(lines))
    if referring:
        listed = [{"column": proposed.column(name).name, "table": of.table} for name, of in referring.items()]
        yield Addition(path, "add to references:", tuple(map(_listed, listed)))
    for star in catalogue.star.values():
        if star.built_from is None or star.built_from.table != contract.table:
            continue
        names = {column.name for column in star.columns}
        # Rows that are there have no value of it.
        shown = [
            {"name": column.name, "source": column.name, "nullable": True}
            for column in proposed.columns
            if column.name not in names
        ]
        place = f"catalog/contracts/star/{star.table}.yaml"
        what = f"to show them in the star {_raised(star)}, and add to the end of columns:"
        yield Addition(place, what, tuple(map(_listed, shown)))


def _values(contract: Contract, relation: Relation, path: str) -> Iterable[Addition]:
    """Values of enumerations that a contract does not allow."""
    for column in contract.columns:
        declared = relation.found.columns.get(column.at_source)
        if declared is None or declared.values is None or column.allowed_values is None:
            continue
        new = [value for value in declared.values if value not in column.allowed_values]
        if new:
            # What is not in the database any more stands in rows that were captured.
            every = [*column.allowed_values, *new]
            what = f"{_raised(contract)}, and state of the column {column.name}:"
            yield Addition(path, what, (f"allowed_values: {one_line(every)}",))


def _differences(
    contract: Contract, relation: Relation, proposed: ProposedTable, path: str
) -> Iterable[Addition]:
    """Columns that the database does not have as the contract states them."""
    for column in contract.columns:
        declared = relation.found.columns.get(column.at_source)
        if declared is None:
            alike = [one for one in proposed.columns if one.type == str(column.type)]
            what = f"the database has no column {column.at_source}; take {column.name} out"
            if alike:
                names = " or ".join(f"source: {one_line(one.at_source)}" for one in alike)
                what += f", or state of it, where it is only called otherwise now, {names}"
            yield Addition(path, what)
        elif not postgres_accepts(column.type, declared.declared):
            kind = lake_type(declared.declared)
            instead = f"; {kind} holds it, under another name" if kind is not None else ""
            what = f"the column {column.name} is {declared.declared} now, which {column.type} does not hold"
            yield Addition(path, f"{what}{instead}")


def _raised(contract: Contract) -> str:
    """What the version becomes by data that were not there before."""
    major, minor, _ = contract.version.split(".")
    return f"raise the version to {major}.{int(minor) + 1}.0"


def _listed(stated: Mapping[str, Any], said: Iterable[str] = ()) -> str:
    remark = "; ".join(said)
    return f"- {one_line(stated)}" + (f" # review: {remark}" if remark else "")
