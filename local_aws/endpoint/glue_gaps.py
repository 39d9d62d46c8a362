"""What moto's Glue lacks and a deployment needs: connections that go again, indexes of partitions."""

from __future__ import annotations

from typing import Any

from moto.glue.models import glue_backends

from local_aws.endpoint.layers import ServiceError


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

    def _indexes(self, database: str, table: str) -> dict[str, list[str]]:
        """The keys of a table's indexes by name; they are kept with the table, and make nothing faster."""
        known = glue_backends[self._account_id][self._region].databases.get(database)
        found: Any = None if known is None else known.tables.get(table)
        if found is None:
            raise ServiceError("EntityNotFoundException", f"Table {table} not found.")
        indexes: dict[str, list[str]] = found.__dict__.setdefault("partition_indexes", {})
        return indexes

    def _delete_connection(self, name: str) -> dict[str, Any]:
        known = glue_backends[self._account_id][self._region].connections
        if known.pop(name, None) is None:
            raise ServiceError("EntityNotFoundException", f"Connection {name} not found.")
        return {}
