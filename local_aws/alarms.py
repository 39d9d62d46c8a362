"""CloudWatch's alarms as its documentation describes them: pure functions over datapoints.

What it looks at follows docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
alarms-and-missing-data.html, and is held to the tables given there.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

OK, ALARM, NO_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

EXTRA = 2
"""Datapoints that are fetched beside those that are looked at; how many is CloudWatch's own affair."""

Key = tuple[str, str, frozenset[tuple[str, str]]]
"""A metric: its namespace, its name and its dimensions."""

Points = Sequence[float | None]


def state_after(points: Points, state: str, *, above: float, periods: int, enough: int, missing: str) -> str:
    """The state of an alarm.

    Args:
        points: The datapoints of the evaluation range, the newest last; None for one that is missing.
        state: The state until now.
        above: The threshold.
        periods: How many datapoints are looked at.
        enough: How many of them fire.
        missing: What a missing one means.
    """
    real = [point for point in points if point is not None]
    if len(real) >= periods:
        return ALARM if _breaching(real[-periods:], above) >= enough else OK
    if not real and missing == "missing":
        return NO_DATA
    filled = periods - len(real)
    found = _breaching(real, above)
    if missing in ("breaching", "notBreaching"):
        return ALARM if found + filled * (missing == "breaching") >= enough else OK
    if found >= enough:
        return ALARM
    if found < len(real):
        return OK
    # Everything that is there is breaching, and is too little: it fires where the oldest is old enough.
    age = len(points) - next((at for at, point in enumerate(points) if point is not None), len(points))
    return ALARM if missing == "missing" and age >= enough else state


def _breaching(points: Iterable[float], above: float) -> int:
    return sum(point > above for point in points)


@dataclass(frozen=True)
class RunEnds:
    """What becomes a metric of the states in which runs of jobs end.

    Attributes:
        metric: Its name.
        states: The states that count.
        value: What it is then.
    """

    metric: str
    states: Collection[str]
    value: float


@dataclass(frozen=True)
class Change:
    """An alarm that came into a state.

    Attributes:
        at: When, in seconds since the epoch.
        state: The state.
        points: The datapoints that were looked at, the newest last; None for one that is missing.
    """

    at: float
    state: str
    points: tuple[float | None, ...]


@dataclass
class CloudWatch:
    """What CloudWatch has been told.

    Attributes:
        namespace: Where metrics lie that state no other place.
        run_ends: What becomes a metric of the ends of runs.
        values: By metric, when which values came, in the order of time.
    """

    namespace: str
    run_ends: Sequence[RunEnds]
    values: dict[Key, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, at: float, name: str, value: float, of: Mapping[str, str], namespace: str = "") -> None:
        """Take a value."""
        insort(self.values[namespace or self.namespace, name, frozenset(of.items())], (at, value))

    def read(self, at: float | None, output: str) -> None:
        """Take what a job has written: lines in the embedded metric format become values.

        Args:
            at: When; nothing where the lines' own times count.
            output: Its output.
        """
        for stated in _embedded(output):
            when = stated["_aws"]["Timestamp"] / 1000 if at is None else at
            for directive in stated["_aws"]["CloudWatchMetrics"]:
                for names in directive["Dimensions"]:
                    of = {name: str(stated[name]) for name in names}
                    for metric in directive["Metrics"]:
                        self.put(when, metric["Name"], stated[metric["Name"]], of, directive["Namespace"])

    def run_ended(self, at: float, job: str, state: str) -> None:
        """Take the event that a run has ended."""
        for ends in self.run_ends:
            if state in ends.states:
                self.put(at, ends.metric, ends.value, {"job": job})

    def run_late(self, at: float) -> None:
        """Take the event that a run takes long."""
        self.put(at, "run_late", 1, {})

    def messages(self, alarm: Mapping[str, Any], start: float, end: float) -> list[str]:
        """The states that an alarm tells of between two moments, in order."""
        return [one.state for one in self.changes(alarm, start, end) if one.state in alarm["tells"]]

    def changes(self, alarm: Mapping[str, Any], start: float, end: float) -> Iterator[Change]:
        """When which state of an alarm began that was made at the start, and by what."""
        seconds, state = alarm["seconds"], NO_DATA
        stated = {name: alarm[name] for name in ("above", "periods", "enough", "missing")}
        for now in range(int(start) + seconds, int(end) + 1, seconds):
            points = self._points(alarm, now, alarm["periods"] + EXTRA)
            after = state_after(points, state, **stated)
            if after != state:
                yield Change(now, after, tuple(points[-alarm["periods"] :]))
            state = after

    def _points(self, alarm: Mapping[str, Any], now: float, count: int) -> list[float | None]:
        series = {}
        for name, metric in alarm["metrics"].items():
            key = (metric["namespace"], metric["metric"], frozenset(metric["of"].items()))
            series[name] = [
                _statistic(
                    self.values.get(key, ()),
                    metric["statistic"],
                    now - (back + 1) * alarm["seconds"],
                    now - back * alarm["seconds"],
                )
                for back in reversed(range(count))
            ]
        if alarm["expression"] is None:
            (only,) = series.values()
            return only
        # AND is Python's own word in small letters.
        parsed = ast.parse(alarm["expression"].replace(" AND ", " and "), mode="eval").body
        return [_result(parsed, {name: values[at] for name, values in series.items()}) for at in range(count)]


def _embedded(output: str) -> Iterator[dict[str, Any]]:
    """The lines in the embedded metric format; a library's own lines may look like anything."""
    for line in output.splitlines():
        if line.startswith("{") and '"_aws"' in line:
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def _statistic(values: Sequence[tuple[float, float]], name: str, start: float, end: float) -> float | None:
    found = [value for _, value in values[bisect_left(values, (start,)) : bisect_left(values, (end,))]]
    if not found:
        return None
    return {"Maximum": max(found), "Sum": math.fsum(found), "SampleCount": float(len(found))}[name]


def _result(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    """Metric math of one moment, as far as the alarms use it; what is missing makes the result missing."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, other]):
            found = _result(filled, values)
            return _result(other, values) if found is None else found
        case ast.Call(func=ast.Name(id="IF"), args=[test, yes, no]):
            found = _result(test, values)
            return None if found is None else _result(yes if found else no, values)
        case ast.BoolOp(op=ast.And(), values=[left, right]):
            return _of_both(left, right, values, lambda one, other: float(bool(one) and bool(other)))
        case ast.Compare(left=left, ops=[ast.Gt() | ast.Lt() as kind], comparators=[right]):
            above = isinstance(kind, ast.Gt)
            return _of_both(
                left, right, values, lambda one, other: float(one > other if above else one < other)
            )
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _of_both(left, right, values, lambda one, other: one + other)
    raise NotImplementedError(ast.unparse(node))


def _of_both(
    left: ast.expr,
    right: ast.expr,
    values: Mapping[str, float | None],
    make: Callable[[float, float], float],
) -> float | None:
    one, other = _result(left, values), _result(right, values)
    return None if one is None or other is None else make(one, other)
