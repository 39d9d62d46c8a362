"""Two relations of the workspace, compared by key and fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import duckdb

from glue_jobs.reconciliation.canonical import quoted
from glue_jobs.reconciliation.reconciliation_report import Comparison, Difference

EXAMPLES = 5
"""How many keys of each kind of difference are named."""


def compare(
    workspace: duckdb.DuckDBPyConnection,
    sides: tuple[str, str],
    left: str,
    right: str,
    columns: Sequence[str],
    base: Optional[int],
    repeated: Optional[str] = None,
) -> Comparison:
    """Compare two relations.

    Args:
        workspace: DuckDB.
        sides: What they are called in the report.
        left: The relation that says how it should be: ``_key``, ``_row_version``, ``_fingerprint``, the
            columns.
        right: The relation to judge: ``_key``, ``_fingerprint``, the columns.
        columns: The columns that both have, to name those that differ.
        base: Rows of the left side whose ``_row_version`` is at least this are waiting; nothing: none are.
        repeated: A query for the keys of right rows beyond one for each key and version.
    """
    waiting = "false" if base is None else f"coalesce(l._row_version >= {base}, false)"
    workspace.execute(
        "CREATE OR REPLACE TEMP TABLE found AS"  # noqa: S608 - names of our own relations
        " SELECT coalesce(l._key, r._key) AS key,"
        " CASE WHEN r._key IS NULL THEN 'missing' WHEN l._key IS NULL THEN 'extra'"
        " ELSE 'different' END AS kind,"
        f" {waiting} AS waiting"
        f" FROM {left} AS l FULL OUTER JOIN {right} AS r ON l._key = r._key"
        " WHERE l._key IS NULL OR r._key IS NULL OR l._fingerprint <> r._fingerprint"
    )
    if repeated is not None:
        workspace.execute(f"INSERT INTO found SELECT key, 'repeated', false FROM ({repeated})")  # noqa: S608
    counts: dict[str, int] = dict(
        workspace.execute("SELECT kind, count(*) FROM found GROUP BY kind").fetchall()
    )
    waits = workspace.execute("SELECT count(*) FROM found WHERE waiting").fetchone()
    return Comparison(
        left=sides[0],
        right=sides[1],
        waiting=waits[0] if waits else 0,
        examples=_examples(workspace, left, right, columns) if counts else (),
        **counts,
    )


def count(workspace: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows of a relation."""
    row = workspace.execute(f"SELECT count(*) FROM {relation}").fetchone()  # noqa: S608 - our own relation
    return int(row[0]) if row else 0


def _examples(
    workspace: duckdb.DuckDBPyConnection, left: str, right: str, columns: Sequence[str]
) -> tuple[Difference, ...]:
    chosen = workspace.execute(
        "SELECT kind, key, waiting FROM found"
        " QUALIFY row_number() OVER (PARTITION BY kind ORDER BY waiting, try_cast(key AS BIGINT), key) <= ?"
        " ORDER BY kind, waiting, try_cast(key AS BIGINT), key",
        [EXAMPLES],
    ).fetchall()
    keys = [key for kind, key, _ in chosen if kind == "different"]
    before, after = _rows(workspace, left, columns, keys), _rows(workspace, right, columns, keys)
    return tuple(
        Difference(
            kind,
            key,
            waiting,
            tuple(
                name
                for name, was, is_now in zip(columns, before.get(key, ()), after.get(key, ()))
                if was != is_now
            )
            if kind == "different"
            else (),
        )
        for kind, key, waiting in chosen
    )


def _rows(
    workspace: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], keys: Sequence[str]
) -> dict[str, tuple[Any, ...]]:
    if not keys:
        return {}
    found = workspace.execute(
        f"SELECT _key, {', '.join(map(quoted, columns))} FROM {relation} WHERE _key IN (SELECT unnest(?))",  # noqa: S608
        [list(keys)],
    ).fetchall()
    return {row[0]: row[1:] for row in found}
