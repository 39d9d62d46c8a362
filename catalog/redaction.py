"""Copies of tables without their personal columns: what whoever may not see these reads in their place.

A copy is a table of its own, in a zone of its own, with a contract that follows from its table's. It lies
below a prefix that names which columns it leaves out: whoever may read that prefix finds no column that is
personal by today's contract, whatever an earlier one said.
"""

from __future__ import annotations

import hashlib
from typing import Optional

from catalog.model import Column, Contract, Zone


def personal_columns(contract: Contract) -> tuple[str, ...]:
    """The names of a table's personal columns, lineage included, in order."""
    return tuple(column.name for column in contract.all_columns if column.personal)


def copy_of(contract: Contract, zone: Zone) -> Optional[Contract]:
    """The contract of a table's copy; nothing where no column of the table is personal.

    Args:
        contract: The table.
        zone: The zone that shows its zone's tables without personal columns.
    """
    left_out = personal_columns(contract)
    if not left_out:
        return None
    shared = contract.zone_info
    own = zone.model_copy(
        update={
            "prefix": f"{zone.prefix}{_digest(left_out)}/",
            "lineage": _public(shared.lineage),
            "dimension_lineage": _public(shared.dimension_lineage),
            "partition_columns": shared.partition_columns,
        }
    )
    columns = _public(contract.columns)
    names = {column.name for column in columns}
    copy = contract.model_copy(
        update={
            "zone": zone.name,
            "columns": columns,
            "references": tuple(one for one in contract.references if one.column in names),
        }
    )
    copy._zone_info = own  # noqa: SLF001 - as attach_zone does: the zone of one table
    return copy


def shown_elsewhere(contract: Contract, database: str) -> Contract:
    """A table as a view of it in another database reads.

    Args:
        contract: The table; it has no personal columns.
        database: Where the view stands.
    """
    shown = contract.model_copy()
    shown._zone_info = contract.zone_info.model_copy(update={"database": database})  # noqa: SLF001
    return shown


def _public(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(column for column in columns if not column.personal)


def _digest(names: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:8]
