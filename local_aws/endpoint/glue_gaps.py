"""What moto's Glue lacks and a deployment needs: connections that go again, indexes of partitions.

Partitions without their columns, too: moto gives these back whether they are asked for or not, which costs
more than everything else of a look-up. And tables: moto looks for each member of an answer under several
names, which takes a third of a second for the tables of a lake, and it gives them all in one page.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from moto.glue.models import glue_backends

from local_aws.endpoint.layers import ServiceError

_PAGE = 1000
"""Partitions that Glue gives in one answer."""

_TABLES = 100
"""Tables that Glue gives in one answer."""


class GlueGaps:
    """Answers what moto does not, on moto's own state.

    Args:
        account_id: The account.
        region: The region.
    """

    def __init__(self, account_id: str, region: str) -> None:
        self._account_id = account_id
        self._region = region

    def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Answer an action; None for those that moto knows.

        Raises:
            ServiceError: There is no such connection, table or index, or the index is there already.
        """
        if action == "DeleteConnection":
            return self._delete_connection(payload["ConnectionName"])
        if action == "GetPartitions":
            return self._get_partitions(payload)
        if action == "GetTables":
            return self._get_tables(payload)
        if action == "GetTable":
            table = self._table(payload["DatabaseName"], payload["Name"])
            return None if table is None else {"Table": table.as_dict()}
        if action not in ("CreatePartitionIndex", "DeletePartitionIndex", "GetPartitionIndexes"):
            return None
        indexes = self._indexes(payload["DatabaseName"], payload["TableName"])
        if action == "CreatePartitionIndex":
            stated = payload["PartitionIndex"]
            if stated["IndexName"] in indexes:
                raise ServiceError("AlreadyExistsException", f"Index {stated['IndexName']} exists already.")
            indexes[stated["IndexName"]] = stated["Keys"]
        elif action == "DeletePartitionIndex" and indexes.pop(payload["IndexName"], None) is None:
            raise ServiceError("EntityNotFoundException", f"Index {payload['IndexName']} not found.")
        if action != "GetPartitionIndexes":
            return {}
        listed = [
            {"IndexName": name, "Keys": [{"Name": key} for key in keys], "IndexStatus": "ACTIVE"}
            for name, keys in indexes.items()
        ]
        return {"PartitionIndexDescriptorList": listed}

    def _get_partitions(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """A page of all partitions, without their columns; what asks for anything else is left to moto."""
        if not payload.get("ExcludeColumnSchema") or payload.get("Expression") or payload.get("Segment"):
            return None
        table = self._table(payload["DatabaseName"], payload["TableName"])
        if table is None:
            return None
        begin = int(payload.get("NextToken") or 0)
        end = begin + min(payload.get("MaxResults") or _PAGE, _PAGE)
        found = list(islice(table.partitions.values(), begin, end))
        answer: dict[str, Any] = {"Partitions": [_without_columns(one.as_dict()) for one in found]}
        return {**answer, "NextToken": str(end)} if end < len(table.partitions) else answer

    def _get_tables(self, payload: dict[str, Any]) -> dict[str, Any] | None:
        """A page of a database's tables; what asks for some by a pattern is left to moto."""
        known = glue_backends[self._account_id][self._region].databases.get(payload["DatabaseName"])
        if known is None or payload.get("Expression"):
            return None
        begin = int(payload.get("NextToken") or 0)
        end = begin + min(payload.get("MaxResults") or _TABLES, _TABLES)
        found = islice(known.tables.values(), begin, end)
        answer: dict[str, Any] = {"TableList": [table.as_dict() for table in found]}
        return {**answer, "NextToken": str(end)} if end < len(known.tables) else answer

    def _table(self, database: str, name: str) -> Any:
        """A table as moto holds it; None where there is none."""
        known = glue_backends[self._account_id][self._region].databases.get(database)
        return None if known is None else known.tables.get(name)

    def _indexes(self, database: str, table: str) -> dict[str, list[str]]:
        """The keys of a table's indexes by name; they are kept with the table, and make nothing faster."""
        found = self._table(database, table)
        if found is None:
            raise ServiceError("EntityNotFoundException", f"Table {table} not found.")
        indexes: dict[str, list[str]] = found.__dict__.setdefault("partition_indexes", {})
        return indexes

    def _delete_connection(self, name: str) -> dict[str, Any]:
        known = glue_backends[self._account_id][self._region].connections
        if known.pop(name, None) is None:
            raise ServiceError("EntityNotFoundException", f"Connection {name} not found.")
        return {}


def _without_columns(partition: dict[str, Any]) -> dict[str, Any]:
    storage = {key: value for key, value in partition["StorageDescriptor"].items() if key != "Columns"}
    return {**partition, "StorageDescriptor": storage}
