"""A policy document, read once and checked: what AWS would refuse, or is not known here, is refused then."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from local_aws.rights.conditions import Condition, PolicyError, read_conditions

PolicyKind = Literal["identity", "resource", "trust"]

_VERSIONS = ("2008-10-17", "2012-10-17")
_KNOWS_VARIABLES = "2012-10-17"
_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+", re.IGNORECASE)
_SID = re.compile(r"[A-Za-z0-9]*")
_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):root")
_PERSON = re.compile(r"arn:aws[a-z-]*:(?:iam::\d{12}:(?:role|user)/[^*?]+|sts::\d{12}:assumed-role/[^*?]+)")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com")


@dataclass(frozen=True)
class Principals:
    """Whom a statement of a resource's policy names.

    Attributes:
        everyone: Whether it names all.
        accounts: Accounts, which is what an account's root stands for.
        arns: Roles, users and sessions.
        services: Services.
    """

    everyone: bool = False
    accounts: frozenset[str] = frozenset()
    arns: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Statement:
    """A statement; of each pair of elements (Action and NotAction …) it has one."""

    name: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    principals: Principals | None
    not_principals: bool
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Policy:
    """A policy document.

    Attributes:
        kind: Of an identity or session, of a resource, or of a role, as whom it trusts.
        statements: In their order.
        variables: Whether its version knows variables.
    """

    kind: PolicyKind
    statements: tuple[Statement, ...]
    variables: bool


@lru_cache(maxsize=1024)
def read_policy(text: str, kind: PolicyKind) -> Policy:
    """Read a policy document.

    Args:
        text: Its JSON.
        kind: Whether it belongs to an identity (or session), to a resource, or says whom a role trusts.

    Raises:
        PolicyError: AWS would refuse it, or it states what is not known here.
    """
    try:
        stated = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"a policy is no JSON: {error}") from error
    if not isinstance(stated, Mapping) or not stated.keys() <= {"Version", "Id", "Statement"}:
        raise PolicyError("a policy states Version, Id and Statement, and nothing else")
    version = stated.get("Version", _VERSIONS[0])
    if version not in _VERSIONS:
        raise PolicyError(f"the policy version {version!r} is not known")
    listed = stated.get("Statement", [])
    statements = listed if isinstance(listed, list) else [listed]
    if not statements:
        raise PolicyError("a policy states nothing")
    made = tuple(_statement(statement, at, kind) for at, statement in enumerate(statements))
    return Policy(kind, made, version == _KNOWS_VARIABLES)


def _statement(stated: object, at: int, kind: PolicyKind) -> Statement:
    if not isinstance(stated, Mapping):
        raise PolicyError(f"statement {at} is no object")
    name = str(stated.get("Sid") or f"statement {at}")
    _check_elements(stated, name, kind)
    allows = stated["Effect"] == "Allow"
    actions, not_actions = _either(stated, "Action", name)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise PolicyError(f"{name}: {action!r} is no action; one reads service:Name")
    resources, not_resources = (("*",), False) if kind == "trust" else _either(stated, "Resource", name)
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:"):
            raise PolicyError(f"{name}: {resource!r} is neither an ARN nor *")
    principals, not_principals = _principals(stated, name, kind)
    if not_principals and allows:
        raise PolicyError(f"{name}: NotPrincipal goes with Deny alone")
    conditions = read_conditions(stated["Condition"], name) if "Condition" in stated else ()
    return Statement(
        name, allows, actions, not_actions, resources, not_resources, principals, not_principals, conditions
    )


def _check_elements(stated: Mapping[str, object], name: str, kind: PolicyKind) -> None:
    if unknown := stated.keys() - _ELEMENTS:
        raise PolicyError(f"{name}: {', '.join(sorted(unknown))} is no element of a statement")
    if kind == "identity" and not _SID.fullmatch(str(stated.get("Sid", ""))):
        raise PolicyError(f"{name}: the Sid of an identity's statement is letters and digits")
    if kind == "trust" and stated.keys() & {"Resource", "NotResource"}:
        raise PolicyError(f"{name}: a role's trust names no resource")
    if stated.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{name}: Effect is neither Allow nor Deny")


def _either(stated: Mapping[str, object], element: str, name: str) -> tuple[tuple[str, ...], bool]:
    """The texts of an element or of its negation, and whether it was the negation."""
    present = [key for key in (element, f"Not{element}") if key in stated]
    if len(present) != 1:
        raise PolicyError(f"{name}: a statement has either {element} or Not{element}")
    value = stated[present[0]]
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise PolicyError(f"{name}: {present[0]} names nothing, or something that is no text")
    return tuple(texts), present[0] != element


def _principals(stated: Mapping[str, object], name: str, kind: PolicyKind) -> tuple[Principals | None, bool]:
    present = [key for key in ("Principal", "NotPrincipal") if key in stated]
    if kind == "identity":
        if present:
            raise PolicyError(f"{name}: the policy of an identity names no principal")
        return None, False
    if len(present) != 1:
        raise PolicyError(f"{name}: the policy of a resource has either Principal or NotPrincipal")
    return _named(stated[present[0]], name), present[0] == "NotPrincipal"


def _named(stated: object, name: str) -> Principals:
    if stated == "*":
        return Principals(everyone=True)
    if not isinstance(stated, Mapping) or not stated or not stated.keys() <= {"AWS", "Service"}:
        raise PolicyError(f"{name}: a principal is *, or is named by AWS or Service; no other is known here")
    each = [
        _one(kind, str(text), name)
        for kind, value in stated.items()
        for text in (value if isinstance(value, list) else [value])
    ]
    return Principals(
        any(one.everyone for one in each),
        frozenset().union(*(one.accounts for one in each)),
        frozenset().union(*(one.arns for one in each)),
        frozenset().union(*(one.services for one in each)),
    )


def _one(kind: str, text: str, name: str) -> Principals:
    if kind == "Service":
        if _SERVICE.fullmatch(text):
            return Principals(services=frozenset({text}))
        raise PolicyError(f"{name}: {text!r} is no service")
    if text == "*":
        return Principals(everyone=True)
    if root := _ROOT.fullmatch(text):
        return Principals(accounts=frozenset({root["account"]}))
    if _ACCOUNT.fullmatch(text):
        return Principals(accounts=frozenset({text}))
    if _PERSON.fullmatch(text):
        return Principals(arns=frozenset({text}))
    raise PolicyError(f"{name}: {text!r} is no account, role, user or session")
