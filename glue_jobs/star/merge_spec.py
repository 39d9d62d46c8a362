"""What the merges need to know of a table, taken from its contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from catalog.keys import key_block, limit_sql
from catalog.model import Contract
from catalog.types import FLOATS

BATCH = "batch_sequence"
"""Lineage column of the star: the capture that brought a version."""

CAPTURED_AT = "captured_at"
"""Lineage column: when that capture saw it."""

DELETED = "is_deleted"
"""Lineage column of the star: whether the source had lost the row by then."""

LINEAGE = (BATCH, CAPTURED_AT, DELETED)
"""The lineage columns of the star, in order."""

INFERRED = "is_inferred"
"""Lineage column of the dimensions: whether nothing but the key is known."""

VERSION_ID = "version_id"
"""Raw lineage column that orders versions of a row within one batch."""

FLAG = "_flag_"
"""How the boolean columns begin that say something of an incoming row and are only counted."""

UNREADABLE = "unreadable_"
"""Begins the flag of a column whose value cannot be read, after ``FLAG``."""

UNMATCHED = "unmatched"
"""Flag of a row that some joined table has no row for."""


@dataclass(frozen=True)
class MergeSpec:
    """How a table is merged: its key, its content and its flags.

    Attributes:
        table: Its name, for messages.
        key: The columns of its business key.
        content: The columns that make a version new when one of them differs: all but the key and the record
            number, and the partition column, since a row whose partition value changes has to move, and
            whether the row is inferred.
        required: The columns that may not be empty.
        keeps_history: Whether every version stays, or the latest of each key.
        partition: The partition column, where there is one.
        record_id: The column that numbers the versions, where there is one.
        has_members: Whether it is a dimension, whose members may be inferred.
        floats: Columns of the content that are binary numbers: 0 and -0 are equal, and two values.
        flags: Boolean columns of its incoming rows, without ``FLAG``.
        block: SQL of the block of keys that a row's key lies in.
        limit: SQL of the first column of a row's key as the ranges of keys in commits state it.
    """

    table: str
    key: tuple[str, ...]
    content: tuple[str, ...]
    required: tuple[str, ...]
    keeps_history: bool = False
    partition: Optional[str] = None
    record_id: Optional[str] = None
    has_members: bool = False
    floats: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    block: str = ""
    limit: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a version in flight: all but the record number."""
        return (*self.key, *self.content, *LINEAGE)

    @property
    def keys(self) -> str:
        """The key's columns as SQL lists them."""
        return ", ".join(self.key)

    @property
    def flag_columns(self) -> tuple[str, ...]:
        """The boolean columns of an incoming row."""
        return tuple(f"{FLAG}{name}" for name in self.flags)


def merge_spec(contract: Contract, flags: tuple[str, ...] = ()) -> MergeSpec:
    """The merge of a star table, or of the snapshot of a raw table.

    Args:
        contract: The table.
        flags: What its incoming rows say besides, see :class:`MergeSpec`.
    """
    key, first = contract.key, contract.column(contract.key[0])
    record_id = next((c.name for c in contract.columns if c.record_id), None)
    own = [column for column in contract.columns if column.name != record_id]
    partition = contract.partition.name if contract.partition else None
    has_members = contract.kind == "dimension"
    further = [*([partition] if partition else []), *([INFERRED] if has_members else [])]
    content = [column.name for column in own if column.name not in key]
    required = [column.name for column in own if not column.nullable] if contract.zone == "star" else [*key]
    return MergeSpec(
        table=contract.table,
        key=key,
        content=(*content, *further),
        required=(*required, *further),
        keeps_history=contract.kind == "fact",
        partition=partition,
        record_id=record_id,
        has_members=has_members,
        floats=tuple(column.name for column in own if column.type.name in FLOATS),
        flags=flags,
        block=key_block(contract),
        limit=limit_sql(first, first.name),
    )
