"""One star table's changes into its warehouse table: COPY as the engine, the database as the judge.

Dimensions go through a temporary table and replace older versions of their rows. Facts are versions that
never change, so they are copied straight into their table; only when a version is there already are they
staged and compared. A batch that is larger than what the table holds is copied without the table's
constraints, which are then added again and checked in bulk, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Callable

import psycopg
import pyarrow as pa
from psycopg import errors, sql

from catalog.model import Contract
from glue_jobs.runtime.errors import UserError
from glue_jobs.warehouse import binary_copy

BULK_ROWS = 5_000
"""From so many rows on, checking constraints in bulk is worth locking readers of the table out."""

Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Gives a table's changes from the start, in order; may be asked more than once."""


class VersionConflictError(UserError):
    """A version of a fact is in the warehouse with other content."""


@dataclass(frozen=True)
class Target:
    """A warehouse table and what its contract says.

    Attributes:
        contract: The star table.
        schema: The PostgreSQL schema that holds it.
    """

    contract: Contract
    schema: str

    @property
    def name(self) -> sql.Identifier:
        """The table's qualified, quoted name."""
        return sql.Identifier(self.schema, self.contract.table)

    @property
    def stage(self) -> sql.Identifier:
        """The quoted name of its temporary table."""
        return sql.Identifier("pg_temp", f"stage_{self.contract.table}")

    @property
    def columns(self) -> tuple[str, ...]:
        """All its columns, in order."""
        return tuple(column.name for column in self.contract.all_columns)


@dataclass(frozen=True)
class Loaded:
    """What a load did to one table.

    Attributes:
        read: Rows read from the lake.
        changed: Rows that were new or changed in the warehouse.
    """

    read: int
    changed: int

    def __add__(self, other: Loaded) -> Loaded:
        """What was done in both."""
        return Loaded(self.read + other.read, self.changed + other.changed)


def load_dimension(connection: psycopg.Connection, target: Target, batches: Batches) -> Loaded:
    """Bring a dimension's rows up to date by key.

    Of several versions of a key the newest counts, by batch, then by the order in which they came. A version
    older than what the table holds changes nothing, and an equal row is not written again.

    Args:
        connection: In a transaction, which the caller commits.
        target: The table.
        batches: Its changes.
    """
    read = _copy_to_stage(connection, target, batches)
    key = target.contract.key
    rest = [name for name in target.columns if name not in key]
    statement = sql.SQL(
        "INSERT INTO {table} AS known ({columns}) "
        "SELECT DISTINCT ON ({key}) {columns} FROM {stage} ORDER BY {key}, batch_sequence DESC, ctid DESC "
        "ON CONFLICT ({key}) DO UPDATE SET {assignments} "
        "WHERE known.batch_sequence <= excluded.batch_sequence AND ({known}) IS DISTINCT FROM ({excluded})"
    ).format(
        table=target.name,
        stage=target.stage,
        columns=_names(target.columns),
        key=_names(key),
        assignments=sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in rest
        ),
        known=_names(rest, "known"),
        excluded=_names(rest, "excluded"),
    )
    changed = connection.execute(statement).rowcount
    _drop_stage(connection, target)
    return Loaded(read, changed)


def load_fact(connection: psycopg.Connection, target: Target, batches: Batches, expected: int) -> Loaded:
    """Add versions of a fact; a version that is there already changes nothing.

    Args:
        connection: In a transaction, which the caller commits.
        target: The table.
        batches: Its changes.
        expected: How many rows these have, as the commits say.

    Raises:
        VersionConflictError: A version is there already and says something else.
    """
    try:
        # A savepoint: the attempt leaves no trace when a version turns out to be there already.
        with connection.transaction():
            read = _copy_straight(connection, target, batches, expected)
        return Loaded(read, read)
    except errors.UniqueViolation:
        return _merge_versions(connection, target, batches)


def replace_entries(
    connection: psycopg.Connection, target: Target, batches: Batches, tables: Sequence[str]
) -> Loaded:
    """Put a part of the list of rejected changes in the place of what was listed of the same tables.

    Args:
        connection: In a transaction, which the caller commits.
        target: The list.
        batches: Its entries.
        tables: The star tables that they speak of.
    """
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE table_name = ANY(%s)").format(target.name), [list(tables)]
    )
    read = _copy(connection, target.name, target, batches())
    return Loaded(read, read)


