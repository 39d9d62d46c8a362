"""Reads what a database declares of itself, with a role that may SELECT and nothing more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from glue_jobs.runtime import session_settings
from glue_jobs.runtime.connections import connect, explain
from glue_jobs.sources.postgres_source import SourceTable, read_structure
from lakehouse.database_checks import check_server
from lakehouse.new_project.database import Database, ForeignKey, Place, Relation

_Rows = Mapping[int, list[Sequence[Any]]]

# What is part of another, by partition or inheritance, is read with that.
_RELATIONS = r"""
SELECT n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'USAGE'),
       obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^(pg_|_timescaledb_)' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname <> 'public', n.nspname COLLATE "C", c.relname COLLATE "C"
"""

_PARTS = b"""
SELECT n.nspname::text, c.relname::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
"""

# A domain may be over another one.
_COLUMNS = """
WITH RECURSIVE domains AS (
    SELECT t.oid AS domain, t.typbasetype AS base, t.typtypmod AS modifier
    FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.domain, t.typbasetype, t.typtypmod
    FROM domains d JOIN pg_type t ON t.oid = d.base WHERE t.typtype = 'd')
SELECT a.attrelid::bigint, a.attname::text, col_description(a.attrelid, a.attnum),
       (SELECT CASE WHEN b.typtype = 'e' THEN 'enum' ELSE format_type(d.base, d.modifier) END
        FROM domains d JOIN pg_type b ON b.oid = d.base WHERE d.domain = a.atttypid AND b.typtype <> 'd')
FROM pg_attribute a
WHERE a.attrelid = ANY(%(tables)s::bigint[]) AND a.attnum > 0 AND NOT a.attisdropped
"""

# Rows that were there before may be empty where nobody has looked at them yet (NOT VALID).
_REQUIRED = """
SELECT a.attrelid::bigint, a.attname::text,
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n
                                    WHERE n.conrelid = a.attrelid AND n.contype = 'n'
                                      AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated)
