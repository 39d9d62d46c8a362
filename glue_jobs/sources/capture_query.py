"""The SQL of a capture, as text made by pure functions, and what its system columns mean.

The driver streams by ``COPY (query)``, which takes no bound values. Everything spliced in here is a quoted
identifier or a whole number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Optional

import numpy as np
import numpy.typing as npt
import pyarrow as pa

EPOCH_MASK = 2**32 - 1
"""Transaction ids as rows hold them count up to this and begin again."""

# A savepoint keeps the refusal of one table from the others, and one around all lets their locks go together.
SAVEPOINT = "SAVEPOINT one_table"
RELEASE = "RELEASE SAVEPOINT one_table"
GIVE_UP = f"ROLLBACK TO SAVEPOINT one_table; {RELEASE}"
HOLD = "SAVEPOINT all_tables"
KEEP = "RELEASE SAVEPOINT all_tables"
LET_GO = f"ROLLBACK TO SAVEPOINT all_tables; {KEEP}"

_NO_LIMITS: Mapping[str, int] = MappingProxyType({})

SYSTEM_ID = "SELECT system_identifier FROM pg_control_system()"

TIMELINE = "SELECT timeline_id FROM pg_control_checkpoint()"

SNAPSHOT = """
SELECT pg_snapshot_xmin(s)::text::bigint,
       pg_snapshot_xmax(s)::text::bigint,
       date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC'),
       (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
       pg_export_snapshot()
FROM pg_current_snapshot() s
"""

# A server whose sessions crashed begins anew without being started again, and has lost what was committed
# asynchronously: its counter gives out the same ids once more. Its statistics of buffers begin anew, too; the
# oldest of several tells that from what somebody reset by hand.
CRASHED = "SELECT coalesce(extract(epoch FROM min(stats_reset)) * 1000000, 0)::bigint FROM pg_stat_slru"

# What the texts of the types whose values are numbers and print as names follow from besides: all names.
_NAMES = """(SELECT md5(string_agg(said, ',' ORDER BY said COLLATE "C")) FROM (
    SELECT concat_ws(' ', o.oid, o.relnamespace, o.relname) FROM pg_class o
    WHERE named.kind = 'regclass' AND o.relkind <> 't' AND o.relpersistence <> 't'
    UNION ALL SELECT concat_ws(' ', o.oid, o.typnamespace, o.typname) FROM pg_type o
    WHERE named.kind IN ('regtype', 'regprocedure', 'regoperator')
      AND o.typnamespace NOT IN (SELECT s.oid FROM pg_namespace s WHERE s.nspname ~ '^pg_temp_')
    UNION ALL SELECT concat_ws(' ', o.oid, o.pronamespace, o.proname) FROM pg_proc o
    WHERE named.kind IN ('regproc', 'regprocedure')
    UNION ALL SELECT concat_ws(' ', o.oid, o.oprnamespace, o.oprname) FROM pg_operator o
    WHERE named.kind IN ('regoper', 'regoperator')
    UNION ALL SELECT concat_ws(' ', o.oid, o.cfgnamespace, o.cfgname) FROM pg_ts_config o
    WHERE named.kind = 'regconfig'
    UNION ALL SELECT concat_ws(' ', o.oid, o.dictnamespace, o.dictname) FROM pg_ts_dict o
    WHERE named.kind = 'regdictionary'
    UNION ALL SELECT concat_ws(' ', o.oid, o.collnamespace, o.collname) FROM pg_collation o
    WHERE named.kind = 'regcollation'
    UNION ALL SELECT concat_ws(' ', o.oid, o.rolname) FROM pg_roles o
    WHERE named.kind IN ('regrole', 'aclitem')
    UNION ALL SELECT concat_ws(' ', o.oid, o.nspname) FROM pg_namespace o
    WHERE named.kind <> 'aclitem' AND o.nspname !~ '^pg_(toast_)?temp_') AS names(said))"""

# A cell that is computed as it is read, or is the number of something whose name is printed (`regclass`),
# follows from more than its row.
# Catalog columns alone: what prints an expression or measures a table waits for locks itself. A relation's
# size is asked for where the lock is held already. A key is only known to stand once, and in every row, where
# it is the primary one: a unique column may hold nulls, and each of them stands for a row without a key.
STRUCTURE = f"""
SELECT wanted.name, c.oid::bigint, c.relkind::text, has_table_privilege(c.oid, 'SELECT'),
       row_security_active(c.oid),
       CASE WHEN c.relkind = 'r' AND c.oid = ANY(%(locked)s::bigint[])
            THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE 0 END,
       ARRAY(SELECT k.attnum::int FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
             WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts),
       a.attname::text, a.attnum::int,
       CASE WHEN t.typtype = 'e' THEN 'enum' ELSE format_type(a.atttypid, a.atttypmod) END,
       a.attlen = -1 AND t.typname <> 'numeric',
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
        FROM pg_enum e WHERE e.enumtypid IN (t.oid, t.typelem, t.typbasetype)),
       CASE WHEN a.attgenerated <> '' THEN
            (SELECT md5(d.adbin::text) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum)
            || coalesce((SELECT ' ' || l.oid || ' ' || coalesce(l.collversion, '') FROM pg_collation l
                         WHERE l.oid = a.attcollation), '')
            || coalesce((SELECT to_jsonb(d) ->> 'datcollversion' FROM pg_database d
                         WHERE d.datname = current_database()), '')
       WHEN named.kind IS NOT NULL THEN
            {_NAMES}
       END,
       coalesce((SELECT NOT l.collisdeterministic FROM pg_collation l WHERE l.oid = a.attcollation), false),
       a.atttypid::bigint
