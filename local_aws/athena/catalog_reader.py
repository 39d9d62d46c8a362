"""The Glue catalogue as Athena sees it: databases, tables, partitions and views."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from botocore.exceptions import ClientError

from catalog.glue import PARQUET, ViewColumn, view_input
from local_aws.athena.kinds import Type, arrow_type
from local_aws.athena.query_errors import QueryError
from local_aws.athena.typenames import hive_name, hive_type

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import (
        ColumnTypeDef,
        PartitionInputTypeDef,
        StorageDescriptorTypeDef,
        TableInputTypeDef,
    )

CATALOG = "awsdatacatalog"
"""The one catalogue that exists, as Athena's messages spell it."""

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""The partition value that means NULL."""

_CLASSIFICATIONS = {"PARQUET": "parquet", "TEXTFILE": "csv", "JSON": "json"}
_TABLE_INPUT = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
)
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
    serde_properties: dict[str, str] = field(default_factory=dict)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Data columns, then partition columns."""
        return self.columns + self.partition_keys

    def schema(self) -> pa.Schema:
        """The declared columns, partition columns last, as an Arrow schema."""
        return pa.schema([(column.name, file_type(hive_type(column.type))) for column in self.all_columns])


def file_type(kind: Type) -> pa.DataType:
    """Arrow's type of a column of a file: rows have the names of their fields."""
    if kind.base == "row":
        return pa.struct(
            [(str(name), file_type(part)) for name, part in zip(kind.names, kind.inner, strict=True)]
        )
    if kind.base == "array":
        return pa.list_(file_type(kind.inner[0]))
    if kind.base == "map":
        return pa.map_(file_type(kind.inner[0]), file_type(kind.inner[1]))
    return arrow_type(kind)