FROM pg_attribute a
WHERE a.attrelid = ANY(%(tables)s::bigint[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""

_KEYS = """
SELECT i.indrelid::bigint,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index i
WHERE i.indrelid = ANY(%(tables)s::bigint[]) AND i.indisunique AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY NOT i.indisprimary, i.indnkeyatts, i.indexrelid
"""

_FOREIGN_KEYS = """
SELECT f.conrelid::bigint,
       ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum ORDER BY k.place),
       n.nspname::text, c.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum ORDER BY k.place),
       f.convalidated
FROM pg_constraint f JOIN pg_class c ON c.oid = f.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid = ANY(%(tables)s::bigint[])
ORDER BY f.conname COLLATE "C"
"""

_MADE_OF = """
WITH RECURSIVE shown AS (
    SELECT r.ev_class AS relation, d.refobjid AS base
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class),
tree AS (
    SELECT relation, base FROM shown WHERE relation = ANY(%(tables)s::bigint[])
    UNION
    SELECT t.relation, s.base FROM tree t JOIN shown s ON s.relation = t.base)
SELECT DISTINCT t.relation::bigint, n.nspname::text, c.relname::text
FROM tree t JOIN pg_class c ON c.oid = t.base JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f')
ORDER BY 1, 2, 3
"""

# Estimates alone: what measures a table waits for its locks. What was never analysed is only counted.
_SIZES = """
SELECT c.oid::bigint, CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE coalesce(s.n_live_tup, 0) END::bigint,
       c.relpages::bigint * current_setting('block_size')::bigint
FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.oid = ANY(%(tables)s::bigint[])
"""


def read_database(dsn: str) -> Database:
    """What a database holds.

    Args:
        dsn: A libpq URI; verified TLS is asked of every host but this machine.

    Raises:
        UserError: It cannot be reached or read, or is no PostgreSQL that captures work on.
    """
    with connect(dsn, "source", "lakehouse init") as session:
        try:
            session.autocommit = True
            # Behind a pooler what is prepared here would meet who comes next.
            session.prepare_threshold = None
            check_server(session)
            session.execute(session_settings.begin(session.info.server_version).encode())
            parts = frozenset((schema, table) for schema, table in session.execute(_PARTS).fetchall())
            return Database(session.info.dbname, session.info.user, _relations(session), parts)
        except psycopg.Error as error:
            raise explain(error, "source") from error


def _relations(session: psycopg.Connection[Any]) -> tuple[Relation, ...]:
    rows = session.execute(_RELATIONS.encode()).fetchall()
    # The structure comes in the order of these names.
    listed = {f"{number:06}": row for number, row in enumerate(rows)}
    structure = read_structure(session, {name: (row[0], row[1]) for name, row in listed.items()})
    oids = [found.oid for found in structure.values()]
    leaves = [leaf.oid for found in structure.values() for leaf in found.leaves]
    columns, keys, foreign, bases = (
        _by_table(session, statement, oids) for statement in (_COLUMNS, _KEYS, _FOREIGN_KEYS, _MADE_OF)
    )
    sizes = _by_table(session, _SIZES, leaves)
    parts = sorted({*oids, *leaves})
    columns_of_parts = _by_table(session, _REQUIRED, parts)
    required = {found.oid: _required(found, columns_of_parts) for found in structure.values()}
    hypertables = _hypertables(session)
    return tuple(
        Relation(
            place=(row[0], row[1]),
            found=found,
            in_reach=row[2],
            required=required[found.oid],
            keys=tuple(tuple(names) for (names,) in keys[found.oid] if required[found.oid].issuperset(names)),
            foreign_keys=tuple(
                ForeignKey(tuple(names), (schema, table), tuple(targets), checked)
                for names, schema, table, targets, checked in foreign[found.oid]
            ),
            bases={name: base for name, _, base in columns[found.oid] if base is not None},
            comments={name: comment for name, comment, _ in columns[found.oid] if comment},
            comment=row[3] or None,
            only_in_parts=_only_in_parts(found, columns_of_parts),
            made_of=tuple((schema, table) for schema, table in bases[found.oid]),
            is_hypertable=(row[0], row[1]) in hypertables,
            rows=sum(rows for leaf in found.leaves for rows, _ in sizes[leaf.oid]),
            bytes=sum(size for leaf in found.leaves for _, size in sizes[leaf.oid]),
        )
        for name, found in structure.items()
        for row in (listed[name],)
    )


def _required(found: SourceTable, columns: _Rows) -> frozenset[str]:
    """The columns of a table that are never empty, in none of its parts: a child may let go of that."""
    parts = {found.oid, *(leaf.oid for leaf in found.leaves)}
    return frozenset.intersection(
        *(frozenset(name for name, required in columns[part] if required) for part in parts)
    )


def _only_in_parts(found: SourceTable, columns: _Rows) -> tuple[tuple[str, str], ...]:
    """The columns that children by inheritance have and the table has not, each behind its child."""
    return tuple(
        (leaf.name, name)
        for leaf in found.leaves
        for name, _ in columns[leaf.oid]
        if name not in found.columns
    )


def _by_table(session: psycopg.Connection[Any], statement: str, tables: Sequence[int]) -> _Rows:
    found: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for table, *rest in session.execute(statement.encode(), {"tables": list(tables)}).fetchall():
        found[table].append(rest)
    return found


def _hypertables(session: psycopg.Connection[Any]) -> frozenset[Place]:
    there = session.execute("SELECT to_regclass('_timescaledb_catalog.hypertable') IS NOT NULL").fetchone()
    if there is None or not there[0]:
        return frozenset()
    listed = session.execute(
        b"SELECT schema_name::text, table_name::text FROM _timescaledb_catalog.hypertable"
    )
    return frozenset((schema, table) for schema, table in listed.fetchall())
