"""Metrics as log lines: CloudWatch's embedded metric format, from which it makes metrics by itself.

Python shell jobs publish nothing that an alarm can stand on. A line may be delivered twice, so an alarm looks
at the maximum, never at the sum. Values are counts and durations; dimensions are names of jobs and tables. A
metric is billed for every hour in which it comes: what no alarm and no dashboard reads is in the log alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from glue_jobs.runtime import log

NAMESPACE = "lakehouse"
"""Where CloudWatch keeps the metrics."""

SECONDS = "seconds"
"""How the names of durations begin; every other value is a count."""


def embedded(
    dimensions: Mapping[str, str], values: Mapping[str, float], at: float, namespace: str = NAMESPACE
) -> dict[str, Any]:
    """The fields of a log line that CloudWatch reads as metrics.

    Args:
        dimensions: What the values are of: ``job``, ``table``. An alarm must name all of them.
        values: By name. What begins with ``seconds`` is a duration, everything else a count.
        at: When, in seconds since the epoch.
        namespace: Where CloudWatch keeps them.

    Raises:
        ValueError: A name is both a dimension and a value.
    """
    both = sorted(dimensions.keys() & values.keys())
    if both:
        raise ValueError(f"{', '.join(both)} cannot be a dimension and a value")
    stated = [{"Name": name, "Unit": "Seconds" if name.startswith(SECONDS) else "Count"} for name in values]
    directive = {"Namespace": namespace, "Dimensions": [list(dimensions)], "Metrics": stated}
    return {
        "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [directive]},
        **dimensions,
        **values,
    }


def emit(dimensions: Mapping[str, str], values: Mapping[str, float]) -> None:
    """Write metrics of now to the log."""
    log.info("metric", **embedded(dimensions, values, time.time()))
