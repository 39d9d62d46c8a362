"""The Glue catalogue as Athena sees it: databases, tables, partitions and views."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from catalog.glue import ViewColumn, view_input
from local_stack.athena.errors import QueryError
from local_stack.athena.types import from_hive, hive_name, trino_name

CATALOG = "awsdatacatalog"
"""The one catalogue that exists, as Athena's messages spell it."""

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""The partition value that means NULL."""

PARQUET: dict[str, Any] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
"""Storage of a parquet table, as the members of a StorageDescriptor."""

_VIEW_PREFIX, _VIEW_SUFFIX = "/* Presto View: ", " */"


@dataclass(frozen=True)
class Column:
    """A column as the catalogue declares it: name, Hive type, comment."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True)
class View:
    """A stored query and the database in which its unqualified names are looked up."""

    sql: str
    database: str


@dataclass(frozen=True)
class Partition:
    """One partition: its values as the catalogue writes them, and where its files are."""

    values: tuple[str, ...]
    location: str


@dataclass(frozen=True)
class Table:
    """A table or view of the catalogue."""

    database: str
    name: str
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...] = ()
    location: str = ""
    view: View | None = None
    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    serde: str = ""

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Data columns, then partition columns."""
        return self.columns + self.partition_keys

    def schema(self) -> pa.Schema:
        """The declared columns, partition columns last, as an Arrow schema."""
        return pa.schema([(column.name, from_hive(column.type)) for column in self.all_columns])


class Catalogue:
    """Reads and writes the Glue catalogue; names are lower case, as Glue keeps them."""

    def __init__(self, glue: Any) -> None:
        self._glue = glue

    def databases(self) -> list[str]:
        """Every database's name, sorted."""
        return sorted(item["Name"] for item in self._pages("get_databases", "DatabaseList"))

    def has_database(self, name: str) -> bool:
        """Whether a database exists."""
        return self._get(self._glue.get_database, Name=name.lower()) is not None

    def tables(self, database: str) -> list[Table]:
        """Every table and view of a database, by name."""
        found = self._pages("get_tables", "TableList", DatabaseName=database.lower())
        return sorted((_table(item) for item in found), key=lambda table: table.name)

    def table(self, database: str, name: str) -> Table | None:
        """A table or view, or None where there is none."""
        answer = self._get(self._glue.get_table, DatabaseName=database.lower(), Name=name.lower())
        return _table(answer["Table"]) if answer else None

    def partitions(self, table: Table) -> list[Partition]:
        """The partitions that the catalogue names; for a table without partition columns, its location."""
        if not table.partition_keys:
            return [Partition((), table.location)]
        found = self._pages(
            "get_partitions",
            "Partitions",
            DatabaseName=table.database,
            TableName=table.name,
            ExcludeColumnSchema=True,
        )
        return [Partition(tuple(item["Values"]), item["StorageDescriptor"]["Location"]) for item in found]

    def put_view(self, database: str, name: str, sql: str, schema: pa.Schema, *, replace: bool) -> None:
        """Store a view."""
        columns = [
            ViewColumn(column.name, hive_name(column.type), trino_name(column.type)) for column in schema
        ]
        self._put(database, view_input(database, name, sql, columns), replace=replace)

    def create_table(
        self, database: str, name: str, schema: pa.Schema, partitioned_by: list[str], location: str
    ) -> None:
        """Create a parquet table over data that is already there."""
        keys = [_glue_column(column) for column in schema if column.name in partitioned_by]
        columns = [_glue_column(column) for column in schema if column.name not in partitioned_by]
        table = {
            "Name": name.lower(),
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", "has_encrypted_data": "false"},
            "PartitionKeys": keys,
            "StorageDescriptor": {"Columns": columns, "Location": location, **PARQUET},
        }
        self._put(database, table, replace=False)

    def add_partitions(self, table: Table, partitions: list[Partition]) -> None:
        """Register partitions, as many calls as the API's limit of a hundred asks for."""
        columns = [{"Name": column.name, "Type": column.type} for column in table.columns]
        inputs = [
            {
                "Values": list(part.values),
                "StorageDescriptor": {"Columns": columns, "Location": part.location, **PARQUET},
            }
            for part in partitions
        ]
        for start in range(0, len(inputs), 100):
            self._glue.batch_create_partition(
                DatabaseName=table.database,
                TableName=table.name,
                PartitionInputList=inputs[start : start + 100],
            )

    def drop(self, database: str, name: str) -> None:
        """Remove a table or view from the catalogue; its data stays."""
        self._glue.delete_table(DatabaseName=database.lower(), Name=name.lower())

    def _put(self, database: str, table: dict[str, Any], *, replace: bool) -> None:
        try:
            self._glue.create_table(DatabaseName=database.lower(), TableInput=table)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AlreadyExistsException":
                raise
            if not replace:
                raise QueryError(
                    "TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{table['Name']}' already exists"
                ) from None
            self._glue.update_table(DatabaseName=database.lower(), TableInput=table)

    def _pages(self, call: str, member: str, **arguments: Any) -> list[dict[str, Any]]:
        pages = self._glue.get_paginator(call).paginate(**arguments)
        return [item for page in pages for item in page[member]]

    @staticmethod
    def _get(call: Any, **arguments: Any) -> dict[str, Any] | None:
        try:
            return dict(call(**arguments))
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                return None
            raise


def _glue_column(column: pa.Field) -> dict[str, str]:
    return {"Name": column.name.lower(), "Type": hive_name(column.type)}


def _table(item: dict[str, Any]) -> Table:
    storage = item.get("StorageDescriptor", {})
    return Table(
        database=item["DatabaseName"],
        name=item["Name"],
        columns=_columns(storage.get("Columns", [])),
        partition_keys=_columns(item.get("PartitionKeys", [])),
        location=storage.get("Location", ""),
        view=_view(item),
        description=item.get("Description", ""),
        parameters=item.get("Parameters", {}),
        serde=storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
    )


def _columns(found: list[dict[str, str]]) -> tuple[Column, ...]:
    return tuple(
        Column(item["Name"].lower(), item.get("Type", ""), item.get("Comment", "")) for item in found
    )


def _view(item: dict[str, Any]) -> View | None:
    if item.get("TableType") != "VIRTUAL_VIEW":
        return None
    text = item.get("ViewOriginalText", "")
    try:
        packed = text.removeprefix(_VIEW_PREFIX).removesuffix(_VIEW_SUFFIX)
        definition = json.loads(base64.b64decode(packed, validate=True))
        return View(definition["originalSql"], definition.get("schema") or item["DatabaseName"])
    except (ValueError, KeyError) as error:
        name = f"{item['DatabaseName']}.{item['Name']}"
        raise QueryError(
            "INVALID_VIEW", f"View '{CATALOG}.{name}' is not stored as a Presto view: {error}"
        ) from None
