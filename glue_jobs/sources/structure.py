"""The source's structure against the contract: a table that disagrees is held before a row is read."""

from __future__ import annotations

import hashlib
import json

from catalog.model import Contract
from catalog.types import postgres_accepts
from glue_jobs.sources.postgres import SourceTable, TableHeld

KEY_TYPES = ("integer", "bigint")


def check(contract: Contract, found: SourceTable) -> None:
    """Compare a table with its contract.

    Raises:
        TableHeld: A column is missing or of a type whose values the contract's type cannot all hold, or the
            table has no row versions or may not be read; names table and column.
    """
    found.complain_unless_capturable(contract.table)
    for column in contract.columns:
        declared = found.columns.get(column.name)
        if declared is None:
            raise TableHeld(
                f"The source's {contract.table} has no column {column.name}, which the contract states.",
                "Rename it back, or change the contract.",
            )
        if not postgres_accepts(column.type, declared.declared):
            raise TableHeld(
                f"The source's {contract.table}.{column.name} is {declared.declared}, which the contract's "
                f"{column.type} cannot hold.",
                "Change it back, or change the contract.",
            )


def extra_columns(contract: Contract, found: SourceTable) -> list[str]:
    """Columns of the source that the contract does not state; they are not captured."""
    stated = {column.name for column in contract.columns}
    return [name for name in found.columns if name not in stated]


def fingerprint(contract: Contract, found: SourceTable) -> str:
    """Changes when the table is another one or when a column that is captured came, went or was retyped."""
    columns = [
        (
            column.name,
            str(column.type),
            found.columns[column.name].number,
            found.columns[column.name].declared,
        )
        for column in contract.columns
    ]
    return hashlib.sha256(json.dumps([found.oid, columns]).encode()).hexdigest()[:16]


def key_column(contract: Contract) -> str:
    """The one integer column that names a row.

    Raises:
        TableHeld: The contract's key is something else, which the set of live keys cannot hold.
    """
    if len(contract.key) == 1 and contract.column(contract.key[0]).type.name in KEY_TYPES:
        return contract.key[0]
    raise TableHeld(
        f"The contract of {contract.table} has the key {', '.join(contract.key)}.",
        "A captured table needs a key of one integer or bigint column.",
    )
