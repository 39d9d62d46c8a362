"""The tables of ``information_schema``, which every catalogue has; they are answered from Glue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from local_aws.athena.catalog_reader import CATALOG, Column, GlueCatalog, Table
from local_aws.athena.jobs import Rows
from local_aws.athena.query_errors import QueryError
from local_aws.athena.typenames import hive_type

INFORMATION_SCHEMA = "information_schema"
"""The schema that every catalogue has, answered from Glue."""


def _information_table(name: str, columns: Iterable[str]) -> Table:
    return Table(INFORMATION_SCHEMA, name, tuple(Column(*column.split(":")) for column in columns))


INFORMATION_TABLES = {
    "schemata": _information_table("schemata", ["catalog_name:string", "schema_name:string"]),
    "tables": _information_table(
        "tables", ["table_catalog:string", "table_schema:string", "table_name:string", "table_type:string"]
    ),
    "views": _information_table(
        "views",
        ["table_catalog:string", "table_schema:string", "table_name:string", "view_definition:string"],
    ),
    "columns": _information_table(
        "columns",
        [
            "table_catalog:string",
            "table_schema:string",
            "table_name:string",
            "column_name:string",
            "ordinal_position:bigint",
            "column_default:string",
            "is_nullable:string",
            "data_type:string",
            "comment:string",
        ],
    ),
}
"""The tables of ``information_schema``."""


def information_rows(catalogue: GlueCatalog, table: Table) -> Rows:
    """The rows of one of the tables, from the catalogue."""
    names = tuple(column.name for column in table.columns)
    return Rows(names, tuple(tuple(row.get(name) for name in names) for row in _ROWS[table.name](catalogue)))


Row = dict[str, Any]


def _schemata(catalogue: GlueCatalog) -> Iterator[Row]:
    for name in [*catalogue.databases(), INFORMATION_SCHEMA]:
        yield {"catalog_name": CATALOG, "schema_name": name}


def _all_tables(catalogue: GlueCatalog) -> Iterator[Table]:
    for database in catalogue.databases():
        yield from catalogue.tables(database)


def _tables(catalogue: GlueCatalog) -> Iterator[Row]:
    for table in _all_tables(catalogue):
        yield {
            "table_catalog": CATALOG,
            "table_schema": table.database,
            "table_name": table.name,
            "table_type": "VIEW" if table.view else "BASE TABLE",
        }


def _columns(catalogue: GlueCatalog) -> Iterator[Row]:
    for table in _all_tables(catalogue):
        for place, column in enumerate(table.all_columns, start=1):
            yield {
                "table_catalog": CATALOG,
                "table_schema": table.database,
                "table_name": table.name,
                "column_name": column.name,
                "ordinal_position": place,
                "is_nullable": "YES",
                "data_type": _shown_type(column),
                "comment": column.comment or None,
            }


def _views(catalogue: GlueCatalog) -> Iterator[Row]:
    for table in _all_tables(catalogue):
        if table.view:
            yield {
                "table_catalog": CATALOG,
                "table_schema": table.database,
                "table_name": table.name,
                "view_definition": table.view.sql,
            }


def _shown_type(column: Column) -> str:
    try:
        return str(hive_type(column.type))
    except QueryError:
        return column.type  # a table that cannot be read is listed all the same


_ROWS: dict[str, Callable[[GlueCatalog], Iterator[Row]]] = {
    "schemata": _schemata,
    "tables": _tables,
    "columns": _columns,
    "views": _views,
}