FROM unnest(%(names)s::text[], %(schemas)s::text[], %(tables)s::text[]) AS wanted(name, nspname, relname)
JOIN pg_namespace n ON n.nspname = wanted.nspname::name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname::name
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN LATERAL (
    SELECT k.typname AS kind FROM pg_type k
    WHERE k.oid IN (t.oid, t.typelem, t.typbasetype) AND k.typnamespace = 'pg_catalog'::regnamespace
      AND (k.typname = 'aclitem' OR k.typname ~ '^reg')) AS named ON true
ORDER BY wanted.name COLLATE "C", a.attnum
"""  # noqa: S608 - a constant

# What the text of a value follows from besides the value: what the values of an enumeration are called, and
# which attributes a row has, however deep they stand in arrays, domains, ranges and rows. By type, each line
# either names such a value and says what it is called, or says of a type that is in it what that is made of;
# of one that prints names and is told with the structure, as the column's own or its elements', nothing.
MADE_OF = f"""
WITH RECURSIVE types AS (
    SELECT t.oid AS root, t.oid AS type FROM pg_type t WHERE t.oid = ANY(%(types)s::bigint[])
    UNION
    SELECT y.root, part.type FROM types y JOIN pg_type t ON t.oid = y.type CROSS JOIN LATERAL (
        SELECT t.typelem
        UNION ALL SELECT t.typbasetype
        UNION ALL SELECT a.atttypid FROM pg_attribute a
                  WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT r.rngsubtype FROM pg_range r
                  WHERE t.typtype IN ('r', 'm')
                    AND t.oid::text IN (r.rngtypid::text, to_jsonb(r) ->> 'rngmultitypid')
    ) AS part(type) WHERE part.type <> 0)
SELECT y.root::bigint, e.oid::bigint, e.enumlabel::text, NULL
FROM types y JOIN pg_enum e ON e.enumtypid = y.type
UNION ALL
SELECT y.root::bigint, NULL, NULL, concat_ws(' ', y.type, a.attnum, a.atttypid, a.atttypmod)
FROM types y JOIN pg_type t ON t.oid = y.type
LEFT JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.typtype = 'c' OR t.typtype = 'e' AND y.type <> y.root
UNION ALL
SELECT y.root::bigint, NULL, NULL, concat_ws(' ', y.type, {_NAMES})
FROM types y JOIN pg_type t ON t.oid = y.root
JOIN LATERAL (
    SELECT k.typname AS kind FROM pg_type k
    WHERE k.oid = y.type AND k.typnamespace = 'pg_catalog'::regnamespace
      AND (k.typname = 'aclitem' OR k.typname ~ '^reg')) AS named ON true
