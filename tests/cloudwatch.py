"""CloudWatch's alarms as its documentation describes them: pure functions over datapoints.

What it looks at follows docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
alarms-and-missing-data.html; `tests/unit/catalog/test_alarms.py` holds this to the tables given there.
"""

from __future__ import annotations

import ast
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.alarms import Alarms

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


@dataclass
class CloudWatch:
    """What CloudWatch has been told.

    Attributes:
        alarms: The file, for what becomes a metric of the ends of runs.
        values: By metric, when which values came.
    """

    alarms: Alarms
    values: dict[Key, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def put(self, at: float, name: str, value: float, of: Mapping[str, str], namespace: str = "") -> None:
        """Take a value."""
        key = (namespace or self.alarms.namespace, name, frozenset(of.items()))
        self.values[key].append((at, value))

    def read(self, at: float, output: str) -> None:
        """Take what a job has written at some moment: lines in the embedded metric format become values."""
        for line in output.splitlines():
            stated = json.loads(line) if line.startswith("{") else {}
            for directive in stated.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in directive["Dimensions"]:
                    of = {name: str(stated[name]) for name in names}
                    for metric in directive["Metrics"]:
                        self.put(at, metric["Name"], stated[metric["Name"]], of, directive["Namespace"])

    def run_ended(self, at: float, job: str, state: str) -> None:
        """Take the event that a run has ended."""
        for metric in self.alarms.run_metrics.values():
            if state in metric.states:
                self.put(at, metric.metric, metric.value, {"job": job})

    def run_late(self, at: float) -> None:
        """Take the event that a run takes long."""
        self.put(at, "run_late", 1, {})

    def messages(self, alarm: Mapping[str, Any], start: float, end: float) -> list[str]:
        """The states that an alarm tells of between two moments, in order."""
        return [state for _, state in self.changes(alarm, start, end) if state in alarm["tells"]]

    def changes(self, alarm: Mapping[str, Any], start: float, end: float) -> Iterator[tuple[float, str]]:
        """When which state of an alarm began that was made at the start."""
        seconds, state = alarm["seconds"], NO_DATA
        stated = {name: alarm[name] for name in ("above", "periods", "enough", "missing")}
        for now in range(int(start) + seconds, int(end) + 1, seconds):
            points = self._points(alarm, now, alarm["periods"] + EXTRA)
            after = state_after(points, state, **stated)
            if after != state:
                yield now, after
            state = after

    def _points(self, alarm: Mapping[str, Any], now: float, count: int) -> list[float | None]:
        series = {}
        for name, metric in alarm["metrics"].items():
            key = (metric["namespace"], metric["metric"], frozenset(metric["of"].items()))
            series[name] = [
                _statistic(
                    self.values.get(key, []),
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


def _statistic(values: Iterable[tuple[float, float]], name: str, start: float, end: float) -> float | None:
    found = [value for at, value in values if start <= at < end]
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
