"""Equality and order of values, of those with parts too."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

from local_aws.athena.kinds import ZONED, Type
from local_aws.athena.query_errors import Failed


def identical(left: Any, right: Any) -> bool:
    """Whether two values are not distinct: NULL is as NULL is, NaN as NaN, a moment as it is elsewhere."""
    return bool(sort_key(left) == sort_key(right))


def ordered(value: Any, *, types: list[Type]) -> Any:
    """A value that has an order: Trino refuses to compare what has NULL inside."""
    if _has_null(value):
        raise Failed(f"Comparing a {types[0]} with NULL inside is not supported", "NOT_SUPPORTED")
    return value


def _has_null(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(part is None or _has_null(part) for part in parts)


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
        ours, theirs = dict(left), dict(right)
        if ours.keys() != theirs.keys():
            return False
        parts = [(ours[key], theirs[key], kind.inner[1]) for key in ours]
    elif kind.base == ZONED:
        return bool(left["t"] == right["t"])
    else:
        return bool(left == right)
    found = [same_value(*part) for part in parts]
    return False if False in found else None if None in found else True


def ordering(left: Any, right: Any, kind: Type) -> int:
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
            found = ordering(a, b, item)
            if found:
                return found
        return (len(ours) > len(theirs)) - (len(ours) < len(theirs))
    if kind.base == ZONED:
        left, right = left["t"], right["t"]
    if isinstance(left, float) and (math.isnan(left) or math.isnan(right)):
        return math.isnan(left) - math.isnan(right)
    return int(left > right) - int(left < right)


def less(left: Any, right: Any, *, types: list[Type]) -> bool:
    return ordering(left, right, types[0]) < 0


def greater(left: Any, right: Any, *, types: list[Type]) -> bool:
    return ordering(left, right, types[0]) > 0


def at_most(left: Any, right: Any, *, types: list[Type]) -> bool:
    return ordering(left, right, types[0]) <= 0


def at_least(left: Any, right: Any, *, types: list[Type]) -> bool:
    return ordering(left, right, types[0]) >= 0


def greatest(*values: Any, types: list[Type]) -> Any:
    return max(_numbers(values), key=functools.cmp_to_key(lambda a, b: ordering(a, b, types[-1])))


def least(*values: Any, types: list[Type]) -> Any:
    return min(_numbers(values), key=functools.cmp_to_key(lambda a, b: ordering(a, b, types[-1])))


def _numbers(values: Iterable[Any]) -> list[Any]:
    """The values that can be the largest or the smallest: NaN only where there is nothing else."""
    listed = list(values)
    return [value for value in listed if not (isinstance(value, float) and math.isnan(value))] or listed


def in_order(values: Iterable[Any], kind: Type, *, reverse: bool = False) -> list[Any]:
    return sorted(values, key=functools.cmp_to_key(lambda a, b: ordering(a, b, kind)), reverse=reverse)


def sort_key(value: Any) -> Any:
    """A value that can be looked up; two that are equal have equal keys."""
    if isinstance(value, dict):
        return (
            ("t", value["t"])
            if set(value) == {"t", "z"}
            else tuple(sort_key(item) for item in value.values())
        )
    if isinstance(value, list | tuple):
        return tuple(sort_key(item) for item in value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return (type(value).__name__ == "bool", value)
