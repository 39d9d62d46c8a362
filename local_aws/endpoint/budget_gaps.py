"""What moto's Budgets lacks and a deployment needs: who is told of what, and tags."""

from __future__ import annotations

import threading
from typing import Any

from moto.budgets.models import budgets_backends

from local_aws.endpoint.layers import ServiceError

TARGET = "AWSBudgetServiceGateway"
"""What stands before the dot in ``X-Amz-Target``."""


class BudgetGaps:
    """Answers what moto does not, on moto's own state.

    Args:
        account_id: The account.
        partition: AWS, or one of its separate partitions.
    """

    def __init__(self, account_id: str, partition: str) -> None:
        self._account_id = account_id
        self._partition = partition
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, str]] = {}

    def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Answer an action; None for those that moto knows.

        Raises:
            ServiceError: There is no such budget, or none of its notifications is meant.
        """
        if action == "DescribeSubscribersForNotification":
            return {"Subscribers": self._told(payload["BudgetName"], payload["Notification"])}
        with self._lock:
            if action == "CreateBudget":
                arn = self._arn(payload["Budget"]["BudgetName"])
                self._tags[arn] = {one["Key"]: one["Value"] for one in payload.get("ResourceTags") or ()}
            elif action == "DeleteBudget":
                self._tags.pop(self._arn(payload["BudgetName"]), None)
            elif action == "ListTagsForResource":
                tags = self._tags.get(payload["ResourceARN"], {})
                return {"ResourceTags": [{"Key": name, "Value": text} for name, text in tags.items()]}
        return None

    def _arn(self, name: str) -> str:
        return f"arn:{self._partition}:budgets::{self._account_id}:budget/{name}"

    def _told(self, name: str, notification: dict[str, Any]) -> Any:
        budget = budgets_backends[self._account_id][self._partition].budgets[self._account_id].get(name)
        for one in budget.notifications if budget is not None else ():
            if _key(one.details) == _key(notification):
                return one.subscribers
        raise ServiceError("NotFoundException", f"Unable to find such a notification of the budget {name}.")


def _key(notification: dict[str, Any]) -> tuple[Any, ...]:
    """What tells one notification of a budget from another."""
    names = ("NotificationType", "ComparisonOperator", "Threshold", "ThresholdType")
    return tuple(notification.get(name) for name in names)