def _copy_straight(connection: psycopg.Connection, target: Target, batches: Batches, expected: int) -> int:
    relaxed = _constraints(connection, target) if _is_bulk(connection, target, expected) else []
    if relaxed:
        _alter(connection, target, (sql.SQL("DROP CONSTRAINT {}").format(name) for name, _ in relaxed))
    read = _copy(connection, target.name, target, batches())
    # Keys before what refers to other tables: an index that fails is cheaper than a join.
    for name, definition in relaxed:
        addition = sql.SQL("ADD CONSTRAINT {} {}").format(name, sql.SQL(definition))
        _alter(connection, target, [addition])
    return read


def _merge_versions(connection: psycopg.Connection, target: Target, batches: Batches) -> Loaded:
    read = _copy_to_stage(connection, target, batches)
    record = next(column.name for column in target.contract.columns if column.record_id)
    parts = {
        "table": target.name,
        "stage": target.stage,
        "columns": _names(target.columns),
        "record": sql.Identifier(record),
        "known": _names(target.columns, "known"),
        "staged": _names(target.columns, "staged"),
    }
    changed = connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ORDER BY ctid "
            "ON CONFLICT DO NOTHING"
        ).format(**parts)
    ).rowcount
    row = connection.execute(
        sql.SQL(
            "SELECT count(*) FROM {stage} AS staged LEFT JOIN {table} AS known USING ({record}) "
            "WHERE ({known}) IS DISTINCT FROM ({staged})"
        ).format(**parts)
    ).fetchone()
    conflicts = row[0] if row else 0
    if conflicts:
        raise VersionConflictError(
            f"{conflicts} versions in the changes of {target.contract.table} are in the warehouse with "
            "other content.",
            "Nothing was loaded. Compare the lake with the warehouse; an empty schema, named with "
            "--warehouse_schema, is filled from the lake alone.",
        )
    _drop_stage(connection, target)
    return Loaded(read, changed)


def _is_bulk(connection: psycopg.Connection, target: Target, expected: int) -> bool:
    """Whether the batch is large, and larger than what the table holds.

    Checking all of the table in bulk then costs no more than twice what the batch itself is worth.
    """
    if expected < BULK_ROWS:
        return False
    held = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT %s) AS held").format(target.name)
    row = connection.execute(held, (expected,)).fetchone()
    return row is not None and row[0] < expected


def _constraints(connection: psycopg.Connection, target: Target) -> list[tuple[sql.Identifier, str]]:
    """The table's keys and references with their definitions, if this role may take them off.

    One that something else depends on stays, as do all when the role does not own the table.
    """
    found = connection.execute(
        """
        SELECT c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint AS c
        JOIN pg_class AS t ON t.oid = c.conrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace
        WHERE n.nspname = %s AND t.relname = %s AND c.contype IN ('p', 'u', 'f')
          AND pg_has_role(t.relowner, 'USAGE')
          AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.deptype = 'n' AND (
              (d.refclassid = 'pg_constraint'::regclass AND d.refobjid = c.oid)
              OR (d.refclassid = 'pg_class'::regclass AND c.contype <> 'f' AND d.refobjid = c.conindid)
            )
          )
        ORDER BY array_position('{p,u,f}'::"char"[], c.contype), c.conname
        """,
        (target.schema, target.contract.table),
    )
    return [(sql.Identifier(name), definition) for name, definition in found]


def _alter(connection: psycopg.Connection, target: Target, actions: Iterable[sql.Composable]) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(target.name, sql.SQL(", ").join(actions)))


def _copy_to_stage(connection: psycopg.Connection, target: Target, batches: Batches) -> int:
    create = sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP")
    connection.execute(create.format(sql.Identifier(f"stage_{target.contract.table}"), target.name))
    return _copy(connection, target.stage, target, batches())


def _drop_stage(connection: psycopg.Connection, target: Target) -> None:
    # Its space is given back before the next table's is taken.
    connection.execute(sql.SQL("DROP TABLE {}").format(target.stage))


def _copy(
    connection: psycopg.Connection,
    into: sql.Identifier,
    target: Target,
    batches: Iterable[pa.RecordBatch],
) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(into, _names(target.columns))
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in _stream(batches, target):
                copy.write(piece)
        return cursor.rowcount


def _stream(batches: Iterable[pa.RecordBatch], target: Target) -> Iterator[memoryview]:
    yield memoryview(binary_copy.HEADER)
    for batch in batches:
        yield binary_copy.encode(batch, target.contract.all_columns)
    yield memoryview(binary_copy.TRAILER)


def _names(names: Sequence[str], of: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)
