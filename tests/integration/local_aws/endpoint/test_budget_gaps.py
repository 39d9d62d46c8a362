"""Who is told of a budget is given back, and its tags are."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.endpoint.app import Endpoint


def notification(threshold: float, kind: str = "ACTUAL") -> dict[str, Any]:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": threshold,
        "ThresholdType": "PERCENTAGE",
    }


def test_who_is_told_of_a_budget_is_given_back_and_so_are_its_tags(endpoint: Endpoint) -> None:
    budgets = endpoint.client("budgets")
    where = {"AccountId": endpoint.account_id, "BudgetName": "month"}
    told = [{"SubscriptionType": "EMAIL", "Address": "operations@example.org"}]
    budgets.create_budget(
        AccountId=endpoint.account_id,
        Budget={
            "BudgetName": "month",
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "100", "Unit": "USD"},
        },
        NotificationsWithSubscribers=[{"Notification": notification(80), "Subscribers": told}],
        ResourceTags=[{"Key": "owner", "Value": "somebody"}],
    )
    found = budgets.describe_subscribers_for_notification(**where, Notification=notification(80))
    assert found["Subscribers"] == told
    for other in (notification(81), notification(80, "FORECASTED")):
        with pytest.raises(budgets.exceptions.NotFoundException):
            budgets.describe_subscribers_for_notification(**where, Notification=other)
    arn = f"arn:aws:budgets::{endpoint.account_id}:budget/month"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [
        {"Key": "owner", "Value": "somebody"}
    ]
    budgets.delete_budget(**where)
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == []
    with pytest.raises(budgets.exceptions.NotFoundException):
        budgets.describe_subscribers_for_notification(**where, Notification=notification(80))
