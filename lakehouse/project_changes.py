"""What a changed project does to a lake and a warehouse that have rows already.

A pure function of two catalogues, see :func:`compare_projects`. Each difference is one that a stack takes up
as it goes on, one that only a rebuild carries into rows that are there, or one that this lake cannot follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.catalogue import Catalogue
from catalog.changes import Change, Kind, changes
from catalog.model import Column, Contract

_RULES, _QUESTIONS, _DASHBOARD, _NOTEBOOKS = (
    "expectations/rules/",
    "bi/queries/",
    "bi/dashboard/",
    "notebooks/",
)


@dataclass(frozen=True)
class ProjectChanges:
    """What differs, each difference in words.

    Attributes:
        told: What is taken up as the stack goes on.
        to_alter: What the warehouse's tables get, or columns of theirs that may be empty from then on.
        to_rebuild: What asks for a rebuild: rows of the star that are there would not follow.
        refused: What this lake cannot follow, with the way out.
    """

    told: tuple[str, ...] = ()
    to_alter: tuple[str, ...] = ()
    to_rebuild: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def compare_projects(old: Catalogue, new: Catalogue) -> ProjectChanges:
    """What differs between what a stack works by and what the files say now.

    Args:
        old: The contracts that it works by.
        new: Those of the files.
    """
    told: list[str] = []
    to_alter: list[str] = []
    to_rebuild: list[str] = []
    refused: list[str] = list(_zones(old, new))
    for name in sorted(old.raw.keys() | new.raw.keys()):
        _raw_table(old.raw.get(name), new.raw.get(name), told, refused)
    for name in sorted(old.star.keys() | new.star.keys()):
        _star_table(name, old, new, told, to_rebuild, refused)
        to_alter += _altered(old.star.get(name), new.star.get(name))
    return ProjectChanges(tuple(told), tuple(to_alter), tuple(to_rebuild), tuple(refused))


def _altered(before: Contract | None, after: Contract | None) -> Iterable[str]:
    """What a load adds to a table of the warehouse that is there."""
    if before is None or after is None:
        return
    was = {column.name: column for column in before.columns}
    stated = {column.name for column in after.columns}
    for column in after.columns:
        known = was.get(column.name)
        if known is None and column.nullable:
            yield f"{after.table}.{column.name} is added ({column.type}), empty at first"
        elif known is not None and column.nullable and not known.nullable:
            yield f"{after.table}.{column.name} may be empty from then on"
    for column in before.columns:
        if column.name not in stated and not column.nullable:
            yield f"{after.table}.{column.name} stays, and may be empty from then on"


def compare_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[str, ...]:
    """What differs besides contracts: rules, questions, the dashboard, the pipeline.

    Args:
        old: The files that a stack works by, by path.
        new: Those of the project now.
    """
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    words = {
        _RULES: "rules: what is captured from now on is validated by them as they are now",
        _QUESTIONS: "questions: as they are now",
        _DASHBOARD: "dashboard: as it is now",
        _NOTEBOOKS: "notebooks: the lineage shows what they ask now",
        "catalog/pipeline.yaml": "pipeline.yaml: as it is now",
    }
    return tuple(text for start, text in words.items() if any(name.startswith(start) for name in changed))


def _zones(old: Catalogue, new: Catalogue) -> Iterable[str]:
    for name in sorted(old.zones.keys() | new.zones.keys()):
        before, after = (
            None if zone is None else (zone.database, zone.bucket, zone.prefix, *map(_shape, _added(zone)))
            for zone in (old.zones.get(name), new.zones.get(name))
        )
        if before != after:
            yield f"zones.yaml, {name}: every file of the zone would be another"


def _added(zone: object) -> tuple[Column, ...]:
    names = ("lineage", "dimension_lineage", "validation_columns", "partition_columns")
    return tuple(column for name in names for column in getattr(zone, name))


def _shape(column: Column) -> tuple[str, str]:
    return column.name, str(column.type)


def _raw_table(old: Contract | None, new: Contract | None, told: list[str], refused: list[str]) -> None:
    if old is None:
        if new is not None:
            told.append(f"raw/{new.table}: a new table, which the next capture reads in full")
        return
    if new is None:
        told.append(f"raw/{old.table}: captured no more; what was captured stays")
        return
    for change in changes(old, new):
        if change.kind == Kind.BREAKS and not _is_gone(change, old, new):
            refused.append(f"raw/{new.table}: {change.words}")
        else:
            told.append(f"raw/{new.table}: {change.words}{_consequence(change, old, new)}")


def _is_gone(change: Change, old: Contract, new: Contract) -> bool:
    """Whether the change is that a column is stated no more."""
    after = {column.name for column in new.columns}
    gone = {f"column {column.name} is gone" for column in old.columns if column.name not in after}
    return change.words in gone


def _consequence(change: Change, old: Contract, new: Contract) -> str:
    if _is_gone(change, old, new):
        return "; what was captured of it stays"
    if change.kind == Kind.NARROWS:
        return "; rows that were accepted stay, what is captured from now on is validated by it"
    return "; the next capture reads the table in full" if change.kind == Kind.ADDS else ""


def _star_table(
    name: str,
    old: Catalogue,
    new: Catalogue,
    told: list[str],
    to_rebuild: list[str],
    refused: list[str],
) -> None:
    before, after = old.star.get(name), new.star.get(name)
    if after is None:
        told.append(f"star/{name}: built no more; its table in the warehouse stays as it is")
    elif before is None:
        captured = [table for table in _made_from(after) if table in old.raw]
        if captured:
            to_rebuild.append(f"star/{name}: a new table of {', '.join(captured)}, which is captured already")
        else:
            told.append(f"star/{name}: a new table")
    else:
        for column in after.columns:
            _star_column(before, after, column, old, told, to_rebuild, refused)
        stated = {column.name for column in after.columns}
        told += [
            f"star/{name}: column {column.name} is gone; in the warehouse it stays"
            for column in before.columns
            if column.name not in stated
        ]
        to_rebuild += [f"star/{name}: {what} is another" for what in _made_otherwise(before, after)]


def _made_from(contract: Contract) -> tuple[str, ...]:
    built = contract.built_from
    if built is None or built.table is None:
        return ()
    return (built.table, *(join.table for join in built.joins))


def _star_column(
    before: Contract,
    after: Contract,
    column: Column,
    old: Catalogue,
    told: list[str],
    to_rebuild: list[str],
    refused: list[str],
) -> None:
    place = f"star/{after.table}: column {column.name}"
    known = next((one for one in before.columns if one.name == column.name), None)
    if known is None:
        if _is_captured_already(after, column, old):
            to_rebuild.append(f"{place} is new, of what is captured already")
        elif not column.nullable:
            reason = "is new and never empty, and rows that are there have no value of it"
            refused.append(f"{place} {reason}: state it as nullable: true")
        else:
            told.append(f"{place} is new; rows that are there get it as they are captured again")
        return
    if known.type != column.type:
        to_rebuild.append(f"{place}: {known.type} becomes {column.type}")
    elif (known.expression, known.default) != (column.expression, column.default):
        to_rebuild.append(f"{place} is made otherwise")
    elif known != column:
        told.append(f"{place} is stated otherwise; its values stay")


def _is_captured_already(contract: Contract, column: Column, old: Catalogue) -> bool:
    """Whether a column is made of some that rows of the lake have."""
    built = contract.built_from
    if built is None or built.table is None:
        return True
    for name in column.inputs:
        table, _, own = name.rpartition(".")
        raw = old.raw.get(table or built.table)
        if raw is not None and any(one.name == own for one in raw.columns):
            return True
    return not column.inputs


def _made_otherwise(before: Contract, after: Contract) -> list[str]:
    found = [
        words
        for words, field in (
            ("the key", "key"),
            ("the kind", "kind"),
            ("built_from", "built_from"),
            ("the partition", "partition"),
        )
        if getattr(before, field) != getattr(after, field)
    ]
    if set(after.references) - set(before.references):
        found.append("a reference")
    return found