WHERE y.type NOT IN (t.oid, t.typelem, t.typbasetype)
ORDER BY 1, 2, 4
"""  # noqa: S608 - a constant

# What holds rows of a table: itself, its partitions, its children by inheritance, theirs. One whose
# detachment has begun no longer counts.
LEAVES = """
WITH RECURSIVE tree AS (
    SELECT c.oid AS root, c.oid AS leaf FROM pg_class c WHERE c.oid = ANY(%(tables)s::bigint[])
    UNION
    SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.leaf{attached})
SELECT t.root::bigint, c.oid::bigint, c.relname::text, c.relkind::text, m.amname::text
FROM tree t JOIN pg_class c ON c.oid = t.leaf LEFT JOIN pg_am m ON m.oid = c.relam
WHERE c.relkind <> 'p'
ORDER BY 1, 2
"""

ATTACHED = " AND NOT i.inhdetachpending"
"""Since version 14, which can detach a partition while it is read."""

LOCKED = """
SELECT relation::bigint FROM pg_locks
WHERE locktype = 'relation' AND pid = pg_backend_pid() AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# A table is locked with its parts: who holds one of them is in the way, too. Who waits for a lock in front of
# us waits for others, an idle transaction for one, and these are told behind it.
BLOCKERS = """
WITH RECURSIVE tree AS (
    SELECT c.oid AS leaf FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(table)s
    UNION
    SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.leaf),
locks AS (
    SELECT l.pid, l.granted, l.virtualtransaction FROM tree t JOIN pg_locks l ON l.relation = t.leaf
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
ways AS (
    SELECT 1 AS behind, pid, virtualtransaction FROM locks
    UNION
    SELECT 2, unnest(pg_blocking_pids(pid)), NULL FROM locks WHERE NOT granted)
SELECT min(w.behind), w.pid, coalesce(a.usename, p.owner)::text,
       coalesce(nullif(a.application_name, ''), p.gid),
       to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM ways w
LEFT JOIN pg_stat_activity a ON a.pid = w.pid
LEFT JOIN pg_prepared_xacts p ON coalesce(w.pid, 0) = 0 AND w.virtualtransaction = '-1/' || p.transaction
GROUP BY 2, 3, 4, 5
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class TableLocation:
    """Where a table's rows are read.

    Attributes:
        schema: Its schema.
        table: Its name.
        leaves: The relations that hold its rows, by oid. What joins them meanwhile is left to the next
            capture.
        alone: Whether it holds its rows itself and has no children.
    """

    schema: str
    table: str
    leaves: tuple[int, ...] = ()
    alone: bool = True

    @property
    def relation(self) -> str:
        """What stands after FROM."""
        name = f"{quoted(self.schema)}.{quoted(self.table)}"
        return f"ONLY {name}" if self.alone else name

    @property
    def condition(self) -> str:
        """The SQL condition on the relation's rows."""
        return "true" if self.alone else _in_leaves(self.leaves)

    @property
    def leaf(self) -> str:
        """The relation that holds a row, as SQL."""
        return f"{self.leaves[0]:d}::bigint" if self.alone and self.leaves else "tableoid::bigint"


@dataclass(frozen=True)
class Window:
    """Which row versions are new: those whose transaction is not below ``base``.

    Attributes:
        base: The lower bound, 64 bits wide; nothing means that every row is wanted.
        high: The snapshot's upper bound, against which the 32 bits in a row are widened.
        leaves: Relations of which every row is wanted: they were no part of the table before.
    """

    base: Optional[int]
    high: int
    leaves: tuple[int, ...] = ()

    @property
    def condition(self) -> str:
        """The SQL condition, right across one whole turn of the 32-bit counter."""
        new = self.is_new("xmin")
        return f"({new} OR {_in_leaves(self.leaves)})" if self.leaves and self.base is not None else new

    def is_new(self, xmin: str) -> str:
        """The SQL condition on a row's transaction id.

        Args:
            xmin: The row's xmin, as SQL.
        """
        if self.base is None:
            return "true"
        return f"{self.high:d} - (({self.high:d} - {xmin}::text::bigint) & {EPOCH_MASK}) >= {self.base:d}"


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


