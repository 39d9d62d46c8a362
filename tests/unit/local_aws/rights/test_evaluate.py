"""Requests and policies whose outcome AWS documents, and policies that it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_aws.rights.conditions import PolicyError
from local_aws.rights.evaluate import (
    AccessRequest,
    ApplicablePolicies,
    Decision,
    Principal,
    evaluate,
    refusal,
)
from local_aws.rights.policy import Policy, PolicyKind, read_policy

TABLES = Path(__file__).parents[3] / "cases" / "rights"
DECISIONS = yaml.safe_load((TABLES / "decisions.yaml").read_text())
REFUSED = yaml.safe_load((TABLES / "refused_policies.yaml").read_text())

ACCOUNT = "111122223333"
SESSION = Principal(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/loader/run-1", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/loader"
)
ALL: Mapping[str, Any] = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def policy(kind: PolicyKind, *statements: Mapping[str, Any], version: str = "2012-10-17") -> Policy:
    return read_policy(json.dumps({"Version": version, "Statement": list(statements)}), kind)


def decide(case: Mapping[str, Any]) -> tuple[Principal, AccessRequest, Decision]:
    version = case.get("version", "2012-10-17")

    def stated(key: str, kind: PolicyKind) -> Policy | None:
        return policy(kind, *case[key], version=version) if key in case else None

    identity = stated("identity", "identity")
    principal = Principal(**case["principal"]) if "principal" in case else SESSION
    request = AccessRequest(
        case["action"], case["resource"], case.get("account", ACCOUNT), case.get("context", {})
    )
    policies = ApplicablePolicies(
        [] if identity is None else [identity],
        stated("session", "identity"),
        stated("resource_policy", "resource"),
        case.get("decides", False),
    )
    return principal, request, evaluate(principal, request, policies)


@pytest.mark.parametrize("case", DECISIONS, ids=lambda case: str(case["case"]))
def test_a_request_is_decided_as_aws_documents_it(case: Mapping[str, Any]) -> None:
    _, _, decision = decide(case)
    assert decision.outcome.value == case["expect"], decision
    assert decision.policy == case.get("by", decision.policy)
    assert decision.statement == case.get("statement", decision.statement)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: str(case["case"]))
def test_a_policy_that_is_not_understood_is_refused_when_it_is_read(case: Mapping[str, Any]) -> None:
    with pytest.raises(PolicyError) as refused:
        policy(case["kind"], case["statement"])
    assert case["says"] in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "nothing else"),
        ('{"Version": "2012-10-17", "Rules": []}', "nothing else"),
        ('{"Version": "2023-01-01", "Statement": []}', "'2023-01-01' is not known"),
        ('{"Version": "2012-10-17", "Statement": []}', "states nothing"),
        ('{"Version": "2012-10-17", "Statement": ["Allow"]}', "is no object"),
    ],
)
def test_a_document_that_is_no_policy_is_refused(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        read_policy(text, "identity")


def test_several_values_are_compared_by_a_set_operator_or_refused() -> None:
    condition = {"Condition": {"StringEquals": {"aws:TagKeys": "a"}}}
    request = AccessRequest("ec2:CreateTags", "arn:aws:ec2:::x", ACCOUNT, {"aws:TagKeys": ["a", "b"]})
    one = policy("identity", {"Effect": "Allow", "Action": "ec2:*", "Resource": "*", **condition})
    with pytest.raises(PolicyError, match="ForAnyValue or ForAllValues"):
        evaluate(SESSION, request, ApplicablePolicies([one]))


def test_a_statement_that_is_an_object_of_its_own_is_a_list_of_one() -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": dict(ALL)})
    assert len(read_policy(document, "identity").statements) == 1


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("nothing is said", "because no identity-based policy allows the s3:GetObject action"),
        ("a resource's Deny beats an identity's Allow", "with an explicit deny in a resource-based policy"),
        ("an identity's Deny beats a resource's Allow", "with an explicit deny in an identity-based policy"),
        ("a session's policy denies", "with an explicit deny in a session policy"),
    ],
)
def test_a_refusal_names_who_what_where_and_why(case: str, why: str) -> None:
    (found,) = [stated for stated in DECISIONS if stated["case"] == case]
    who = "User: arn:aws:sts::111122223333:assumed-role/loader/run-1 is not authorized to perform"
    assert refusal(*decide(found)) == f'{who}: s3:GetObject on resource: "arn:aws:s3:::lake/raw/a" {why}'
