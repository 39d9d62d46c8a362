"""How far the warehouse has read the lake, and whether that is this lake.

A stage and a number say nothing by themselves: another lake over the same warehouse has commits of the same
numbers. So the warehouse keeps beside them which lake they are of, and which commit each is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Optional

import psycopg
from psycopg import sql

from catalog.warehouse_names import AUDIT_TABLE, OFFSET_TABLE
from glue_jobs.lake.clients import LakeClients
from glue_jobs.lake.layout import from_iso
from glue_jobs.warehouse.pending import Position

STAGES = ("dimensions", "facts")
"""The stages whose commits are loaded."""

_COLUMNS = ("sequence", "last_batch", "attempt", "lake")


def read_offsets(connection: psycopg.Connection, schema: str) -> dict[str, Position]:
    """The position of each stage.

    Args:
        connection: A session of the warehouse.
        schema: The schema of its tables.

    Returns:
        By stage, its position; that of an empty warehouse where there is none.
    """
    there = _columns(connection, schema, OFFSET_TABLE)
    # A warehouse of an earlier release has no identities, and before the first load there is no table.
    items = [
        sql.Identifier(name) if name in there else sql.SQL("NULL AS {}").format(sql.Identifier(name))
        for name in _COLUMNS
    ]
    positions = {stage: Position() for stage in STAGES}
    if there:
        statement = sql.SQL("SELECT stage, {} FROM {} WHERE stage = ANY(%s)").format(
            sql.SQL(", ").join(items), sql.Identifier(schema, OFFSET_TABLE)
        )
        for stage, *values in connection.execute(statement, [list(STAGES)]):
            positions[stage] = Position(*values)
    return positions


def foreign(
    connection: psycopg.Connection, schema: str, lake: LakeClients, positions: Mapping[str, Position]
) -> Optional[str]:
    """Why what the warehouse holds is not of this lake, as it is now; nothing where it is, or is empty.

    A warehouse of an earlier release states no identity. It is this lake's if the lake has the commits that
    it counts, and if the capture that it loaded last was taken at the moment that its audit states.

    Args:
        connection: A session of the warehouse.
        schema: The schema of its tables.
        lake: Its clients.
        positions: From :func:`read_offsets`.
    """
    identity = lake.identity
    loaded = {stage: position for stage, position in positions.items() if position.sequence}
    for position in loaded.values():
        if position.lake is not None and identity is not None and position.lake != identity:
            return f"it holds what another lake ({position.lake}) published, and this lake is {identity}"
    for stage, position in loaded.items():
        commit = lake.log(stage).get(position.sequence)
        if commit is None:
            return f"it has loaded {stage} up to commit {position.sequence}, which this lake does not have"
        if position.attempt is not None and position.attempt != commit.attempt:
            return f"it has loaded another commit {position.sequence} of {stage} than the one that is here"
    if any(position.lake is None for position in loaded.values()):
        return _other_moment(connection, schema, lake)
    return None


def adopt(
    connection: psycopg.Connection, schema: str, lake: LakeClients, positions: Mapping[str, Position]
) -> dict[str, Position]:
    """State the identities of what an earlier release loaded, once.

    Args:
        connection: A session of the warehouse, in the load's transaction.
        schema: The schema of its tables.
        lake: Its clients.
        positions: From :func:`read_offsets`; not :func:`foreign`.

    Returns:
        The positions, with their identities.
    """
    adopted = dict(positions)
    for stage, position in positions.items():
        commit = lake.log(stage).get(position.sequence) if position.lake is None else None
        if commit is not None:
            connection.execute(
                sql.SQL("UPDATE {} SET lake = %s, attempt = %s WHERE stage = %s").format(
                    sql.Identifier(schema, OFFSET_TABLE)
                ),
                [lake.identity, commit.attempt, stage],
            )
            adopted[stage] = replace(position, attempt=commit.attempt, lake=lake.identity)
    return adopted


def _other_moment(connection: psycopg.Connection, schema: str, lake: LakeClients) -> Optional[str]:
    if not _columns(connection, schema, AUDIT_TABLE):
        return None
    last = connection.execute(
        sql.SQL("SELECT last_batch, snapshot_at FROM {} ORDER BY load_id DESC LIMIT 1").format(
            sql.Identifier(schema, AUDIT_TABLE)
        )
    ).fetchone()
    if last is None or last[1] is None:
        return None
    batch, loaded_at = int(last[0]), last[1]
    capture = lake.log("capture").get(batch)
    captured_at = capture.captured_at if capture is not None else None
    if captured_at is None or from_iso(captured_at) == loaded_at:
        return None
    return f"it holds the source of {loaded_at} as batch {batch}, and batch {batch} of this lake is another"


def _columns(connection: psycopg.Connection, schema: str, table: str) -> set[str]:
    rows = connection.execute(
        "SELECT a.attname::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped",
        [schema, table],
    )
    return {name for (name,) in rows}
