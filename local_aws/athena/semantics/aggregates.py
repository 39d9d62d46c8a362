"""Aggregates: functions of all values at once."""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

from local_aws.athena.kinds import Type
from local_aws.athena.query_errors import Failed
from local_aws.athena.semantics.binary import MASK
from local_aws.athena.semantics.comparison import by_order
from local_aws.athena.semantics.mathematics import logarithm


def percentile(values: list[Any], share: float) -> Any:
    found = percentiles(values, [share])
    return found[0] if found else None


def percentiles(values: list[Any], shares: list[float | None]) -> list[Any] | None:
    there = sorted(value for value in values if value is not None)
    asked = [share for share in shares if share is not None and 0 <= share <= 1]
    if len(asked) < len(shares):
        raise Failed("Percentile must be between 0 and 1")
    if not there:
        return None
    return [there[min(int(share * len(there)), len(there) - 1)] for share in asked]


def percentiles_weighted(rows: list[dict[str, Any]], shares: list[float | None]) -> list[Any] | None:
    found = [percentile_weighted(rows, share) for share in shares]
    return None if None in found else found


def percentile_weighted(rows: list[dict[str, Any]], share: float | None) -> Any:
    there = sorted((row["f0"], row["f1"]) for row in rows if row["f0"] is not None and row["f1"] is not None)
    if share is None or not 0 <= share <= 1 or any(weight < 1 for _, weight in there):
        raise Failed("Percentile must be between 0 and 1, and percentile weight must be >= 1")
    total, passed = sum(weight for _, weight in there), 0
    for value, weight in there:
        passed += weight
        if passed > share * total or passed == total:
            return value
    return None


def checksum(values: list[Any]) -> bytes:
    total = sum(
        int.from_bytes(hashlib.sha256(repr(value).encode()).digest()[:8], "little") for value in values
    )
    return struct.pack("<Q", total & MASK)


def correlation(value: float) -> float | None:
    """A statistic of pairs, which is NULL where there are too few of them, or all alike."""
    return value if math.isfinite(value) else None


def geometric_mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    if not there:
        return None
    return math.exp(sum(logarithm(value, math.log) for value in there) / len(there))


def skewness(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    n = len(there)
    if n < 3:
        return None
    mean = sum(there) / n
    m2, m3 = (sum((value - mean) ** power for value in there) for power in (2, 3))
    return math.sqrt(n) * m3 / m2**1.5 if m2 else math.nan


def kurtosis(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    n = float(len(there))
    if n < 4:
        return None
    mean = sum(there) / n
    m2, m4 = (sum((value - mean) ** power for value in there) for power in (2, 4))
    if not m2:
        return math.nan
    return ((n - 1) * n * (n + 1)) / ((n - 2) * (n - 3)) * m4 / (m2 * m2) - 3 * ((n - 1) ** 2) / (
        (n - 2) * (n - 3)
    )


def _top(values: list[Any], count: int, kind: Type, *, most: bool) -> list[Any] | None:
    return _top_by([{"f0": value, "f1": value} for value in values], count, kind, most=most)


def largest(values: list[Any], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top(values, count, types[0].inner[0], most=True)


def smallest(values: list[Any], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top(values, count, types[0].inner[0], most=False)


def _top_by(rows: list[dict[str, Any]], count: int, kind: Type, *, most: bool) -> list[Any] | None:
    if count <= 0 or count > 10_000:
        raise Failed("third argument of max_by/min_by must be a positive integer")
    there = [row for row in rows if row["f1"] is not None]
    # NaN is neither the largest nor the smallest where there is something else.
    order = by_order(kind, nan=-1 if most else 1)
    found = sorted(there, key=lambda row: order(row["f1"]), reverse=most)
    return [row["f0"] for row in found[:count]] or None


def largest_by(rows: list[dict[str, Any]], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top_by(rows, count, types[0].inner[0].inner[1], most=True)


def smallest_by(rows: list[dict[str, Any]], count: int, *, types: list[Type]) -> list[Any] | None:
    return _top_by(rows, count, types[0].inner[0].inner[1], most=False)
