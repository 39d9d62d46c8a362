"""Equality and order of values, of those with parts too."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.athena.kinds import ZONED, Type
from local_aws.athena.query_errors import Failed


def ordered(value: Any, *, types: list[Type]) -> Any:
    """A value that has an order: Trino refuses to compare what has NULL inside."""
    if has_null(value):
        raise Failed(f"Comparing a {types[0]} with NULL inside is not supported", "NOT_SUPPORTED")
    return value


def ranked(value: Any, *, types: list[Type]) -> Any:
    """A value that may be the largest or the smallest, for DuckDB, which takes NaN for the largest number."""
    if any(isinstance(leaf, float) and math.isnan(leaf) for leaf in _leaves(ordered(value, types=types))):
        raise Failed(f"The largest or smallest {types[0]} with NaN inside is not supported", "NOT_SUPPORTED")
    return value


def has_null(value: Any) -> bool:
    """Whether a value is NULL, or NULL lies inside of it."""
    return None in _leaves(value)


def _leaves(value: Any) -> list[Any]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return [value] if parts is None else [leaf for part in parts for leaf in _leaves(part)]


def equal(left: Any, right: Any, *, types: list[Type]) -> bool | None:
    return same_value(left, right, types[0])


def same_value(left: Any, right: Any, kind: Type) -> bool | None:
    if left is None or right is None:
        return None
    if kind.base == "row":
        parts = [(left[f"f{i}"], right[f"f{i}"], item) for i, item in enumerate(kind.inner)]
    elif kind.base == "array":
        if len(left) != len(right):
            return False
        parts = [(a, b, kind.inner[0]) for a, b in zip(left, right, strict=True)]
    elif kind.base == "map":
        ours, theirs = ({sort_key(key): value for key, value in side} for side in (left, right))
        if ours.keys() != theirs.keys():
            return False
        parts = [(ours[key], theirs[key], kind.inner[1]) for key in ours]
    elif kind.base == ZONED:
        return bool(left["t"] == right["t"])
    else:
        return bool(left == right)
    found = [same_value(*part) for part in parts]
    return False if False in found else None if None in found else True


class _UnorderedError(Exception):
    """One of two values is NaN, or holds it."""


def ordering(left: Any, right: Any, kind: Type, nan: int = 1) -> int:
    """How two values stand to each other.

    Args:
        left: One.
        right: The other.
        kind: Their type.
        nan: 1 where NaN is larger than every number, -1 where it is smaller, 0 where it has no order.

    Raises:
        Failed: NULL lies inside of one.
        _UnorderedError: NaN has no order.
    """
    if kind.base in ("array", "row"):
        ours, theirs = ((list(side.values()) if kind.base == "row" else side) for side in (left, right))
        kinds: Iterable[Type] = (
            kind.inner if kind.base == "row" else [kind.inner[0]] * max(len(ours), len(theirs))
        )
        for a, b, item in zip(ours, theirs, kinds, strict=False):
            if a is None or b is None:
                raise Failed(
                    f"{kind.base.upper()} comparison not supported for {kind.base}s with null elements",
                    "NOT_SUPPORTED",
                )
            found = ordering(a, b, item, nan)
            if found:
                return found
        return (len(ours) > len(theirs)) - (len(ours) < len(theirs))
    if kind.base == ZONED:
        left, right = left["t"], right["t"]
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        if not nan:
            raise _UnorderedError
        return nan * (math.isnan(left) - math.isnan(right))
    return int(left > right) - int(left < right)


def _holds(left: Any, right: Any, types: list[Type], test: Callable[[int], bool]) -> bool:
    try:
        return test(ordering(left, right, types[0], nan=0))
    except _UnorderedError:
        return False


def less(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _holds(left, right, types, lambda found: found < 0)


def greater(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _holds(left, right, types, lambda found: found > 0)


def at_most(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _holds(left, right, types, lambda found: found <= 0)


def at_least(left: Any, right: Any, *, types: list[Type]) -> bool:
    return _holds(left, right, types, lambda found: found >= 0)


def greatest(*values: Any, types: list[Type]) -> Any:
    return max(values, key=by_order(types[-1], nan=-1))


def least(*values: Any, types: list[Type]) -> Any:
    return min(values, key=by_order(types[-1]))


def by_order(kind: Type, nan: int = 1) -> Callable[[Any], Any]:
    """What values are sorted by."""
    return functools.cmp_to_key(lambda a, b: ordering(a, b, kind, nan))


def sort_key(value: Any) -> Any:
    """A value that can be looked up; two that are equal have equal keys."""
    if isinstance(value, dict):
        return (
            ("t", value["t"])
            if set(value) == {"t", "z"}
            else tuple(sort_key(item) for item in value.values())
        )
    if isinstance(value, list) and value and isinstance(value[0], tuple):  # a map
        return frozenset(sort_key(pair) for pair in value)
    if isinstance(value, list | tuple):
        return tuple(sort_key(item) for item in value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return (type(value).__name__ == "bool", value)
