"""A right that nobody uses is found, and so is what would be refused without one that somebody does."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from local_aws.endpoint.guard import Access
from local_aws.rights.actions import AccountContext
from local_aws.rights.evaluate import ApplicablePolicies, Principal, evaluate
from local_aws.rights.policy import read_policy
from tests.conftest import ROOT
from tests.granted import Grant, Sourced, denied_without, idle, needless, unused

PLACE = AccountContext("123456789012", "eu-west-2")
ROLE = f"arn:aws:iam::{PLACE.account}:role/reader"
WHO = Principal(f"arn:aws:sts::{PLACE.account}:assumed-role/reader/run", PLACE.account, ROLE)

STATED: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Reads",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::${lake}/raw/*"],
        },
        {
            "Sid": "Lists",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": ["arn:aws:s3:::${lake}"],
            "Condition": {"StringLike": {"s3:prefix": ["raw/*"]}},
        },
    ],
}


def filled(document: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document).replace("${lake}", "lake"))
    return made


def trace(document: Mapping[str, Any]) -> list[Access]:
    """What somebody with these rights does: read an object, list a prefix, and try what it may not."""
    policies = ApplicablePolicies([read_policy(json.dumps(filled(document)), "identity")])
    asked = [
        PLACE.ask("s3:GetObject", "arn:aws:s3:::lake/raw/1"),
        PLACE.ask("s3:ListBucket", "arn:aws:s3:::lake", {"s3:prefix": "raw/"}),
        PLACE.ask("s3:PutObject", "arn:aws:s3:::lake/star/1"),
    ]
    return [Access(WHO, one, policies, evaluate(WHO, one, policies)) for one in asked]


def grants(document: Mapping[str, Any]) -> list[Grant]:
    return sorted(unused("reader", document, filled(document), trace(document)))


def test_rights_that_are_used_are_not_needless() -> None:
    assert grants(STATED) == []


PLANTED: Mapping[str, tuple[dict[str, Any], list[Grant]]] = {
    "a statement": (
        {
            "Sid": "Removes",
            "Effect": "Allow",
            "Action": ["s3:DeleteObject"],
            "Resource": ["arn:aws:s3:::${lake}/raw/*"],
        },
        [Grant("reader", "Removes", "arn:aws:s3:::${lake}/raw/*")],
    ),
    "one that another covers": (
        {
            "Sid": "ReadsAgain",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::${lake}/raw/1"],
        },
        [Grant("reader", "ReadsAgain", "arn:aws:s3:::${lake}/raw/1")],
    ),
    "one that was tried in vain": (
        {
            "Sid": "Writes",
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": ["arn:aws:s3:::${lake}/star/2"],
        },
        [Grant("reader", "Writes", "arn:aws:s3:::${lake}/star/2")],
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_statement_that_nobody_uses_is_found(planted: str) -> None:
    statement, wanted = PLANTED[planted]
    document = {**STATED, "Statement": [*STATED["Statement"], statement]}
    assert needless(grants(document), []) == wanted


@pytest.mark.parametrize(
    ("at", "element", "more"),
    [
        (0, "Resource", "arn:aws:s3:::${lake}/star/*"),
        (1, "s3:prefix", "star/*"),
    ],
)
def test_a_planted_part_of_a_statement_that_nobody_uses_is_found(at: int, element: str, more: str) -> None:
    document = copy.deepcopy(STATED)
    statement = document["Statement"][at]
    if element == "s3:prefix":
        statement = statement["Condition"]["StringLike"]
    statement[element] = [*statement[element], more]
    assert needless(grants(document), []) == [Grant("reader", document["Statement"][at]["Sid"], more)]


def test_what_a_source_explains_is_not_needless_and_a_source_that_explains_nothing_is_idle() -> None:
    statement, wanted = PLANTED["a statement"]
    document = {**STATED, "Statement": [*STATED["Statement"], statement]}
    known = Sourced("*", "Removes", "*", "a service removes", "https://docs.aws.amazon.com/")
    other = Sourced("writer", "Removes", "*", "a service removes", "https://docs.aws.amazon.com/")
    assert needless(grants(document), [known]) == []
    assert needless(grants(document), [other]) == wanted
    assert idle(grants(document), [known, other]) == [other]


CASES = yaml.safe_load((ROOT / "tests/cases/rights/needed_elsewhere.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("source", sorted({str(case["source"]) for case in CASES}))
def test_every_source_of_a_right_that_no_scenario_uses_is_one(source: str) -> None:
    if source.startswith("https://"):
        assert source.startswith("https://docs.aws.amazon.com/")
        return
    path, _, name = source.partition("::")
    if name:
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8")
    else:
        assert "What a job writes it may also read." in (ROOT / path).read_text(encoding="utf-8")


def test_without_a_statement_the_requests_that_needed_it_are_refused_by_name() -> None:
    (told,) = denied_without("Lists", trace(STATED))
    assert told == (
        f'User: {WHO.arn} is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::lake" '
        "because no identity-based policy allows the s3:ListBucket action"
    )
    assert denied_without("Removes", trace(STATED)) == []
