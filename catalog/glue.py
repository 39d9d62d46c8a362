"""Glue catalogue requests from contracts: pure functions, the client stays with the caller."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from catalog.catalogue import Catalogue
from catalog.model import Column, Contract, Zone
from catalog.star_views import athena_views
from catalog.types import glue_type, trino_type

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import (
        ColumnTypeDef,
        DatabaseInputTypeDef,
        PartitionIndexTypeDef,
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

INDEXED = ("raw", "redacted_raw")
"""The zones whose tables gain a partition with every batch, for good."""

SWAPPED = ("star", "redacted_star")
"""The zones whose tables without partitions point to their live version."""

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
        swapped = contract.zone in SWAPPED and not contract.partition_columns
        location = contract.prefix + (NO_VERSION if swapped else "")
    return {
        "Name": contract.table,
        "Description": contract.grain[:DESCRIPTION_LIMIT],
        "Owner": contract.owner,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            "contract_version": contract.version,
            # Only so does Athena ask for the partitions that it needs, and use their index.
            **({"partition_filtering.enabled": "true"} if contract.zone in INDEXED else {}),
        },
        "PartitionKeys": _columns(contract.partition_columns),
        "StorageDescriptor": _storage(contract, bucket_name, location),
    }


def partition_indexes(contract: Contract) -> tuple[PartitionIndexTypeDef, ...]:
    """The ``PartitionIndex`` of each index over a table's partitions.

    An index serves conditions on its first key: one begins with each column that a look-up may name alone.

    Args:
        contract: The table.
    """
    if contract.zone not in INDEXED:
        return ()
    keys = [column.name for column in contract.partition_columns]
    return tuple({"IndexName": f"by_{key}", "Keys": keys[at:]} for at, key in enumerate(keys))


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


def star_view_inputs(contract: Contract) -> tuple[TableInputTypeDef, ...]:
    """The ``TableInput`` of each view over a star table, for whoever deploys the catalogue.

    Args:
        contract: The table.
    """
    return tuple(
        view_input(
            contract.zone_info.database,
            view.name,
            view.sql,
            map(_view_column, view.columns),
            f"{view.description} A row of the table: {contract.grain}",
        )
        for view in athena_views(contract)
    )


def redacted_view_inputs(catalogue: Catalogue) -> tuple[tuple[str, TableInputTypeDef], ...]:
    """Views of the tables and views that have no personal column, beside the copies of those that have some.

    So that a query reads the same in both databases. They are read with the rights of who asks.

    Args:
        catalogue: The contracts.

    Returns:
        The zone and the ``TableInput`` of each.
    """
    tables = {"raw": catalogue.raw, "star": catalogue.star}
    copied = {(copy.zone, copy.table) for copy in catalogue.copies}
    return tuple(
        (zone.name, view_input(zone.database, name, _select(contract, name, columns), columns, means))
        for zone in catalogue.zones.values()
        if zone.copies is not None
        for contract in tables[zone.copies].values()
        if (zone.name, contract.table) not in copied
        for name, columns, means in _as_shown(contract)
    )


def view_inputs(catalogue: Catalogue) -> tuple[tuple[str, TableInputTypeDef], ...]:
    """Every view that is deployed: those over star tables, and those beside copies.

    Args:
        catalogue: The contracts.

    Returns:
        The zone and the ``TableInput`` of each.
    """
    over_tables = [(table.zone, view) for table in catalogue.tables for view in star_view_inputs(table)]
    return (*over_tables, *redacted_view_inputs(catalogue))


def _as_shown(contract: Contract) -> list[tuple[str, tuple[ViewColumn, ...], str]]:
    """A table and its views: name, columns, what a row is."""
    shown = [(contract.table, contract.all_columns + contract.partition_columns, contract.grain)]
    shown += [
        (view.name, view.columns, f"{view.description} A row of the table: {contract.grain}")
        for view in athena_views(contract)
    ]
    return [(name, tuple(map(_view_column, columns)), means) for name, columns, means in shown]


def _select(contract: Contract, name: str, columns: Iterable[ViewColumn]) -> str:
    # The model lets nothing but plain identifiers be names.
    listed = ", ".join(f'"{column.name}"' for column in columns)
    return f"SELECT {listed}\nFROM {contract.zone_info.database}.{name}"


def _view_column(column: Column) -> ViewColumn:
    return ViewColumn(column.name, glue_type(column.type), trino_type(column.type), column.description)


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
