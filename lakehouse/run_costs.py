"""What runs of jobs ran on, and what as many seconds cost on Glue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.pipeline import Pipeline, PythonShell
from catalog.prices import run_cost
from lakehouse.job_runs import ListedRun


@dataclass(frozen=True)
class RunCost:
    """What a run ran on, and what it cost.

    Attributes:
        engine: What Glue calls it, with its size; nothing where the pipeline has the job no longer.
        dollars: What Glue bills for as many seconds, a minute at least; nothing likewise.
    """

    engine: str | None
    dollars: float | None

    def as_dict(self) -> dict[str, Any]:
        """The cost as plain data."""
        return {
            "engine": self.engine,
            "cost_usd": None if self.dollars is None else round(self.dollars, 6),
        }


def cost_of(run: ListedRun, pipeline: Pipeline) -> RunCost:
    """What a run ran on and cost.

    Args:
        run: The run.
        pipeline: What says what its job runs on.
    """
    job = pipeline.jobs.get(run.job)
    if job is None:
        return RunCost(None, None)
    runtime = job.runtime
    if isinstance(runtime, PythonShell):
        engine = f"Python shell, {runtime.max_capacity:g} DPU"
    else:
        engine = f"Spark, {runtime.workers} {runtime.worker_type} workers"
    return RunCost(engine, run_cost(runtime, run.seconds))


def total(runs: Iterable[ListedRun], pipeline: Pipeline, since: datetime) -> float:
    """Dollars for the runs that began since a moment (with a zone)."""
    costs = (cost_of(run, pipeline).dollars for run in runs if run.started >= since)
    return sum(cost for cost in costs if cost is not None)
