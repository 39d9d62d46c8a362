"""Glue catalogue requests from contracts: pure functions, the client stays with the caller."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from catalog.fact_views import athena_views
from catalog.model import Column, Contract, Zone
from catalog.types import glue_type, trino_type

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import (
        ColumnTypeDef,
        DatabaseInputTypeDef,
        PartitionInputTypeDef,
        StorageDescriptorTypeDef,
        TableInputTypeDef,
    )

COMMENT_LIMIT = 255
"""Characters of a column comment that Glue keeps."""

DESCRIPTION_LIMIT = 2048
"""Characters of a table description that Glue keeps."""

PARQUET: StorageDescriptorTypeDef = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
"""Storage of a parquet table, as the members of a StorageDescriptor."""

NO_VERSION = "version=none/"
"""Where an unpartitioned star table points before its first version: nothing is there."""


def database_input(zone: Zone) -> DatabaseInputTypeDef:
    """The ``DatabaseInput`` of a zone."""
    return {"Name": zone.database, "Description": zone.description}


def table_input(contract: Contract, bucket_name: str, location: Optional[str] = None) -> TableInputTypeDef:
    """The ``TableInput`` of a table.

    Args:
        contract: The table.
        bucket_name: The real name of the zone's bucket.
        location: Key prefix of the data, where it is not the table's own: the live version of a star table
            without partitions.
    """
    if location is None:
        swapped = contract.zone == "star" and not contract.partition_columns
        location = contract.prefix + (NO_VERSION if swapped else "")
    return {
        "Name": contract.table,
        "Description": contract.row_means[:DESCRIPTION_LIMIT],
        "Owner": contract.owner,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            "contract_version": contract.version,
        },
        "PartitionKeys": _columns(contract.partition_columns),
        "StorageDescriptor": _storage(contract, bucket_name, location),
    }


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view: Hive's type, which the catalogue shows, and Trino's, which the definition holds."""

    name: str
    hive_type: str
    trino_type: str
    comment: str = ""


def view_input(
    database: str, name: str, sql: str, columns: Iterable[ViewColumn], description: str = ""
) -> TableInputTypeDef:
    """The ``TableInput`` of a view, stored the way Athena stores one.

    That is a table whose text is base64 of JSON: Trino's types inside, Hive's outside.

    Args:
        database: Where it stands, and where the query's unqualified names are looked up.
        name: Its name.
        sql: The query, in Athena's SQL.
        columns: What the query shows, in order.
        description: What a row of it is.
    """
    shown = tuple(columns)
    definition = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column.name, "type": column.trino_type} for column in shown],
    }
    packed = base64.b64encode(json.dumps(definition).encode()).decode()
    stored: list[ColumnTypeDef] = [{"Name": column.name, "Type": column.hive_type} for column in shown]
    for column, of_column in zip(shown, stored):
        if column.comment:
            of_column["Comment"] = column.comment[:COMMENT_LIMIT]
    view: TableInputTypeDef = {
        "Name": name.lower(),
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": stored, "Location": ""},
        "ViewOriginalText": f"/* Presto View: {packed} */",
        "ViewExpandedText": "/* Presto View */",
    }
    if description:
        view["Description"] = description[:DESCRIPTION_LIMIT]
    return view


def fact_view_inputs(contract: Contract) -> tuple[TableInputTypeDef, ...]:
    """The ``TableInput`` of each view over a star table, for whoever deploys the catalogue.

    Args:
        contract: The table.
    """
    return tuple(
        view_input(
            contract.zone_info.database,
            view.name,
            view.sql,
            (
                ViewColumn(column.name, glue_type(column.type), trino_type(column.type), column.description)
                for column in view.columns
            ),
            f"{view.description} A row of the table: {contract.row_means}",
        )
        for view in athena_views(contract)
    )


def partition_input(
    contract: Contract, bucket_name: str, values: Mapping[str, str], location: str
) -> PartitionInputTypeDef:
    """The ``PartitionInput`` of one partition.

    Args:
        contract: The table.
        bucket_name: The real name of the zone's bucket.
        values: Partition column to value.
        location: Key prefix of the partition's data.
    """
    return {
        "Values": [values[column.name] for column in contract.partition_columns],
        "StorageDescriptor": _storage(contract, bucket_name, location),
    }


def location_address(bucket_name: str, location: str) -> str:
    """A key prefix as Glue's ``Location`` states it."""
    return f"s3://{bucket_name}/{location}"


def _storage(contract: Contract, bucket_name: str, location: str) -> StorageDescriptorTypeDef:
    return {
        "Columns": _columns(contract.all_columns),
        "Location": location_address(bucket_name, location),
        **PARQUET,
    }


def _columns(columns: Iterable[Column]) -> list[ColumnTypeDef]:
    return [
        {"Name": column.name, "Type": glue_type(column.type), "Comment": column.description[:COMMENT_LIMIT]}
        for column in columns
    ]