def lock(schema: str, table: str, milliseconds: int) -> str:
    """One message that locks a table against changes of its structure, in a savepoint that it begins.

    Args:
        schema: The table's schema.
        table: The table.
        milliseconds: How long to wait; 0 takes the lock at once or not at all.
    """
    how = "NOWAIT" if milliseconds == 0 else ""
    return (
        f"{SAVEPOINT}; SET LOCAL lock_timeout = {max(milliseconds, 1):d};"
        f" LOCK TABLE {TableLocation(schema, table, alone=False).relation} IN ACCESS SHARE MODE {how};"
        # What is locked later is of a table that is locked: its indexes, which may be made again meanwhile.
        " SET LOCAL lock_timeout = '30s'"
    )


def count_rows(place: TableLocation, window: Window, limits: Mapping[str, int]) -> str:
    """By leaf, how many rows there are, how many are new, and how many of these have a cell above its limit.

    Args:
        place: The table.
        window: Which rows are new.
        limits: By column, how many bytes a cell may have.
    """
    large = " OR ".join(_above(name, limit) for name, limit in limits.items()) or "false"
    return (
        f"SELECT {place.leaf} AS leaf, count(*) AS rows, count(*) FILTER (WHERE {window.condition}) AS fresh,"  # noqa: S608
        f" count(*) FILTER (WHERE {window.condition} AND ({large})) AS large"
        f" FROM {place.relation} WHERE {place.condition} GROUP BY 1"
    )


def remade_columns(window: Window) -> str:
    """The leaves of which cells have become others without being written.

    What is attached or inherits is read by the names of its columns. Who detaches it, drops a column, adds
    one of that name with a default, and attaches it again, has moved no row's transaction id. Neither has who
    exchanges the names of two: what was attached since then, or is part of what was, and has its columns in
    another order than the table counts as well.

    Args:
        window: What is new.
    """
    new = window.is_new("i.xmin")
    order = (
        "(SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a JOIN pg_attribute r"
        " ON r.attrelid = %(root)s::oid AND r.attname = a.attname AND r.attnum > 0 AND NOT r.attisdropped"
        " WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped)"
    )
    return (
        "WITH RECURSIVE tree AS ("  # noqa: S608 - numbers
        f" SELECT i.inhrelid AS leaf, {new} AS again FROM pg_inherits i WHERE i.inhparent = %(root)s::oid"
        f" UNION SELECT i.inhrelid, t.again OR {new} FROM tree t JOIN pg_inherits i ON i.inhparent = t.leaf)"
        " SELECT leaf::bigint FROM tree WHERE again AND leaf = ANY(%(leaves)s::oid[])"
        f" AND {order.format('leaf')} <> {order.format('%(root)s::oid')}"
        " UNION SELECT a.attrelid::bigint FROM pg_attribute a JOIN pg_attribute d"
        " ON d.attrelid = a.attrelid AND d.attisdropped AND d.attnum > 0 AND d.attnum < a.attnum"
        " WHERE a.attrelid = ANY(%(leaves)s::oid[]) AND a.attname = ANY(%(columns)s::name[])"
        " AND a.attnum > 0 AND NOT a.attisdropped"
        f" AND {window.is_new('a.xmin')} AND {window.is_new('d.xmin')}"
    )


def read_rows(
    place: TableLocation,
    columns: Sequence[tuple[str, bool]],
    window: Window,
    blocks: Optional[Blocks] = None,
    limits: Mapping[str, int] = _NO_LIMITS,
) -> str:
    """The new rows, with each row's own 32-bit xmin as the last column.

    Args:
        place: The table.
        columns: Names in order, and whether each must be asked for as text.
        window: Which rows are new.
        blocks: The part of the table to read; all of it when not given.
        limits: By column, how many bytes a cell may have. One above stays where it is; its length stands in a
            column of its own, before xmin and in the order of the limits.
    """

    def wanted(name: str, as_text: bool) -> str:
        value = f"{quoted(name)}::text" if as_text else quoted(name)
        if name in limits:
            value = f"CASE WHEN {_above(name, limits[name])} THEN NULL ELSE {value} END"
        return value if value == quoted(name) else f"{value} AS {quoted(name)}"

    cells = [wanted(name, as_text) for name, as_text in columns]
    lengths = [
        f"CASE WHEN {_above(name, limit)} THEN octet_length({quoted(name)}::text)::bigint END"
        for name, limit in limits.items()
    ]
    conditions = [window.condition, *([] if place.alone else [place.condition])]
    conditions += [] if blocks is None else [blocks.condition]
    return (
        f"SELECT {', '.join([*cells, *lengths, 'xmin'])} FROM {place.relation}"  # noqa: S608
        f" WHERE {' AND '.join(conditions)}"
    )


