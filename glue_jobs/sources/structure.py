"""The source's structure against the contract: a table that disagrees is held before a row is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Optional

from catalog.keys import is_number
from catalog.model import Column, Contract
from catalog.types import PLAIN_TYPES, is_text, parse_type, postgres_accepts
from glue_jobs.runtime.errors import TablePaused
from glue_jobs.sources.postgres_source import SourceTable

_CHARACTER_BYTES = 4
"""The most that a character takes in any encoding of a server."""

_SHORT = ("enum", "uuid")
"""Types whose texts are shorter than any limit that somebody would state."""

_LENGTH = re.compile(r"(?:character|bit)(?: varying)?\((\d+)\)")
"""What states how many letters a text has; of other types it may be a number of something else."""


class StructureConflict(TablePaused):
    """The columns of a table disagree with its contract: its rows are kept aside until one changes."""


def check(contract: Contract, found: SourceTable) -> None:
    """Compare a table with its contract.

    Raises:
        StructureConflict: A column is missing, is of a type whose values the contract's type cannot all hold,
            or is an enumeration with a value that the contract does not allow; names them all.
    """
    found_wrong = (_disagreement(contract.table, column, found) for column in contract.columns)
    wrong = [reason for reason in found_wrong if reason is not None]
    if wrong:
        raise StructureConflict(" ".join(wrong), "Change it back, or change the contract.")


def _disagreement(table: str, column: Column, found: SourceTable) -> Optional[str]:
    declared = found.columns.get(column.at_source)
    if declared is None:
        return f"The source's {table} has no column {column.at_source}, which the contract states."
    if not postgres_accepts(column.type, declared.declared):
        able = [kind for kind in PLAIN_TYPES if postgres_accepts(parse_type(kind), declared.declared)]
        other = f"; {' or '.join(able)} can" if able else ""
        return (
            f"The source's {table}.{column.at_source} is {declared.declared}, which the contract's"
            f" {column.type} cannot hold{other}."
        )
    if column.allowed_values is not None and declared.values is not None:
        new = [repr(value) for value in declared.values if value not in column.allowed_values]
        if new:
            return (
                f"The source's {table}.{column.at_source} may be {', '.join(new)}, which the contract does"
                " not allow."
            )
    return None


def check_key(contract: Contract, found: SourceTable) -> None:
    """Refuse a key of which the source says that two are one, though their texts differ.

    Raises:
        TablePaused: A column of the key has a collation that is not deterministic.
    """
    vague = [name for name in contract.key if found.columns[contract.column(name).at_source].is_vague]
    if vague:
        raise TablePaused(
            f"The key of {contract.table}, {', '.join(vague)}, has a collation that is not deterministic: the"
            " source takes texts for one key that are not the same.",
            "Give the column a deterministic collation, or state a key of other columns.",
        )


def columns_to_read(columns: Iterable[Column], found: SourceTable) -> list[tuple[str, bool]]:
    """Columns by the source's names, and whether they are asked for as the text that PostgreSQL makes."""
    return [
        (
            column.at_source,
            column.type.name == "text" and not is_text(found.columns[column.at_source].declared),
        )
        for column in columns
    ]


def extra_columns(contract: Contract, found: SourceTable) -> list[str]:
    """Columns of the source that the contract does not state; they are not captured."""
    stated = {column.at_source for column in contract.columns}
    return [name for name in found.columns if name not in stated]


def fingerprint(contract: Contract, found: SourceTable) -> str:
    """Changes when the table is another one, or a column came, went, is typed or computed otherwise."""
    columns = [
        (
            column.name,
            str(column.type),
            found.columns[column.at_source].number,
            found.columns[column.at_source].declared,
            found.columns[column.at_source].expression,
            # Under another limit a cell is captured that was too long, and the other way round.
            column.max_bytes,
        )
        for column in contract.columns
    ]
    # A key of one whole number is what every lake had before there were others; so are columns of types that
    # nothing else is in.
    key = [] if is_number(contract) else [contract.key]
    made_of = {
        column.name: found.columns[column.at_source].made_of
        for column in contract.columns
        if found.columns[column.at_source].made_of
    }
    stated = [found.oid, columns, *key, *([made_of] if made_of else [])]
    return hashlib.sha256(json.dumps(stated).encode()).hexdigest()[:16]


def labels(contract: Contract, found: SourceTable) -> dict[str, str]:
    """What the values of the captured enumerations are called, by what names each for ever."""
    captured = (found.columns[column.at_source] for column in contract.columns)
    return {str(value): label for column in captured for value, label in column.labels}


def cell_limits(contract: Contract, found: SourceTable) -> Mapping[str, int]:
    """By the source's name of a column, how many bytes a cell may have, where the source could hold more."""
    return {
        column.at_source: column.cell_limit
        for column in contract.columns
        if column.type.name == "text"
        and _may_exceed(found.columns[column.at_source].declared, column.cell_limit)
    }


def _may_exceed(declared: str, limit: int) -> bool:
    length = _LENGTH.fullmatch(declared)
    return declared not in _SHORT and (length is None or int(length[1]) * _CHARACTER_BYTES > limit)


def has_unique_key(contract: Contract, found: SourceTable) -> bool:
    """Whether the source lets no two rows of the table have one key."""
    # An index of a parent says nothing of its children by inheritance.
    whole = found.alone or found.kind == "p"
    key = {found.columns[contract.column(name).at_source].number for name in contract.key}
    return whole and bool(found.primary_key) and found.primary_key <= key


def joined(found: SourceTable, before: Mapping[int, int]) -> tuple[int, ...]:
    """The relations whose rows have become the table's without being written.

    Args:
        found: The table.
        before: The relations that held its rows, each with how many; none where it held them itself.
    """
    known = set(before) or {found.oid}
    return tuple(leaf.oid for leaf in found.leaves if leaf.oid not in known)


def digest(found: SourceTable) -> str:
    """Names a structure: changes with every column that comes, goes or is declared otherwise."""
    return hashlib.sha256(f"{found.oid} {as_json(found)}".encode()).hexdigest()[:16]


def as_json(found: SourceTable) -> str:
    """A table's structure for a person and for a program: a JSON array of its columns in order."""
    columns = [
        {
            "name": name,
            "type": column.declared,
            **({} if column.values is None else {"values": list(column.values)}),
        }
        for name, column in found.columns.items()
    ]
    return json.dumps(columns, ensure_ascii=False)
