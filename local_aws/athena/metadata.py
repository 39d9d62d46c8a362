"""Athena's own view of the catalogue: the actions that list databases and describe tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.athena.catalog_reader import CATALOG, Column, GlueCatalog, Table
from local_aws.athena.paging import page
from local_aws.athena.query_errors import AthenaError


class Metadata:
    """Answers ListDatabases, GetDatabase, ListTableMetadata and GetTableMetadata.

    Args:
        catalogue: The Glue catalogue.
    """

    def __init__(self, catalogue: GlueCatalog) -> None:
        self._catalogue = catalogue
        self.actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ListDatabases": self._list_databases,
            "GetDatabase": self._get_database,
            "ListTableMetadata": self._list_tables,
            "GetTableMetadata": self._get_table,
        }

    def _list_databases(self, payload: dict[str, Any]) -> dict[str, Any]:
        _require_catalog(payload)
        return page(payload, "DatabaseList", [{"Name": name} for name in self._catalogue.databases()])

    def _get_database(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"Database": {"Name": self._database(payload)}}

    def _list_tables(self, payload: dict[str, Any]) -> dict[str, Any]:
        database = self._database(payload)
        wanted = re.compile(payload.get("Expression") or ".*", re.IGNORECASE)
        found = [table for table in self._catalogue.tables(database) if wanted.fullmatch(table.name)]
        return page(payload, "TableMetadataList", [_described(table) for table in found])

    def _get_table(self, payload: dict[str, Any]) -> dict[str, Any]:
        table = self._catalogue.table(self._database(payload), payload["TableName"])
        if table is None:
            raise AthenaError(
                "MetadataException",
                f"EntityNotFoundException: Entity Not Found: table {payload['TableName']} does not exist",
            )
        return {"TableMetadata": _described(table)}

    def _database(self, payload: dict[str, Any]) -> str:
        _require_catalog(payload)
        name = str(payload["DatabaseName"]).lower()
        if not self._catalogue.has_database(name):
            raise AthenaError("MetadataException", f"EntityNotFoundException: Database {name} not found.")
        return name


def _require_catalog(payload: dict[str, Any]) -> None:
    if str(payload.get("CatalogName")).lower() != CATALOG:
        raise AthenaError(
            "InvalidRequestException", f"Data catalog {payload.get('CatalogName')} was not found"
        )


def _described(table: Table) -> dict[str, Any]:
    parameters = {**table.parameters, **({"comment": table.description} if table.description else {})}
    if not table.view:
        parameters |= {"location": table.location, "serde.serialization.lib": table.serde}
    return {
        "Name": table.name,
        "TableType": "VIRTUAL_VIEW" if table.view else "EXTERNAL_TABLE",
        "Columns": _columns(table.columns),
        "PartitionKeys": _columns(table.partition_keys),
        "Parameters": parameters,
    }


def _columns(columns: Iterable[Column]) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": column.type, "Comment": column.comment} for column in columns]
