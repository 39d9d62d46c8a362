"""Glue catalogue requests from contracts: pure functions, the client stays with the caller."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from catalog.model import Column, Contract, Zone
from catalog.types import glue_type, trino_type

COMMENT_LIMIT = 255
"""Characters of a column comment that Glue keeps."""

DESCRIPTION_LIMIT = 2048
"""Characters of a table description that Glue keeps."""

_FORMAT: dict[str, Any] = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}

NO_VERSION = "version=none/"
"""Where an unpartitioned star table points before its first version: nothing is there."""


def database_input(zone: Zone) -> dict[str, Any]:
    """The ``DatabaseInput`` of a zone."""
    return {"Name": zone.database, "Description": zone.description}


def table_input(contract: Contract, bucket_name: str, location: Optional[str] = None) -> dict[str, Any]:
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


def current_view_input(contract: Contract) -> dict[str, Any]:
    """The ``TableInput`` of ``<fact>_current``: the latest version of each record, deletions left out.

    Athena stores a view as a table whose text is base64 of JSON: Trino's types inside, Hive's outside.

    Args:
        contract: A fact.
    """
    shown = contract.all_columns + contract.partition_columns
    definition = {
        "originalSql": _current_sql(contract, [column.name for column in shown]),
        "catalog": "awsdatacatalog",
        "schema": contract.zone_info.database,
        "columns": [{"name": column.name, "type": trino_type(column.type)} for column in shown],
    }
    packed = base64.b64encode(json.dumps(definition).encode()).decode()
    return {
        "Name": f"{contract.table}_current",
        "Description": f"The latest version of each record, deletions left out. {contract.row_means}",
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": _columns(shown), "Location": ""},
        "ViewOriginalText": f"/* Presto View: {packed} */",
        "ViewExpandedText": "/* Presto View */",
    }


def _current_sql(contract: Contract, columns: Iterable[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    key = ", ".join(f'"{name}"' for name in contract.key)
    newest_first = f"row_number() OVER (PARTITION BY {key} ORDER BY batch_sequence DESC)"
    source = f"{contract.zone_info.database}.{contract.table}"
    # The model lets nothing but plain identifiers be names, so there is nothing to escape.
    versions = f"SELECT *, {newest_first} AS recency FROM {source}"  # noqa: S608  # nosec B608
    return f"SELECT {names} FROM ({versions}) WHERE recency = 1 AND NOT is_deleted"  # noqa: S608  # nosec B608


def partition_input(
    contract: Contract, bucket_name: str, values: Mapping[str, str], location: str
) -> dict[str, Any]:
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


def _storage(contract: Contract, bucket_name: str, location: str) -> dict[str, Any]:
    return {
        "Columns": _columns(contract.all_columns),
        "Location": f"s3://{bucket_name}/{location}",
        **_FORMAT,
    }


def _columns(columns: Iterable[Column]) -> list[dict[str, str]]:
    return [
        {"Name": column.name, "Type": glue_type(column.type), "Comment": column.description[:COMMENT_LIMIT]}
        for column in columns
    ]
