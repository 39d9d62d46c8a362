"""The warehouse's tables and views: made where they are missing, compared where they are there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from psycopg import errors

from catalog import warehouse
from catalog.model import UNRESOLVED
from catalog.warehouse_names import OFFSET_TABLE
from glue_jobs.runtime.connections import DatabaseError

_ADDED = {OFFSET_TABLE: ("lake", "attempt"), UNRESOLVED: ("row_key_text", "source_key_text")}
"""By table that is the load's own, columns that warehouses of earlier releases lack; the load adds them."""


def install(connection: sa.Connection, tables: sa.MetaData, views: Iterable[warehouse.View]) -> list[str]:
    """Make what is missing; leave alone what is as the contracts say.

    Args:
        connection: In a transaction, which the caller commits.
        tables: The warehouse's tables.
        views: The views over them; one that an older contract made is remade, or goes where none states it.

    Returns:
        The names of what was made.

    Raises:
        DatabaseError: A table is there and lacks a column, or has one of another type.
    """
    schema = str(tables.schema)
    inspector = sa.inspect(connection)
    if not inspector.has_schema(schema):
        connection.execute(sa.schema.CreateSchema(schema))
        inspector = sa.inspect(connection)
    there = inspector.get_multi_columns(schema=schema)
    missing = [table for table in tables.sorted_tables if (schema, table.name) not in there]
    for table in tables.sorted_tables:
        if table not in missing:
            _add_columns(connection, table, there[(schema, table.name)])
            _compare(connection, table, there[(schema, table.name)])
    tables.create_all(connection, tables=missing, checkfirst=False)
    return [table.name for table in missing] + _install_views(connection, schema, views)


def _add_columns(connection: sa.Connection, table: sa.Table, there: list[Any]) -> None:
    """Add the columns that the load itself has come to need since it made its own tables."""
    names = {column["name"] for column in there}
    for name in _ADDED.get(table.name, ()):
        if name not in names:
            column, preparer = table.columns[name], connection.dialect.identifier_preparer
            declared = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            _execute(connection, f"ALTER TABLE {preparer.format_table(table)} ADD COLUMN {declared}")
            connection.execute(sa.schema.SetColumnComment(column))
            there.append({"name": name, "type": column.type})


def _compare(connection: sa.Connection, table: sa.Table, there: Iterable[Any]) -> None:
    dialect = connection.dialect
    found = {column["name"]: column["type"].compile(dialect) for column in there}
    for column in table.columns:
        wanted = column.type.compile(dialect)
        if column.name not in found:
            raise DatabaseError(
                f"The warehouse's table {table.fullname} has no column {column.name}, its contract has.",
                f"Add it: ALTER TABLE {table.fullname} ADD COLUMN {column.name} {wanted}.",
            )
        if found[column.name] != wanted:
            raise DatabaseError(
                f"The warehouse's column {table.fullname}.{column.name} is {found[column.name]}, "
                f"its contract says {wanted}.",
                "Alter the column, or name an empty schema with --warehouse_schema.",
            )


def _install_views(connection: sa.Connection, schema: str, views: Iterable[warehouse.View]) -> list[str]:
    shown = connection.execute(
        sa.text(
            "SELECT relname, obj_description(oid, 'pg_class') AS comment FROM pg_class "
            "WHERE relkind = 'v' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema)"
        ),
        {"schema": schema},
    )
    there = {row.relname: row.comment for row in shown}
    made, stated = [], {view.name: view for view in views}
    for name, comment in there.items():
        if name not in stated and warehouse.is_of_contracts(comment):
            _drop_view(connection, schema, name, "is stated by no contract any more")
    for view in stated.values():
        # Remaking a view locks its readers out until the commit: only where it says something else.
        if there.get(view.name) != view.comment:
            _make_view(connection, schema, view)
            made.append(view.name)
    return made


def _make_view(connection: sa.Connection, schema: str, view: warehouse.View) -> None:
    """Make a view, or remake it with the rights on it that others have.

    Raises:
        DatabaseError: Its columns are not those that it had, and something else depends on them.
    """
    make, describe = view.statements(schema)
    try:
        with connection.begin_nested():
            _execute(connection, make)
    except sa.exc.ProgrammingError as error:
        if not isinstance(error.orig, errors.InvalidTableDefinition):
            raise
        # A view in place of another may only have further columns, behind those that there were.
        rights = connection.execute(_RIGHTS, {"schema": schema, "view": view.name}).all()
        _drop_view(connection, schema, view.name, "gets other columns")
        _execute(connection, make)
        columns = {column["name"] for column in sa.inspect(connection).get_columns(view.name, schema)}
        for column, grant in rights:
            if column is None or column in columns:
                _execute(connection, grant)
    _execute(connection, describe)


def _execute(connection: sa.Connection, statement: str) -> None:
    """Run a statement as it is: the driver takes a single % for the place of a parameter."""
    connection.exec_driver_sql(statement.replace("%", "%%"))


def _drop_view(connection: sa.Connection, schema: str, name: str, why: str) -> None:
    try:
        _execute(connection, f"DROP VIEW {warehouse.qualified(schema, name)}")
    except sa.exc.InternalError as error:
        if not isinstance(error.orig, errors.DependentObjectsStillExist):
            raise
        others = "; ".join((error.orig.diag.message_detail or "").splitlines())
        raise DatabaseError(
            f"The view {schema}.{name} {why}, and something depends on it: {others}.",
            "Nothing was loaded. Drop that, and make it again after the next load.",
        ) from error


_RIGHTS = sa.text("""
SELECT held.attname,
       format('GRANT %s%s ON %s TO %s%s', held.privilege_type, ' (' || quote_ident(held.attname) || ')',
              held.oid::regclass, CASE held.grantee WHEN 0 THEN 'PUBLIC' ELSE held.grantee::regrole::text END,
              CASE WHEN held.is_grantable THEN ' WITH GRANT OPTION' END)
FROM (SELECT c.oid, c.relowner, NULL::name AS attname, (aclexplode(c.relacl)).*
      FROM pg_class c
      UNION ALL
      SELECT c.oid, c.relowner, a.attname, (aclexplode(a.attacl)).*
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped) AS held
WHERE held.oid = (SELECT oid FROM pg_class WHERE relname = :view
                  AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema))
  AND held.grantee <> held.relowner
""")
"""What others than its owner may do with a view or one of its columns, as statements that allow it again."""
