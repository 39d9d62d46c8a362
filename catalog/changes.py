"""What a change of a contract means for those who read the table, and which version it therefore needs.

A schema registry compares definitions, but what "compatible" means to it for JSON Schema is documented
nowhere. The rules stand here instead. A field of a contract that no rule knows breaks: nothing slips through
because nobody thought of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Optional, TypeVar

from catalog.model import Column, Contract
from catalog.types import LogicalType

Value = TypeVar("Value")


class Kind(IntEnum):
    """What a change does, the mildest first.

    Attributes:
        RESTATES: Other words for the same data.
        ADDS: Data that were not there; what is read already stays as it is.
        WIDENS: More values, all of which the same readers can hold.
        NARROWS: Fewer values: rows that were accepted are now rejected.
        BREAKS: What was there is gone or is something else.
    """

    RESTATES = 1
    ADDS = 2
    WIDENS = 3
    NARROWS = 4
    BREAKS = 5


_STEP = {
    Kind.RESTATES: "patch",
    Kind.ADDS: "minor",
    Kind.WIDENS: "minor",
    Kind.NARROWS: "major",
    Kind.BREAKS: "major",
}


@dataclass(frozen=True)
class Change:
    """One difference between two statements of a table.

    Attributes:
        kind: What it does.
        words: What differs, for a person.
    """

    kind: Kind
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({self.kind.name.lower()})"


def changes(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference between two statements of one table, their versions aside."""
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    found = [Change(Kind.BREAKS, f"column {name} is gone") for name in before if name not in after]
    found += [Change(Kind.ADDS, f"column {name} is new") for name in after if name not in before]
    for name in before.keys() & after.keys():
        found += _of_column(before[name], after[name])
    found += _of_table(old, new)
    in_both = [name for name in before if name in after]
    if in_both != [name for name in after if name in before]:
        found.append(Change(Kind.RESTATES, "columns stand in another order"))
    return tuple(sorted(found, key=lambda change: (-change.kind, change.words)))


def complaint(old: Contract, new: Contract) -> Optional[str]:
    """Why a statement may not follow another under its version; nothing where it may.

    Args:
        old: What was published last.
        new: What is to be published.
    """
    before, after = _numbers(old.version), _numbers(new.version)
    if after < before:
        return f"version {new.version} is before {old.version}, which is published"
    found = changes(old, new)
    if not found:
        return None
    step = _STEP[found[0].kind]
    if after >= _least(before, step):
        return None
    listed = "; ".join(str(change) for change in found)
    least = ".".join(str(number) for number in _least(before, step))
    return f"{listed}. This asks for version {least} or later, and it states {new.version}"


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def _least(before: tuple[int, int, int], step: str) -> tuple[int, int, int]:
    major, minor, patch = before
    if step == "major":
        return major + 1, 0, 0
    return (major, minor + 1, 0) if step == "minor" else (major, minor, patch + 1)


_TOLD_OF_TABLES = {"version", "columns", "owner", "grain", "references", "rotation", "source", "read"}
_TOLD_OF_COLUMNS = {
    *("name", "type", "nullable", "description", "personal", "source"),
    *("allowed_values", "pattern", "minimum", "maximum", "severity", "max_bytes"),
}


def _of_table(old: Contract, new: Contract) -> list[Change]:
    found = [
        Change(Kind.RESTATES, f"{field} is another")
        for field in ("owner", "grain", "rotation", "source", "read")
        if getattr(old, field) != getattr(new, field)
    ]
    gone, come = set(old.references) - set(new.references), set(new.references) - set(old.references)
    found += [Change(Kind.WIDENS, f"{r.column} no longer refers to {r.table}") for r in gone]
    found += [Change(Kind.NARROWS, f"{r.column} refers to {r.table}") for r in come]
    return found + _unruled(old, new, _TOLD_OF_TABLES, "")


def _of_column(old: Column, new: Column) -> list[Change]:
    name = f"column {old.name}"
    found = []
    if old.type != new.type:
        wider = holds(new.type, old.type)
        found.append(Change(Kind.WIDENS if wider else Kind.BREAKS, f"{name}: {old.type} becomes {new.type}"))
    if old.nullable != new.nullable:
        kind, words = (Kind.WIDENS, "may") if new.nullable else (Kind.NARROWS, "may no longer")
        found.append(Change(kind, f"{name} {words} be empty"))
    if old.personal != new.personal:
        # Who may see it: to take the mark off shows values that were hidden.
        kind, words = (Kind.RESTATES, "is") if new.personal else (Kind.WIDENS, "is no longer")
        found.append(Change(kind, f"{name} {words} personal"))
    if old.source != new.source:
        found.append(Change(Kind.RESTATES, f"{name} is called otherwise at the source"))
    if old.description != new.description:
        found.append(Change(Kind.RESTATES, f"{name} is described otherwise"))
    found += _of_rule(f"{name}: allowed_values", old.allowed_values, new.allowed_values, _more_values)
    # Whether a regular expression matches all that another does cannot be decided here.
    found += _of_rule(f"{name}: pattern", old.pattern, new.pattern, lambda *_: False)
    found += _of_rule(f"{name}: minimum", old.minimum, new.minimum, lambda was, now: now < was)
    found += _of_rule(f"{name}: maximum", old.maximum, new.maximum, lambda was, now: now > was)
    if old.cell_limit != new.cell_limit:
        kind = Kind.WIDENS if new.cell_limit > old.cell_limit else Kind.NARROWS
        found.append(Change(kind, f"{name}: max_bytes is another"))
    if old.severity != new.severity:
        # Unless stated, a pattern warns: whether a change rejects more depends on what it is about.
        kind = Kind.WIDENS if new.severity == "warn" else Kind.NARROWS
        found.append(Change(kind, f"{name}: what breaks its rules is to {new.severity or 'count as usual'}"))
    return found + _unruled(old, new, _TOLD_OF_COLUMNS, f"{name}: ")


_WIDENINGS = {("bigint", "integer"), ("timestamp(6)", "timestamp"), ("double", "real")}


def holds(wide: LogicalType, narrow: LogicalType) -> bool:
    """Whether a type holds every value of another, in files that are there already too."""
    if (wide.name, narrow.name) in _WIDENINGS:
        return True
    if wide.name != "decimal" or narrow.name != "decimal":
        return wide == narrow
    whole = (wide.precision or 0) - (wide.scale or 0) >= (narrow.precision or 0) - (narrow.scale or 0)
    return whole and (wide.scale or 0) >= (narrow.scale or 0)


def _more_values(was: tuple[str, ...], now: tuple[str, ...]) -> bool:
    return set(was) <= set(now)


def _of_rule(what: str, was: Optional[Value], now: Optional[Value], wider: Any) -> list[Change]:
    """The change of a rule that every value must keep: none, another, no longer any."""
    if was == now:
        return []
    if now is None:
        return [Change(Kind.WIDENS, f"{what} is no longer asked for")]
    if was is None:
        return [Change(Kind.NARROWS, f"{what} is asked for")]
    return [Change(Kind.WIDENS if wider(was, now) else Kind.NARROWS, f"{what} is another")]


def _unruled(old: Any, new: Any, ruled: set[str], where: str) -> list[Change]:
    return [
        Change(Kind.BREAKS, f"{where}{field} is another")
        for field in type(old).model_fields
        if field not in ruled and getattr(old, field) != getattr(new, field)
    ]