def read_whole_rows(
    place: TableLocation,
    key: Sequence[tuple[str, bool]],
    window: Window,
    columns: Sequence[str] = (),
    limits: Mapping[str, int] = _NO_LIMITS,
) -> str:
    """The new rows as JSON, whatever columns they have, with key, place and 32-bit xmin.

    Args:
        place: The table.
        key: The columns of the key, and whether each is a text; none where it is not known.
        window: Which rows are new.
        columns: The table's columns in order, where some cell is above its limit.
        limits: By column, how many bytes a cell may have. One above stays where it is; how long it is stands
            in its place.
    """
    # A key of several columns as catalog/keys.py joins it.
    parts = [f"{quoted(name)}::text" for name, _ in key]
    if len(parts) > 1:
        escaped = (f"replace(replace({part}, '~', '~0'), '/', '~1')" for part in parts)
        parts = [text if is_text else part for part, text, (_, is_text) in zip(parts, escaped, key)]
    keys = " || '/' || ".join(parts) or "NULL::text"
    # `r.*` is the row even where a column is called r too.
    row = "row_to_json(r.*)::text"
    if columns:
        cells = ", ".join(_json_cell(name, limits.get(name)) for name in columns)
        row = f"(SELECT row_to_json(c.*)::text FROM (SELECT {cells}) AS c)"  # noqa: S608
    return (
        f"SELECT {row}, {keys}, ctid, xmin FROM {place.relation} AS r"  # noqa: S608
        f" WHERE {window.condition}" + ("" if place.alone else f" AND {place.condition}")
    )


def _json_cell(name: str, limit: Optional[int]) -> str:
    if limit is None:
        return quoted(name)
    length = f"octet_length({quoted(name)}::text)"
    return (
        f"CASE WHEN {_above(name, limit)} THEN to_json({length} || ' bytes, not kept')"
        f" ELSE to_json({quoted(name)}) END AS {quoted(name)}"
    )


def read_keys(place: TableLocation, columns: Sequence[tuple[str, bool]]) -> str:
    """Every key that the table holds.

    Args:
        place: The table.
        columns: The key's columns in order, and whether each must be asked for as text.
    """
    cells = ", ".join(f"{quoted(name)}::text" if as_text else quoted(name) for name, as_text in columns)
    return f"SELECT {cells} FROM {place.relation} WHERE {place.condition}"  # noqa: S608 - quoted


def _above(name: str, limit: int) -> str:
    return f"octet_length({quoted(name)}::text) > {limit:d}"


def _in_leaves(leaves: Sequence[int]) -> str:
    return f"tableoid = ANY('{{{','.join(f'{leaf:d}' for leaf in leaves)}}}'::oid[])"


def split_ranges(blocks: int, parts: int) -> list[Blocks]:
    """A table's blocks in ranges of equal length, the last one open."""
    bounds = [blocks * part // parts for part in range(parts)]
    ends: list[Optional[int]] = [*bounds[1:], None]
    return [Blocks(first, end) for first, end in zip(bounds, ends)]


def version_ids(xmin: pa.Array, high: int) -> npt.NDArray[np.int64]:
    """Rows' 32-bit transaction ids, widened against the snapshot's upper bound."""
    narrow: npt.NDArray[np.int64] = _fixed(xmin, ">u4").astype(np.int64)
    return high - ((high - narrow) & EPOCH_MASK)


def row_positions(ctid: pa.Array) -> npt.NDArray[np.int64]:
    """Where the source keeps rows: 65,536 times the block plus the item in it."""
    pairs = _fixed(ctid, [("block", ">u4"), ("item", ">u2")])
    blocks: npt.NDArray[np.int64] = pairs["block"].astype(np.int64)
    return (blocks << 16) | pairs["item"].astype(np.int64)


def _fixed(array: pa.Array, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Cells of a type that the driver does not know, without a null among them: the server's own bytes."""
    raw = array.storage if isinstance(array, pa.ExtensionArray) else array
    return np.frombuffer(raw.buffers()[2], kind, len(raw), raw.offset * np.dtype(kind).itemsize)
