"""Which partitions of a table a change can concern, decided on the driver from small summaries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

KeyRange = tuple[Any, Any]
"""Smallest and largest key of a partition; nothing where unknown, then it may hold any key."""


def candidates(
    ranges: Mapping[str, KeyRange], arriving: Iterable[str], keys: Iterable[tuple[Any, Any]]
) -> set[str]:
    """The live partitions that can hold a version of an incoming key.

    A row's predecessor usually lies in the partition that the row itself names; that of a deletion, which has
    nothing but its key, or of a row whose creation time was changed, lies wherever its key lies.

    Args:
        ranges: Of every live partition the range of its keys.
        arriving: Partitions that incoming rows belong to.
        keys: Intervals, both ends included, that hold every incoming key.

    Returns:
        Names of live partitions.
    """
    found = {spec for spec in arriving if spec in ranges}
    lows, highs = _merged(keys)
    for spec, (low, high) in ranges.items():
        if low is None or high is None:
            found.add(spec)
            continue
        at = bisect_right(lows, high) - 1
        if at >= 0 and highs[at] >= low:
            found.add(spec)
    return found


def _merged(keys: Iterable[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    lows: list[Any] = []
    highs: list[Any] = []
    for low, high in sorted(keys):
        if highs and low <= highs[-1]:
            highs[-1] = max(highs[-1], high)
        else:
            lows.append(low)
            highs.append(high)
    return lows, highs
