"""What happened to records: the versions of one, and what changed in a table between two batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from catalog.catalogue import Catalogue
from catalog.functions import literal
from catalog.keys import KeyPart, read_key, shown_key
from catalog.model import Contract
from glue_jobs.runtime.athena import Cell
from glue_jobs.runtime.errors import UserError
from lakehouse.dead_letters import DeadLetter
from lakehouse.terminal import counted

Ask = Callable[[str], Sequence[tuple[Cell, ...]]]
"""Runs SQL on the lake; gives rows of texts."""

_DELETE = "delete"


@dataclass(frozen=True)
class Change:
    """A column whose value a version changed; nothing stands for NULL."""

    column: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.column}: {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True)
class Version:
    """A version of a record as a capture brought it.

    Attributes:
        key: The record's key.
        batch: The capture.
        captured_at: When its snapshot was taken (UTC).
        operation: ``insert``, ``update`` or ``delete``.
        values: The columns; a deletion has its key alone.
        changes: What differs from the version before it.
    """

    key: str
    batch: int
    captured_at: str
    operation: str
    values: Mapping[str, str | None]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Record:
    """Everything that is known of a record.

    Attributes:
        table: Its source table.
        key: Its key.
        versions: Its versions, the first one first.
        rejected: Its unresolved dead letters.
        belonging: By source table and column, how many records refer to it now.
    """

    table: str
    key: str
    versions: tuple[Version, ...]
    rejected: tuple[DeadLetter, ...]
    belonging: Mapping[str, int]

    @property
    def is_deleted(self) -> bool:
        """Whether the source no longer has it."""
        return bool(self.versions) and self.versions[-1].operation == _DELETE

    def as_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        return asdict(self)


def raw_table(catalogue: Catalogue, name: str) -> Contract:
    """The source table that a person means: by its name, or by that of the star table made of it.

    Raises:
        UserError: There is none, or it has not one key column.
    """
    contract = catalogue.raw.get(name)
    if contract is None and name in catalogue.star:
        built_from = catalogue.star[name].built_from
        contract = catalogue.raw.get((built_from.table if built_from else None) or "")
    if contract is None:
        raise UserError(
            f"There is no table {name}.", f"There are {', '.join((*catalogue.raw, *catalogue.star))}."
        )
    return contract


def read_record(
    ask: Ask, catalogue: Catalogue, contract: Contract, key: str, unresolved: Iterable[DeadLetter]
) -> Record:
    """Read what is known of a record.

    Args:
        ask: Runs SQL on the lake.
        catalogue: The contracts, as the asking role finds them.
        contract: Its source table.
        key: Its key.
        unresolved: The unresolved dead letters of the table.

    Raises:
        UserError: No capture has ever brought it.
    """
    found = ask(_versions(contract, key_condition(contract, key)))
    versions = next(iter(_compared(contract, found).values()), ())
    if not versions:
        remedy = "A row that came after the last run is not known yet: lakehouse run"
        raise UserError(f"No {contract.table} {key} was ever captured.", remedy)
    rejected = tuple(letter for letter in unresolved if str(letter.key) == versions[0].key)
    belonging = {}
    for other in catalogue.raw.values():
        for reference in other.references:
            if reference.table == contract.table:
                (row,) = ask(_referring(other, reference.column, _key(contract, key)[0]))
                belonging[f"{other.table}.{reference.column}"] = int(row[0] or 0)
    return Record(contract.table, key, versions, rejected, belonging)


def key_condition(contract: Contract, key: str) -> str:
    """SQL that is true for the rows of a record.

    Args:
        contract: Its source table.
        key: Its key.

    Raises:
        UserError: It is no key of the table.
    """
    values = _key(contract, key)
    return " AND ".join(f"{name} = {value}" for name, value in zip(contract.key, values, strict=True))


def changes_between(ask: Ask, contract: Contract, first: int, last: int, limit: int) -> tuple[Version, ...]:
    """What a table's records were at one batch, and are at a later one, where that differs.

    Args:
        ask: Runs SQL on the lake.
        contract: The source table.
        first: The earlier batch.
        last: The later one.
        limit: How many records are looked at.

    Returns:
        The newest version of each record at the later batch, its changes since the earlier one; a record
        that came and went in between is left out, as one that is as it was.
    """
    key = shown_key(contract, "trino")
    table = f"{contract.zone_info.database}.{contract.table}"
    changed = (
        f"SELECT DISTINCT {key} FROM {table}"  # noqa: S608 - names of contracts and whole numbers
        f" WHERE batch > {first} AND batch <= {last} ORDER BY {key} LIMIT {limit}"
    )
    found = ask(_versions(contract, f"batch <= {last} AND {key} IN ({changed})"))
    result = []
    for versions in _compared(contract, found).values():
        before = next((one for one in reversed(versions) if one.batch <= first), None)
        after = versions[-1]
        was = {} if before is None or before.operation == _DELETE else before.values
        now = {} if after.operation == _DELETE else after.values
        if was or now:
            operation = "update" if was and now else "insert" if now else _DELETE
            changes = _changes(contract, was, now) if was and now else ()
            if operation != "update" or changes:
                result.append(
                    Version(after.key, after.batch, after.captured_at, operation, after.values, changes)
                )
    return tuple(result)


def count_changed(ask: Ask, contract: Contract, first: int, last: int) -> int:
    """How many records of a table some capture after one batch and up to another brought."""
    table = f"{contract.zone_info.database}.{contract.table}"
    ((records,),) = ask(
        f"SELECT count(DISTINCT {shown_key(contract, 'trino')}) FROM {table}"  # noqa: S608 - names and whole numbers
        f" WHERE batch > {first} AND batch <= {last}"
    )
    return int(records or 0)


def record_text(record: Record) -> str:
    """A record as lines for people."""
    state = "deleted" if record.is_deleted else "current"
    lines = [f"{record.table} {record.key}: {counted(len(record.versions), 'version')}, {state}"]
    for version in record.versions:
        lines += _version_lines(version)
    for letter in record.rejected:
        reasons = "; ".join(rule["reason"] for rule in letter.rules)
        lines.append(f"  rejected: batch {letter.batch} of {letter.captured_at}: {reasons}")
    belonging = [f"{count:,} by {place}" for place, count in record.belonging.items() if count]
    lines.append(f"  referred to: {', '.join(belonging) or 'by no record'}")
    return "\n".join(lines)


def changes_text(versions: Sequence[Version]) -> str:
    """Changes of a table as lines for people."""
    return "\n".join(f"{one.key}: {line.strip()}" for one in versions for line in _version_lines(one))


def _version_lines(version: Version) -> list[str]:
    head = f"  batch {version.batch}, {version.captured_at}: {version.operation}"
    return [head, *(f"    {change}" for change in version.changes)]


def _versions(contract: Contract, condition: str) -> str:
    names, key = ", ".join(column.name for column in contract.columns), shown_key(contract, "trino")
    return (
        f"SELECT {key} AS record_key, batch, captured_at, operation, {names}"  # noqa: S608 - of contracts
        f" FROM {contract.zone_info.database}.{contract.table} WHERE {condition}"
        f" ORDER BY {', '.join(contract.key)}, batch, version_id"
    )


def _referring(contract: Contract, column: str, value: str) -> str:
    key = ", ".join(contract.key)
    newest = (
        f"SELECT max_by({column}, batch) AS referred, max_by(operation, batch) AS operation"  # noqa: S608
        f" FROM {contract.zone_info.database}.{contract.table} GROUP BY {key}"
    )
    return f"SELECT count(*) FROM ({newest}) WHERE referred = {value} AND operation <> '{_DELETE}'"  # noqa: S608


def _compared(contract: Contract, rows: Iterable[tuple[Cell, ...]]) -> dict[str, tuple[Version, ...]]:
    """By key, the versions of each record, each compared with the one before it."""
    found: dict[str, list[Version]] = {}
    names = [column.name for column in contract.columns]
    for key, batch, captured_at, operation, *cells in rows:
        versions = found.setdefault(str(key), [])
        values = dict(zip(names, cells, strict=True))
        before = versions[-1] if versions else None
        both = before is not None and _DELETE not in (before.operation, operation)
        changes = _changes(contract, before.values, values) if both and before is not None else ()
        versions.append(Version(str(key), int(batch or 0), str(captured_at), str(operation), values, changes))
    return {key: tuple(versions) for key, versions in found.items()}


def _changes(
    contract: Contract, before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> tuple[Change, ...]:
    return tuple(
        Change(column.name, before[column.name], after[column.name])
        for column in contract.columns
        if before[column.name] != after[column.name]
    )


def _key(contract: Contract, key: str) -> tuple[str, ...]:
    """The columns of a key as SQL literals.

    Raises:
        UserError: It is no key of the table.
    """
    values = read_key(contract, key)
    if values is None:
        kinds = [f"{name} is {_KINDS[contract.column(name).type.name]}" for name in contract.key]
        several = "" if len(kinds) == 1 else " They stand with a slash between them, a slash of theirs as ~1."
        raise UserError(f"{key} is no key of {contract.table}.", f"{', '.join(kinds)}.{several}")
    return tuple(_literal(value) for value in values)


_KINDS = {
    "integer": "a whole number",
    "bigint": "a whole number",
    "text": "a text",
    "date": "a day, YYYY-MM-DD",
    "timestamp": "a time, YYYY-MM-DD HH:MM:SS",
}


def _literal(value: KeyPart) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(' ', 'milliseconds')}'"
    return f"DATE '{value.isoformat()}'" if isinstance(value, dt.date) else literal(value)


def _shown(value: str | None) -> str:
    return "NULL" if value is None else value
