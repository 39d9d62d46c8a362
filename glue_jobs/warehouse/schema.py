"""The warehouse's tables and views: made where they are missing, compared where they are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Callable

import sqlalchemy as sa
from psycopg import errors

from catalog import warehouse
from catalog.model import UNRESOLVED
from catalog.warehouse_names import OFFSET_TABLE
from glue_jobs.runtime.connections import DatabaseError
from glue_jobs.runtime.errors import UserError

_ADDED = {OFFSET_TABLE: ("lake", "attempt"), UNRESOLVED: ("row_key_text", "source_key_text")}
"""By table that is the load's own, columns that warehouses of earlier releases lack; the load adds them."""


@dataclass(frozen=True)
class Alteration:
    """What a table of the warehouse lacks to be as its contract says, and what adds it without loss.

    Attributes:
        table: The table.
        column: Its column.
        words: What is done to it, for a person.
        action: The same for ``ALTER TABLE``.
    """

    table: str
    column: str
    words: str
    action: str

    @property
    def target(self) -> str:
        """By which a person lets it be done."""
        return f"{self.table}.{self.column}"

    def __str__(self) -> str:
        return f"{self.target} {self.words}"


def parse_alterations(text: str) -> frozenset[str]:
    """The columns that a load may add or let be empty, each as ``table.column``, with a comma between.

    Raises:
        UserError: It is no such list.
    """
    places = frozenset(filter(None, text.split(",")))
    wrong = sorted(one for one in places if one.count(".") != 1)
    if wrong:
        raise UserError(
            f"The argument --alter_warehouse names {wrong[0]!r}.",
            "Write it as TABLE.COLUMN, with a comma between several.",
        )
    return places


def alterations(connection: sa.Connection, tables: sa.MetaData) -> list[Alteration]:
    """What a load could add to the warehouse's tables: columns that may be empty, and nothing that is lost.

    Args:
        connection: A session of the warehouse.
        tables: The warehouse's tables as contracts state them.

    Raises:
        DatabaseError: A table differs from its contract in a way that takes more.
    """
    there = sa.inspect(connection).get_multi_columns(schema=str(tables.schema))
    found = []
    for table in tables.sorted_tables:
        columns = there.get((table.schema, table.name))
        if columns is not None:
            found += _compare(connection, table, columns)
    return found


def install(
    connection: sa.Connection,
    tables: sa.MetaData,
    views: Iterable[warehouse.View],
    allowed: Collection[str] = (),
) -> list[str]:
    """Make what is missing; leave alone what is as the contracts say.

    Args:
        connection: In a transaction, which the caller commits.
        tables: The warehouse's tables.
        views: The views over them; one that an older contract made is remade, or goes where none states it.
        allowed: Columns that may be added, or may be let be empty, each as ``table.column``.

    Returns:
        The names of what was made or altered.

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
    altered = []
    for table in tables.sorted_tables:
        if table not in missing:
            _add_columns(connection, table, there[(schema, table.name)])
            for one in _compare(connection, table, there[(schema, table.name)]):
                if one.target in allowed:
                    _alter(connection, table, one)
                    altered.append(one.target)
                elif one.words != _MAY_BE_EMPTY:
                    raise _refused(table, one)
    tables.create_all(connection, tables=missing, checkfirst=False)
    return altered + [table.name for table in missing] + _install_views(connection, schema, views)


def _add_columns(connection: sa.Connection, table: sa.Table, there: list[Any]) -> None:
    """Add the columns that the load itself has come to need since it made its own tables."""
    names = {column["name"] for column in there}
    for name in _ADDED.get(table.name, ()):
        if name not in names:
            column, preparer = table.columns[name], connection.dialect.identifier_preparer
            declared = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            _execute(connection, f"ALTER TABLE {preparer.format_table(table)} ADD COLUMN {declared}")
            connection.execute(sa.schema.SetColumnComment(column))
            there.append({"name": name, "type": column.type, "nullable": column.nullable})


def _compare(connection: sa.Connection, table: sa.Table, there: Iterable[Any]) -> list[Alteration]:
    """What the table lacks that can be added without loss.

    Raises:
        DatabaseError: It has a column of another type, or lacks one that may not be empty.
    """
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    found = {column["name"]: column for column in there}
    lacking = []
    for column in table.columns:
        wanted, known = column.type.compile(dialect), found.get(column.name)
        if known is None and not column.nullable:
            raise DatabaseError(
                f"The warehouse's table {table.fullname} has no column {column.name}, its contract has, and"
                " says that it is never empty; rows that are there have no value of it.",
                f"State it as nullable: true. {_made_again(table)}",
            )
        if known is None:
            action = f"ADD COLUMN {sa.schema.CreateColumn(column).compile(dialect=dialect)}"
            lacking.append(
                Alteration(table.name, column.name, f"is added as {wanted}, empty at first", action)
            )
        elif (has := known["type"].compile(dialect)) != wanted:
            raise DatabaseError(
                f"The warehouse's column {table.fullname}.{column.name} is {has}, "
                f"its contract says {wanted}. A load changes no type.",
                f"Keep the type. {_made_again(table)}",
            )
        elif column.nullable and not known["nullable"]:
            lacking.append(
                Alteration(table.name, column.name, _MAY_BE_EMPTY, _drop_not_null(quote, column.name))
            )
    for name, known in found.items():
        filled = known.get("default") is not None or "identity" in known or "computed" in known
        if name not in table.columns and not known["nullable"] and not filled:
            lacking.append(Alteration(table.name, name, _IS_LEFT_EMPTY, _drop_not_null(quote, name)))
    return lacking


_MAY_BE_EMPTY = "may be empty from then on"
_IS_LEFT_EMPTY = "stays, and may be empty from then on: no contract states it any more"


def _made_again(table: sa.Table) -> str:
    return (
        f"Or have the table made again: DROP TABLE {table.fullname} CASCADE, then a rebuild fills it "
        "(lakehouse rebuild)."
    )


def _drop_not_null(quote: Callable[[str], str], column: str) -> str:
    return f"ALTER COLUMN {quote(column)} DROP NOT NULL"


def _alter(connection: sa.Connection, table: sa.Table, one: Alteration) -> None:
    name = connection.dialect.identifier_preparer.format_table(table)
    _execute(connection, f"ALTER TABLE {name} {one.action}")
    if one.column in table.columns:
        connection.execute(sa.schema.SetColumnComment(table.columns[one.column]))


def _refused(table: sa.Table, one: Alteration) -> DatabaseError:
    why = (
        f"has a column {one.column} that may not be empty, and no contract states it any more."
        if one.words == _IS_LEFT_EMPTY
        else f"has no column {one.column}, its contract has."
    )
    return DatabaseError(
        f"The warehouse's table {table.fullname} {why}",
        "Let the load alter it: lakehouse run --alter-warehouse on a laptop, the argument --alter_warehouse "
        f"{one.target} of load_warehouse elsewhere. Or run: ALTER TABLE {table.fullname} {one.action}.",
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
