"""Whether an existing PostgreSQL can serve as the source or the warehouse; asked before anything starts."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from catalog.catalogue import Catalogue
from catalog.warehouse_names import WAREHOUSE_SCHEMA
from glue_jobs.runtime.connections import connect, explain, require_utf8, spelled
from glue_jobs.runtime.errors import UserError

OLDEST = 130000
"""The oldest server that captures work on, as ``server_version_num``."""

_POSTGRESQL = re.compile(r"PostgreSQL [0-9]")

_OTHERS = {
    "cockroachdb": "CockroachDB",
    "-yb-": "YugabyteDB",
    "yugabyte": "YugabyteDB",
    "redshift": "Amazon Redshift",
    "greenplum": "Greenplum",
    "materialize": "Materialize",
    "risingwave": "RisingWave",
    "questdb": "QuestDB",
    "cratedb": "CrateDB",
    "opengauss": "openGauss",
}
"""By what is found in their ``version()``, products that speak as PostgreSQL does."""


def check_source(dsn: str, catalogue: Catalogue, schema: str) -> None:
    """Make sure that the source can be read: every table is there, and the role may read each.

    Args:
        dsn: The source, as the role that captures it.
        catalogue: The contracts of its tables.
        schema: The schema that they are in.

    Raises:
        UserError: It cannot be reached, is too old, lacks a table, or lets the role not read one.
    """
    with connect(dsn, "source", "lakehouse up") as connection:
        try:
            connection.read_only = True
            check_server(connection)
            missing, forbidden, grants = [], [], []
            for contract in catalogue.captured.values():
                place = contract.at_source(schema)
                table = contract.table if place[0] == schema else ".".join(place)
                name = sql.Identifier(*place).as_string(connection)
                row = connection.execute(
                    "SELECT to_regclass(%(name)s) IS NOT NULL,"
                    " CASE WHEN to_regclass(%(name)s) IS NOT NULL"
                    " THEN has_table_privilege(%(name)s, 'SELECT') END",
                    {"name": name},
                ).fetchone()
                if row is None or not row[0]:
                    missing.append(table)
                elif not row[1]:
                    forbidden.append(table)
                    grants.append(".".join(map(spelled, place)))
        except psycopg.Error as error:
            raise explain(error, "source") from error
        database, role = connection.info.dbname, connection.info.user
    if missing:
        raise UserError(
            f"The source database {database} has no table {', '.join(missing)}.",
            f"Name the database that holds them, in the schema {schema}, in --source.",
        )
    if forbidden:
        raise UserError(
            f"The role {role} may not read {', '.join(forbidden)} in the source database {database}.",
            f"Let its owner run: GRANT SELECT ON {', '.join(grants)} TO {role}",
        )


def check_warehouse(dsn: str) -> None:
    """Make sure that the warehouse can be loaded: the role may create tables in its schema.

    Args:
        dsn: The warehouse, as the role that loads it.

    Raises:
        UserError: It cannot be reached, is too old, is not UTF8, or lets the role create nothing.
    """
    with connect(dsn, "warehouse", "lakehouse up") as connection:
        try:
            _check_version(connection, "warehouse")
            require_utf8(connection, "warehouse")
            row = connection.execute(
                "SELECT CASE WHEN to_regnamespace(%(schema)s) IS NULL"
                " THEN has_database_privilege(current_database(), 'CREATE')"
                " ELSE has_schema_privilege(%(schema)s, 'CREATE') END",
                {"schema": WAREHOUSE_SCHEMA},
            ).fetchone()
        except psycopg.Error as error:
            raise explain(error, "warehouse") from error
        database, role = connection.info.dbname, connection.info.user
    if row is None or not row[0]:
        raise UserError(
            f"The role {role} may not create tables in the schema {WAREHOUSE_SCHEMA} of the warehouse"
            f" {database}.",
            f"Let its owner run: GRANT CREATE ON SCHEMA {WAREHOUSE_SCHEMA} TO {role}",
        )


def check_server(connection: psycopg.Connection) -> None:
    """Make sure that captures work on the server of a source.

    Raises:
        UserError: It is another product than PostgreSQL, or too old.
    """
    row = connection.execute("SELECT version()").fetchone()
    product = other_product(str(row[0]) if row is not None else "")
    if product is not None:
        raise UserError(
            f"The source is {product}, which speaks as PostgreSQL does and keeps its rows otherwise: their"
            " system columns do not say which transaction wrote them.",
            "Name a server of PostgreSQL itself, for one to which the tables are copied.",
        )
    _check_version(connection, "source")


def other_product(version: str) -> str | None:
    """Which product a server is, if not PostgreSQL.

    Args:
        version: What ``version()`` says.
    """
    said = version.lower()
    known = next((name for mark, name in _OTHERS.items() if mark in said), None)
    if known is not None or _POSTGRESQL.match(version):
        return known
    return f"a server that calls itself {version[:60]!r}"


def _check_version(connection: psycopg.Connection, database: str) -> None:
    version = connection.info.server_version
    if version < OLDEST:
        raise UserError(
            f"The {database} runs PostgreSQL {version // 10000}, which is older than {OLDEST // 10000}.",
            f"Use a server of version {OLDEST // 10000} or newer.",
        )
