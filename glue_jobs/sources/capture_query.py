"""The SQL of a capture, as text made by pure functions, and what its system columns mean.

The driver streams by ``COPY (query)``, which takes no bound values. Everything spliced in here is a quoted
identifier or a whole number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt
import pyarrow as pa

EPOCH_MASK = 2**32 - 1
"""Transaction ids as rows hold them count up to this and begin again."""

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

SETTINGS = (
    # Nothing but PostgreSQL's own functions is found without a schema.
    "SET LOCAL search_path = pg_catalog",
    # Rows that a policy hides must not read as deletes: with this, hiding is an error.
    "SET LOCAL row_security = off",
    "SET LOCAL lock_timeout = '30s'",
    "SET LOCAL statement_timeout = '2h'",
    # The session that holds the snapshot waits while others read.
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # Exact text for dates and times wherever the server makes text.
    "SET LOCAL datestyle = 'ISO'",
)

SYSTEM_ID = "SELECT system_identifier FROM pg_control_system()"

TIMELINE = "SELECT timeline_id FROM pg_control_checkpoint()"

SNAPSHOT = """
SELECT pg_snapshot_xmin(s)::text::bigint,
       pg_snapshot_xmax(s)::text::bigint,
       date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC'),
       current_setting('server_encoding')
FROM pg_current_snapshot() s
"""

STRUCTURE = """
SELECT c.relname::text, c.oid::bigint, c.relkind::text, has_table_privilege(c.oid, 'SELECT'),
       pg_relation_size(c.oid) / current_setting('block_size')::bigint,
       a.attname::text, a.attnum::int,
       CASE WHEN t.typtype = 'e' THEN 'enum' ELSE format_type(a.atttypid, a.atttypmod) END,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = %s AND c.relname = ANY(%s)
ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True)
class Window:
    """Which row versions are new: those whose transaction is not below ``base``.

    Attributes:
        base: The lower bound, 64 bits wide; nothing means that every row is wanted.
        high: The snapshot's upper bound, against which the 32 bits in a row are widened.
    """

    base: Optional[int]
    high: int

    @property
    def condition(self) -> str:
        """The SQL condition, right across one whole turn of the 32-bit counter."""
        if self.base is None:
            return "true"
        widened = f"{self.high:d} - (({self.high:d} - xmin::text::bigint) & {EPOCH_MASK})"
        return f"{widened} >= {self.base:d}"


@dataclass(frozen=True)
class Blocks:
    """A range of a table's blocks, for readers side by side; no end means whatever follows."""

    first: int
    end: Optional[int]

    @property
    def condition(self) -> str:
        """The SQL condition; PostgreSQL 14 and newer read only these blocks for it."""
        lower = f"ctid >= '({self.first:d},0)'"
        return lower if self.end is None else f"{lower} AND ctid < '({self.end:d},0)'"


def quoted(name: str) -> str:
    """An identifier as SQL wants it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def count_rows(schema: str, table: str, window: Window) -> str:
    """How many rows there are, and how many of them are new: one scan answers both."""
    return f"SELECT count(*), count(*) FILTER (WHERE {window.condition}) FROM {_place(schema, table)}"  # noqa: S608


def read_rows(
    schema: str,
    table: str,
    columns: Sequence[tuple[str, bool]],
    window: Window,
    blocks: Optional[Blocks] = None,
) -> str:
    """The new rows, with each row's own 32-bit xmin as the last column.

    Args:
        schema: The tables' schema.
        table: The table.
        columns: Names in order, and whether each must be asked for as text (enumerations).
        window: Which rows are new.
        blocks: The part of the table to read; all of it when not given.
    """
    wanted = ", ".join(
        f"{quoted(name)}::text AS {quoted(name)}" if as_text else quoted(name) for name, as_text in columns
    )
    where = window.condition if blocks is None else f"{window.condition} AND {blocks.condition}"
    return f"SELECT {wanted}, xmin FROM {_place(schema, table)} WHERE {where}"  # noqa: S608


def read_whole_rows(schema: str, table: str, key: Optional[str], window: Window) -> str:
    """The new rows as JSON, whatever columns they have, with key, place and 32-bit xmin.

    Args:
        schema: The tables' schema.
        table: The table.
        key: The column that is the key, where there is one.
        window: Which rows are new.
    """
    keys = "NULL::text" if key is None else f"{quoted(key)}::text"
    # `r.*` is the row even where a column is called r too.
    return (
        f"SELECT row_to_json(r.*)::text, {keys}, ctid, xmin"  # noqa: S608
        f" FROM {_place(schema, table)} AS r WHERE {window.condition}"
    )


def read_keys(schema: str, table: str, key: str) -> str:
    """Every key that the table holds."""
    return f"SELECT {quoted(key)}::bigint AS key FROM {_place(schema, table)}"  # noqa: S608


def halves(blocks: int, parts: int) -> list[Blocks]:
    """A table's blocks in ranges of equal length, the last one open."""
    bounds = [blocks * part // parts for part in range(parts)]
    ends: list[Optional[int]] = [*bounds[1:], None]
    return [Blocks(first, end) for first, end in zip(bounds, ends)]


def version_ids(xmin: pa.Array, high: int) -> npt.NDArray[np.int64]:
    """Rows' 32-bit transaction ids, widened against the snapshot's upper bound."""
    narrow: npt.NDArray[np.int64] = _fixed(xmin, ">u4").astype(np.int64)
    return high - ((high - narrow) & EPOCH_MASK)


def places(ctid: pa.Array) -> npt.NDArray[np.int64]:
    """Where the source keeps rows: 65,536 times the block plus the item in it."""
    pairs = _fixed(ctid, [("block", ">u4"), ("item", ">u2")])
    blocks: npt.NDArray[np.int64] = pairs["block"].astype(np.int64)
    return (blocks << 16) | pairs["item"].astype(np.int64)


def _fixed(array: pa.Array, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Cells of a type that the driver does not know, without a null among them: the server's own bytes."""
    raw = array.storage if isinstance(array, pa.ExtensionArray) else array
    return np.frombuffer(raw.buffers()[2], kind, len(raw), raw.offset * np.dtype(kind).itemsize)


def _place(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"
