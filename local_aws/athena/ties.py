"""What ties a subquery to the query around it: how far Trino's planner can make a join of it."""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.athena.kinds import Type
from local_aws.athena.syntax import Node

_SMALL = ("tinyint", "smallint")
_INTEGERS = (*_SMALL, "integer", "bigint")
_SUBQUERIES = ("Subquery", "Exists", "InQuery", "Quantified")


@dataclass(frozen=True)
class Ties:
    """What a query's conditions say of columns of the query around it.

    Attributes:
        tied: Whether any of them reads such a column.
        read: The columns of the query's own relations that those conditions read.
        equal: Those of them that are equal to what the query around gives.
    """

    tied: bool
    read: frozenset[str]
    equal: frozenset[str]


def injective(own: Type, shared: Type) -> bool:
    """Whether values of a type stay apart as values of another, so that they are told by those."""
    if own == shared or own.base == "unknown":
        return True
    if own.base == shared.base:
        return not own.inner and own.base != "char"
    if shared.base == "double":
        return own.base in (*_SMALL, "integer", "real")
    if shared.base == "real":
        return own.base in _SMALL
    if own.base in _INTEGERS:
        return shared.base in (*_INTEGERS, "decimal")
    return own.base == "date" and shared.base == "timestamp"


def conjuncts(condition: Node | None) -> list[Node]:
    """The conditions that a condition joins by AND; none of what is always true."""
    if condition is None or (condition.kind == "Boolean" and condition.value):
        return []
    if condition.kind == "And":
        return [part for one in condition.parts for part in conjuncts(one)]
    return [condition]


def core(relation: Node) -> Node:
    """A relation without its alias and its parentheses."""
    while relation.kind == "Aliased" or (relation.kind == "Derived" and relation.relation is not None):
        relation = relation.relation
    return relation


def below(select: Node) -> list[Node]:
    """The bodies of the queries that stand in the FROM clause of a query, but not within a join."""
    return [one.query.body for one in map(core, select.relations) if one.kind == "Derived"]


def subqueries(items: list[Node]) -> int:
    """How many subqueries expressions hold, without those within subqueries."""
    count, waiting = 0, list(items)
    while waiting:
        found = waiting.pop()
        if found.kind in _SUBQUERIES:
            count += 1
            continue
        waiting.extend(found.children())
    return count


def is_row(select: Node, *, own: bool) -> bool:
    """Whether a query's FROM clause gives one row, of which Trino makes a projection, or unnests a list.

    Args:
        select: The query.
        own: Whether it reads columns of that row.
    """
    if not select.relations:
        return True
    if len(select.relations) > 1:
        return False
    found = core(select.relations[0])
    if found.kind == "Unnest":
        return True
    if found.kind != "Derived" or found.query.limit is not None or found.query.offset is not None:
        return False
    body = found.query.body
    if body.kind == "Values":
        return len(body.rows) == 1 and not own
    if body.kind != "Select" or body.having is not None or body.group is not None:
        return False
    return bool(body.is_whole) or (not conjuncts(body.where) and not body.distinct and is_row(body, own=own))
