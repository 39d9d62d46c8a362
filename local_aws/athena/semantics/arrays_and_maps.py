"""Arrays and maps."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable
from itertools import combinations as _combinations
from typing import Any

from local_aws.athena.kinds import Type
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.comparison import by_order, greatest, has_null, least, same_value, sort_key
from local_aws.athena.semantics.moments import add_months
from local_aws.athena.semantics.text import grouped
from local_aws.athena.semantics.values import DAY, Pairs


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault(sort_key(value), value)
    return list(found.values())


def array_distinct(values: list[Any]) -> list[Any]:
    return _distinct(values)


def array_except(left: list[Any], right: list[Any]) -> list[Any]:
    there = {sort_key(value) for value in right}
    return [value for value in _distinct(left) if sort_key(value) not in there]


def array_intersect(left: list[Any], right: list[Any]) -> list[Any]:
    there = {sort_key(value) for value in right}
    return [value for value in _distinct(left) if sort_key(value) in there]


def array_union(left: list[Any], right: list[Any]) -> list[Any]:
    return _distinct([*left, *right])


def arrays_overlap(left: list[Any], right: list[Any]) -> bool | None:
    ours, theirs = ({sort_key(v) for v in side if v is not None} for side in (left, right))
    if ours & theirs:
        return True
    return None if left and right and None in [*left, *right] else False


def histogram(values: list[Any]) -> Pairs | None:
    return array_histogram(values) or None


def array_histogram(values: list[Any]) -> Pairs:
    found: dict[Any, list[Any]] = {}
    for value in values:
        if value is not None:
            found.setdefault(sort_key(value), [value, 0])[1] += 1
    return [(value, count) for value, count in found.values()]


def array_join(values: list[str | None], glue: str) -> str:
    return glue.join(value for value in values if value is not None)


def array_join_with(values: list[str | None], glue: str, missing: str) -> str:
    return glue.join(missing if value is None else value for value in values)


def array_max(values: list[Any], *, types: list[Type]) -> Any:
    return None if not values or None in values else greatest(*values, types=types)


def array_min(values: list[Any], *, types: list[Type]) -> Any:
    return None if not values or None in values else least(*values, types=types)


def array_position(values: list[Any], wanted: Any, *, types: list[Type]) -> int:
    same = _equality("array_position", wanted, types[1])
    return next((place for place, value in enumerate(values, start=1) if same(value)), 0)


def array_remove(values: list[Any], unwanted: Any, *, types: list[Type]) -> list[Any]:
    same = _equality("array_remove", unwanted, types[1])
    return [value for value in values if not same(value)]


def _equality(name: str, wanted: Any, kind: Type) -> Callable[[Any], bool]:
    """Whether an element equals a value; NULL equals nothing, and must not lie inside of one."""

    def same(value: Any) -> bool:
        found = value is not None and same_value(value, wanted, kind)
        if found is None:
            message = f"{name} does not support arrays with elements that are null or contain null"
            raise Failed(message, "NOT_SUPPORTED")
        return found

    return same


def contains_sequence(values: list[Any], part: list[Any]) -> bool:
    keys, wanted = [sort_key(value) for value in values], [sort_key(value) for value in part]
    return any(keys[at : at + len(wanted)] == wanted for at in range(len(keys) - len(wanted) + 1))


def array_sort(values: list[Any], *, types: list[Type]) -> list[Any]:
    there = [value for value in values if value is not None]
    return sorted(there, key=by_order(types[0].inner[0])) + [None] * (len(values) - len(there))


def sort_by_matrix(values: list[Any], matrix: list[list[int | None]]) -> list[Any]:
    def compare(a: int, b: int) -> int:
        found = matrix[a][b]
        if found not in (-1, 0, 1):
            raise Failed("Lambda comparator must return either -1, 0, or 1")
        return found or 0

    return [values[place] for place in sorted(range(len(values)), key=functools.cmp_to_key(compare))]


def combinations(values: list[Any], size: int) -> list[list[Any]]:
    if not 0 <= size <= 5:
        raise Failed(f"combination size must not be negative or exceed 5: {size}")
    places = range(len(values))
    ordered = sorted(_combinations(places, size), key=lambda item: item[::-1])
    if len(ordered) > 100_000:
        raise Failed("combinations exceed max size")
    return [[values[place] for place in item] for item in ordered]


def contains(values: list[Any], wanted: Any, *, types: list[Type]) -> bool | None:
    found = [same_value(value, wanted, types[1]) for value in values]
    return True if True in found else None if None in found else False


def ngrams(values: list[Any], size: int) -> list[list[Any]]:
    if size <= 0:
        raise Failed("N must be positive")
    if size >= len(values):
        return [values]
    return [values[at : at + size] for at in range(len(values) - size + 1)]


def repeat(value: Any, count: int | None) -> list[Any] | None:
    if count is None:
        return None
    if count > 10_000:
        raise Failed("count argument of repeat function must be less than or equal to 10000")
    return [value] * max(count, 0)


_LONGEST = 10_000


def _steps(start: Any, stop: Any, step: Any, zero: Any) -> list[Any]:
    if step == zero:
        raise Failed("step must not be zero")
    if (step > zero) != (stop >= start) and stop != start:
        raise Failed(
            "sequence stop value should be greater than or equal to start value if step "
            "is greater than zero otherwise stop should be less than or equal to start"
        )
    count = (stop - start) // step + 1
    if count > _LONGEST:
        raise Failed("result of sequence function must not have more than 10000 entries")
    return [start + step * place for place in range(count)]


def sequence(start: int, stop: int, step: int | None = None) -> list[int]:
    return _steps(start, stop, step if step is not None else (1 if stop >= start else -1), 0)


def sequence_dates(start: dt.date, stop: dt.date, millis: int | None = None) -> list[dt.date]:
    days = (1 if stop >= start else -1) if millis is None else millis // DAY
    if millis is not None and millis % DAY:
        raise Failed("sequence step must be a day interval if start and end values are dates")
    return _steps(start, stop, dt.timedelta(days=days), dt.timedelta())


def sequence_timestamps(start: dt.datetime, stop: dt.datetime, millis: int) -> list[dt.datetime]:
    return _steps(start, stop, dt.timedelta(milliseconds=millis), dt.timedelta())


def sequence_months(start: Any, stop: Any, months: int) -> list[Any]:
    if months == 0 or ((months > 0) != (stop >= start) and stop != start):
        raise Failed(
            "sequence stop value should be greater than or equal to start value if step is greater than zero"
        )
    found: list[Any] = []
    while len(found) <= _LONGEST:
        value = add_months(start, months * len(found))
        if (value > stop) if months > 0 else (value < stop):
            return found
        found.append(value)
    raise Failed("result of sequence function must not have more than 10000 entries")


def shuffle(values: list[Any]) -> list[Any]:
    import random

    return random.sample(values, len(values))


def slice_(values: list[Any], start: int, length: int) -> list[Any]:
    if length < 0:
        raise Failed("length must be greater than or equal to 0")
    if start == 0:
        raise Failed("SQL array indices start at 1")
    at = start - 1 if start > 0 else len(values) + start
    return [] if at < 0 or at >= len(values) else values[at : at + length]


def trim_array(values: list[Any], count: int) -> list[Any]:
    if count < 0 or count > len(values):
        raise Failed(
            "size must not be negative"
            if count < 0
            else f"size must not exceed array cardinality {len(values)}: {count}"
        )
    return values[: len(values) - count]


def zip_(*lists: list[Any]) -> list[dict[str, Any]]:
    return [
        {f"f{i}": values[at] if at < len(values) else None for i, values in enumerate(lists)}
        for at in range(max(len(values) for values in lists))
    ]


def map_(keys: list[Any], values: list[Any]) -> Pairs:
    if len(keys) != len(values):
        raise Failed("Key and value arrays must be the same length")
    return _unique([(keys[place], value) for place, value in enumerate(values)])


def _unique(pairs: Pairs) -> Pairs:
    seen = set()
    for key, _ in pairs:
        if key is None:
            raise Failed("map key cannot be null")
        if has_null(key):
            raise Failed(f"map key cannot be indeterminate: {key}")
        if sort_key(key) in seen:
            raise Failed(f"Duplicate map keys ({key}) are not allowed")
        seen.add(sort_key(key))
    return pairs


def map_concat(*maps: Pairs) -> Pairs:
    found: dict[Any, tuple[Any, Any]] = {}
    for pairs in maps:
        for key, value in pairs:
            found[sort_key(key)] = (key, value)
    return list(found.values())


def map_union(maps: list[Pairs | None]) -> Pairs | None:
    there = [pairs for pairs in maps if pairs is not None]
    found: dict[Any, tuple[Any, Any]] = {}
    for pairs in there:
        for key, value in pairs:
            found.setdefault(sort_key(key), (key, value))
    return list(found.values()) if there else None


def map_entries(pairs: Pairs) -> list[dict[str, Any]]:
    return [{"f0": key, "f1": value} for key, value in pairs]


def map_from_entries(rows: list[dict[str, Any] | None]) -> Pairs:
    if any(row is None for row in rows):
        raise Failed("map entry cannot be null")
    return _unique([tuple(row.values()) for row in rows if row is not None])


def multimap_from_entries(rows: list[dict[str, Any] | None]) -> Pairs:
    if any(row is None for row in rows):
        raise Failed("map entry cannot be null")
    return grouped([tuple(row.values()) for row in rows if row is not None])


def multimap_agg(rows: list[dict[str, Any]]) -> Pairs | None:
    """Every value of each key; a row without a key counts for nothing."""
    return grouped(_keyed("multimap_agg", rows)) or None


def map_agg(rows: list[dict[str, Any]]) -> Pairs | None:
    """The first value of each key; a row without a key counts for nothing."""
    found: dict[Any, tuple[Any, Any]] = {}
    for key, value in _keyed("map_agg", rows):
        found.setdefault(sort_key(key), (key, value))
    return list(found.values()) or None


def _keyed(function: str, rows: list[dict[str, Any]]) -> Pairs:
    """The pairs of an aggregate that have a key."""
    pairs = [(row["f0"], row["f1"]) for row in rows if row["f0"] is not None]
    if any(has_null(key) for key, _ in pairs):
        raise Failed(f"{function} of keys that hold NULL is not supported here", "NOT_SUPPORTED")
    return pairs
