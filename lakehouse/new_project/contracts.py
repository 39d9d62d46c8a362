"""States what is proposed of a table as contracts, and marks what a person should look at."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from catalog.keys import NUMBERS
from catalog.types import MOMENTS
from lakehouse.new_project.columns import UNSTATED_DIGITS, looks_personal
from lakehouse.new_project.database import Place, spelled_place
from lakehouse.new_project.tables import Marks, Options, ProposedColumn, ProposedReference, ProposedTable
from lakehouse.terminal import counted

TO_DESCRIBE = "TO DESCRIBE"
"""Stands where a person has to say what something means."""

CUT_FROM_ROWS = 100_000
"""A fact of so many rows is cut by month: of fewer, each month would be a file of next to nothing."""

_CREATED = re.compile(
    r"(created|inserted|placed|ordered|booked|posted|recorded|occurred|logged)(_at|_on|_time)?"
)
_KEPT_BY = re.compile(r"(created|inserted|updated|modified|changed|deleted)(_at|_on|_time|_date)?|last_\w+")
"""Times that say when a row was written, of whatever table."""

_MEASURES = ("decimal", "double", "real")


def is_fact(
    table: ProposedTable, references: Collection[ProposedReference], referred: Collection[Place]
) -> bool:
    """A guess: what refers to other tables and counts or measures something.

    What others refer to is more likely a dimension, unless it has amounts, and refers to several tables or
    has a time of its own: an order, and not a product of some category.

    Args:
        table: The table.
        references: What it refers to.
        referred: The tables that others refer to.
    """
    outward = {one.column for one in references if one.target != table.relation.place}
    if not outward:
        return False
    plain = [one for one in table.columns if one.at_source not in {*outward, *table.key}]
    times = [one for one in plain if one.type in (*MOMENTS, "date") and not _KEPT_BY.fullmatch(one.name)]
    measures = any(one.type.startswith(_MEASURES) for one in plain)
    if table.relation.place in referred:
        return measures and (len(outward) > 1 or bool(times))
    return measures or bool(times) or set(table.key) <= outward or any(one.type in NUMBERS for one in plain)


def raw_contract(
    table: ProposedTable,
    references: Iterable[ProposedReference],
    options: Options,
    marks: Marks,
) -> dict[str, Any]:
    """The contract of a table as it is captured.

    Args:
        table: The table.
        references: What it refers to.
        options: What a person states.
        marks: Takes what a person should look at.
    """
    relation, (schema, name) = table.relation, table.relation.place
    source = {"schema": schema} if schema != options.schema else {}
    source |= {"table": name} if name != table.name else {}
    referring = {one.column: one.known.table for one in references}
    contract = _head(table.name, "raw", options)
    contract["grain"] = f"One version of a row of {spelled_place(relation.place)}."
    if relation.comment is None:
        marks["raw", table.name, ""] = "say what one row is"
    else:
        contract["grain"] += f" {relation.comment}"
    contract["key"] = [table.column(one).name for one in table.key]
    if table.key != relation.keys[0] or not relation.found.primary_key:
        marks["raw", table.name, "key"] = "the key is that of a unique index"
    if source:
        contract["source"] = source
    unsaid = {key.columns for key in relation.foreign_keys} - {(one,) for one in referring}
    if referring:
        contract["references"] = [
            {"column": table.column(one).name, "table": of} for one, of in referring.items()
        ]
    columns = []
    for column in table.columns:
        stated, said = stated_column(table, column, column.at_source in referring)
        columns.append(stated)
        if said:
            marks["raw", table.name, column.name] = "; ".join(said)
    contract["columns"] = columns
    if unsaid:
        marks["raw", table.name, "columns"] = (
            f"{counted(len(unsaid), 'foreign key')} not stated: of several columns, to no key, to what is"
            " left out, or not checked in the source"
        )
    return contract


def stated_column(
    table: ProposedTable, column: ProposedColumn, is_reference: bool
) -> tuple[dict[str, Any], list[str]]:
    """What a raw contract says of a column, and what a person should look at.

    Args:
        table: Its table.
        column: The column.
        is_reference: Whether it holds the key of another table.
    """
    of = table.relation.found.columns[column.at_source]
    described = table.relation.comments.get(column.at_source)
    stated: dict[str, Any] = {"name": column.name}
    if column.name != column.at_source:
        stated["source"] = column.at_source
    stated |= {"type": column.type, "nullable": column.at_source not in table.relation.required}
    stated["description"] = described or TO_DESCRIBE
    if of.declared == "enum":
        stated["allowed_values"] = list(of.values or ())
    said = []
    if looks_personal(table.name, column.name) and not is_reference:
        if column.at_source in table.key:
            said.append("its name looks personal, and keys are shown to everybody")
        else:
            stated["personal"] = True
            said.append("its name looks personal")
    if column.at_source in table.key and column.type in ("date", "timestamp"):
        said.append("infinity and years BC name no row, unless it is text")
    if table.relation.bases.get(column.at_source, of.declared) == "money":
        said.append("money is read with two decimals: give it a numeric type where lc_monetary has others")
    if column.type == UNSTATED_DIGITS and of.declared == "numeric":
        said.append("the source states no digits: what does not fit is a dead letter, unless it is text")
    return stated, said


def dimension_contract(table: ProposedTable, options: Options, marks: Marks) -> dict[str, Any]:
    """The contract of a dimension that is a table as last known.

    Args:
        table: The table.
        options: What a person states.
        marks: Takes what a person should look at.
    """
    marks["star", f"dim_{table.name}", ""] = (
        "a dimension is a guess: nothing that is counted refers elsewhere"
    )
    return {
        **_head(f"dim_{table.name}", "star", options, kind="dimension"),
        "grain": f"A row of {table.name} as last known.",
        "key": [table.column(one).name for one in table.key],
        "built_from": {"table": table.name},
        "columns": _as_they_are(table),
    }


def fact_contract(
    table: ProposedTable,
    references: Iterable[ProposedReference],
    dimensions: Mapping[str, str],
    options: Options,
    marks: Marks,
) -> dict[str, Any]:
    """The contract of a fact that is a table with every version of its rows.

    Args:
        table: The table.
        references: What it refers to.
        dimensions: By raw table, the dimension that is built from it.
        options: What a person states.
        marks: Takes what a person should look at.
    """
    names = {column.name for column in table.columns}
    possible = (f"{'fact_' * number}{table.name}_record_id" for number in itertools.count())
    record = next(name for name in possible if name not in names)
    contract = {
        **_head(f"fact_{table.name}", "star", options, kind="fact"),
        "grain": f"One captured version of one row of {table.name}.",
        "key": [table.column(one).name for one in table.key],
        "built_from": {"table": table.name},
    }
    said = "that it is a fact is a guess, made from foreign keys"
    month = _month(table)
    if month is not None:
        contract["partition"] = month
        said += f"; so is that {month['source_column']} never changes"
    marks["star", f"fact_{table.name}", ""] = said
    stated = [
        {"column": table.column(one.column).name, "table": dimensions[one.known.table]}
        for one in references
        if one.known.table in dimensions
    ]
    if stated:
        contract["references"] = stated
    described = f"Numbers the versions of all rows of {table.name}."
    number = {"type": "integer", "nullable": False, "description": described, "record_id": True}
    return {**contract, "columns": [{"name": record, **number}, *_as_they_are(table)]}


def _as_they_are(table: ProposedTable) -> list[dict[str, Any]]:
    """Columns of the star that are those of the raw table: type, description and marks are inherited."""
    return [{"name": column.name, "source": column.name} for column in table.columns]


def _month(table: ProposedTable) -> dict[str, Any] | None:
    """By the month of what a large fact is cut, where a column looks as if it never changed."""
    if table.relation.rows < CUT_FROM_ROWS:
        return None
    names = {column.name for column in table.columns}
    for column in table.columns:
        found = _CREATED.fullmatch(column.name)
        name = f"{found[1]}_month" if found else ""
        is_there = column.at_source in table.relation.required and column.type in MOMENTS
        if found and is_there and name not in names:
            return {"name": name, "source_column": column.name, "granularity": "month"}
    return None


def _head(table: str, zone: str, options: Options, kind: str | None = None) -> dict[str, Any]:
    of_kind = {} if kind is None else {"kind": kind}
    return {"table": table, "zone": zone, "version": "1.0.0", **of_kind, "owner": options.owner}
