"""What roles are granted, held to what they asked for.

A grant is a part of a statement: a resource, or a prefix that may be listed. One that no request of a trace
needed is needless, unless a source says who needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from local_aws.endpoint.guard import Access
from local_aws.rights.evaluate import IDENTITY, evaluate, refusal
from local_aws.rights.patterns import Text, arn_like, like
from local_aws.rights.policy import Policy

Document = Mapping[str, Any]

LISTED = "s3:prefix"


@dataclass(frozen=True, order=True)
class Grant:
    """A part of what a role may do.

    Attributes:
        role: Whose.
        statement: The name of the statement.
        part: The resource or the prefix, as the document writes it before it is filled in.
    """

    role: str
    statement: str
    part: str


@dataclass(frozen=True)
class Sourced:
    """Grants that no trace shows, with the reason.

    Attributes:
        role: Whose; `*` is any letters.
        statement: Of which statement, the same way.
        part: Which part, the same way.
        why: Who needs it, or when.
        source: Where that is written.
    """

    role: str
    statement: str
    part: str
    why: str
    source: str

    def covers(self, grant: Grant) -> bool:
        """Whether it speaks of a grant."""
        return all(
            fnmatchcase(stated, wanted)
            for stated, wanted in (
                (grant.role, self.role),
                (grant.statement, self.statement),
                (grant.part, self.part),
            )
        )


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _listed(statement: Document) -> list[str]:
    """The prefixes that a statement lets one list."""
    return _texts(statement.get("Condition", {}).get("StringLike", {}).get(LISTED, []))


def unused(role: str, stated: Document, deployed: Document, trace: Iterable[Access]) -> set[Grant]:
    """The grants of a role that it did not need.

    Args:
        role: Its name.
        stated: The document of its rights, with placeholders.
        deployed: The same, filled in.
        trace: What the role asked for.
    """
    by_statement: dict[str, list[Access]] = {}
    for access in trace:
        if access.decision.allowed and access.decision.policy == IDENTITY:
            by_statement.setdefault(access.decision.statement, []).append(access)
    found = set()
    for named, filled in zip(stated["Statement"], deployed["Statement"], strict=True):
        used = by_statement.get(filled["Sid"], [])
        found |= {Grant(role, filled["Sid"], part) for part in _unused_of(named, filled, used)}
    return found


def _unused_of(named: Document, filled: Document, used: Sequence[Access]) -> Iterator[str]:
    resources = {access.request.resource for access in used}
    prefixes = {str(access.request.context.get(LISTED, "")) for access in used}
    for name, resource in zip(_texts(named["Resource"]), _texts(filled["Resource"]), strict=True):
        if not any(resource == "*" or arn_like(one, Text(resource)) for one in resources):
            yield name
    for prefix in _listed(filled):
        if not any(like(one, Text(prefix)) for one in prefixes):
            yield prefix


def needless(grants: Iterable[Grant], sourced: Iterable[Sourced]) -> list[Grant]:
    """Those of the unused grants that no source explains."""
    known = list(sourced)
    return sorted(grant for grant in grants if not any(one.covers(grant) for one in known))


def idle(grants: Iterable[Grant], sourced: Iterable[Sourced]) -> list[Sourced]:
    """The sources that speak of no grant that is unused."""
    open_ones = list(grants)
    return [one for one in sourced if not any(one.covers(grant) for grant in open_ones)]


def denied_without(statement: str, trace: Iterable[Access]) -> list[str]:
    """What a role would be told if it had not a statement: a refusal for each request that needed it.

    Args:
        statement: Its name.
        trace: What the role asked for, and was allowed.
    """
    told = []
    for access in trace:
        # What another statement decided is decided as before.
        if not access.decision.allowed or access.decision.statement != statement:
            continue
        held_to = replace(access.applicable, identity=_without(statement, access.applicable.identity))
        decision = evaluate(access.principal, access.request, held_to)
        if not decision.allowed:
            told.append(refusal(access.principal, access.request, decision))
    return told


def _without(statement: str, policies: Sequence[Policy]) -> list[Policy]:
    kept = (
        replace(policy, statements=tuple(one for one in policy.statements if one.name != statement))
        for policy in policies
    )
    return [policy for policy in kept if policy.statements]
