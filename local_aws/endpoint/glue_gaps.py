"""What moto's Glue lacks and a deployment needs: to take a connection away again."""

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
            ServiceError: There is no such connection.
        """
        if action != "DeleteConnection":
            return None
        name = payload["ConnectionName"]
        known = glue_backends[self._account_id][self._region].connections
        if known.pop(name, None) is None:
            raise ServiceError("EntityNotFoundException", f"Connection {name} not found.")
        return {}