class GlueCatalog:
    """Reads and writes the Glue catalogue; names are lower case, as Glue keeps them."""

    def __init__(self, glue: GlueClient) -> None:
        self._glue = glue

    def as_found(self) -> CatalogOfStatement:
        """The same for one statement, which asks for each thing once."""
        return CatalogOfStatement(self._glue)

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

    def location(self, database: str) -> str:
        """Where the data of a database lies by default; nothing where it does not say."""
        answer = self._get(self._glue.get_database, Name=database.lower())
        return str((answer or {}).get("Database", {}).get("LocationUri") or "")

    def put_view(
        self, database: str, name: str, sql: str, schema: list[tuple[str, Type]], *, replace: bool
    ) -> None:
        """Store a view."""
        columns = [ViewColumn(column, hive_name(kind), str(kind)) for column, kind in schema]
        self._put(database, view_input(database, name, sql, columns), replace=replace)

    def create_table(
        self,
        database: str,
        name: str,
        schema: list[tuple[str, Type]],
        partitioned_by: list[str],
        location: str,
        *,
        form: str = "PARQUET",
        serde: str = "",
        properties: dict[str, str] | None = None,
        buckets: tuple[list[str], int] = ([], 0),
    ) -> None:
        """Create a table over data that is already there."""
        keys = [_glue_column(*column) for column in schema if column[0] in partitioned_by]
        columns = [_glue_column(*column) for column in schema if column[0] not in partitioned_by]
        storage = _storage(form, serde, properties or {})
        if buckets[0]:
            storage = {**storage, "BucketColumns": buckets[0], "NumberOfBuckets": buckets[1]}
        table: TableInputTypeDef = {
            "Name": name.lower(),
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "classification": _CLASSIFICATIONS[form],
                "has_encrypted_data": "false",
            },
            "PartitionKeys": keys,
            "StorageDescriptor": {"Columns": columns, "Location": location, **storage},
        }
        self._put(database, table, replace=False)

    def create_external(
        self,
        database: str,
        name: str,
        columns: list[tuple[str, str, str]],
        keys: list[tuple[str, str, str]],
        location: str,
        serde: str,
        properties: dict[str, str],
        parameters: dict[str, str],
        description: str,
        form: str,
    ) -> None:
        """Create a table over files of someone's own."""
        table: TableInputTypeDef = {
            "Name": name.lower(),
            "Description": description,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
            "PartitionKeys": [_declared_column(*key) for key in keys],
            "StorageDescriptor": {
                "Columns": [_declared_column(*column) for column in columns],
                "Location": location,
                **_storage(form, serde, properties),
            },
        }
        self._put(database, table, replace=False)

    def forget(self, database: str, name: str) -> None:
        """Remove a table where there is one."""
        self._get(self._glue.delete_table, DatabaseName=database.lower(), Name=name.lower())

    def put_columns(self, table: Table, columns: list[tuple[str, str, str]], *, replace: bool) -> None:
        """Put columns behind those that a table has, or in their place."""

        def change(item: dict[str, Any]) -> None:
            before = [] if replace else item["StorageDescriptor"]["Columns"]
            item["StorageDescriptor"]["Columns"] = [*before, *(_declared_column(*one) for one in columns)]

        self._change(table, change)

    def set_location(self, table: Table, location: str) -> None:
        """Put a table over other files."""
        self._change(table, lambda item: item["StorageDescriptor"].update(Location=location))

    def set_properties(self, table: Table, properties: dict[str, str]) -> None:
        """Set properties of a table; its other ones stay."""
        self._change(table, lambda item: item["Parameters"].update(properties))

    def _change(self, table: Table, change: Callable[[dict[str, Any]], None]) -> None:
        found = self._glue.get_table(DatabaseName=table.database, Name=table.name)["Table"]
        item: Any = {key: value for key, value in found.items() if key in _TABLE_INPUT}
        item.setdefault("Parameters", {})
        change(item)
        self._glue.update_table(DatabaseName=table.database, TableInput=item)

    def drop_partition(self, table: Table, values: tuple[str, ...]) -> None:
        """Forget a partition; its data stays."""
        self._glue.delete_partition(
            DatabaseName=table.database, TableName=table.name, PartitionValues=list(values)
        )

    def change_partition(self, table: Table, values: tuple[str, ...], changed: Partition) -> None:
        """Register a partition with another place or other values."""
        self._glue.update_partition(
            DatabaseName=table.database,
            TableName=table.name,
            PartitionValueList=list(values),
            PartitionInput=_partition_input(table, changed),
        )

    def add_partitions(self, table: Table, partitions: list[Partition]) -> None:
        """Register partitions, as many calls as the API's limit of a hundred asks for."""
        inputs = [_partition_input(table, part) for part in partitions]
        for start in range(0, len(inputs), 100):
            self._glue.batch_create_partition(
                DatabaseName=table.database,
                TableName=table.name,
                PartitionInputList=inputs[start : start + 100],
            )

    def drop(self, database: str, name: str) -> None:
        """Remove a table or view from the catalogue; its data stays."""
        self._glue.delete_table(DatabaseName=database.lower(), Name=name.lower())

    def _put(self, database: str, table: TableInputTypeDef, *, replace: bool) -> None:
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

    def _pages(
        self, call: Literal["get_databases", "get_tables", "get_partitions"], member: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        pages: Any = self._glue.get_paginator(call).paginate(**arguments)
        return [item for page in pages for item in page[member]]

    @staticmethod
    def _get(call: Any, **arguments: Any) -> dict[str, Any] | None:
        try:
            return dict(call(**arguments))
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                return None
            raise


class CatalogOfStatement(GlueCatalog):
    """The catalogue as one statement found it: what it looked up stays as it was, and is asked for once.

    Args:
        glue: Glue client of the stack.
    """

    def __init__(self, glue: GlueClient) -> None:
        super().__init__(glue)
        self._tables: dict[tuple[str, str], Table | None] = {}
        self._partitions: dict[tuple[str, str], list[Partition]] = {}

    def table(self, database: str, name: str) -> Table | None:
        """A table or view, or None where there is none."""
        key = (database.lower(), name.lower())
        if key not in self._tables:
            self._tables[key] = super().table(database, name)
        return self._tables[key]

    def partitions(self, table: Table) -> list[Partition]:
        """The partitions that the catalogue names; for a table without partition columns, its location."""
        key = (table.database, table.name)
        if key not in self._partitions:
            self._partitions[key] = super().partitions(table)
        return self._partitions[key]


def _storage(form: str, serde: str, properties: dict[str, str]) -> StorageDescriptorTypeDef:
    if form == "PARQUET":
        return {
            **PARQUET,
            "SerdeInfo": {**PARQUET["SerdeInfo"], **({"Parameters": properties} if properties else {})},
        }
    return {
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": serde, "Parameters": properties},
    }


def _storage_of(table: Table) -> StorageDescriptorTypeDef:
    form = "PARQUET" if "parquet" in table.serde.lower() or not table.serde else "TEXTFILE"
    return _storage(form, table.serde, table.serde_properties)


def _partition_input(table: Table, part: Partition) -> PartitionInputTypeDef:
    columns: list[ColumnTypeDef] = [{"Name": one.name, "Type": one.type} for one in table.columns]
    storage = {"Columns": columns, "Location": part.location, **_storage_of(table)}
    return {"Values": list(part.values), "StorageDescriptor": storage}  # type: ignore[typeddict-item]


def _declared_column(name: str, declared: str, comment: str) -> ColumnTypeDef:
    return (
        {"Name": name, "Type": declared, "Comment": comment} if comment else {"Name": name, "Type": declared}
    )


def _glue_column(name: str, kind: Type) -> ColumnTypeDef:
    return {"Name": name.lower(), "Type": hive_name(kind)}


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
        serde_properties=storage.get("SerdeInfo", {}).get("Parameters", {}),
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
