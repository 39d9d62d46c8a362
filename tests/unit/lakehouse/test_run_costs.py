"""What runs cost: their seconds, a minute at least, on what their jobs run on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.pipeline import load_pipeline
from catalog.prices import DPU_HOUR, SPARK_DPU_HOUR
from lakehouse.job_runs import ListedRun
from lakehouse.run_costs import RunCost, cost_of, total

PIPELINE = load_pipeline()
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def run(job: str, seconds: float, days_ago: float = 0) -> ListedRun:
    return ListedRun("jr_1", job, "SUCCEEDED", NOW - timedelta(days=days_ago), seconds, None, Path("log"))


@pytest.mark.parametrize(
    ("job", "seconds", "engine", "dollars"),
    [
        ("extract_cdc", 12, "Python shell, 0.0625 DPU", 60 / 3600 * 0.0625 * DPU_HOUR),
        ("reconcile", 90, "Python shell, 1 DPU", 90 / 3600 * DPU_HOUR),
        ("build_facts", 600, "Spark, 2 G.1X workers", 600 / 3600 * 2 * SPARK_DPU_HOUR),
    ],
)
def test_a_run_costs_its_seconds_a_minute_at_least_on_what_it_runs_on(
    job: str, seconds: float, engine: str, dollars: float
) -> None:
    found = cost_of(run(job, seconds), PIPELINE)
    assert found.dollars == pytest.approx(dollars)
    assert found.as_dict() == {"engine": engine, "cost_usd": pytest.approx(dollars, abs=1e-6)}


def test_of_a_job_that_there_is_no_more_nothing_is_said() -> None:
    assert cost_of(run("gone", 60), PIPELINE) == RunCost(None, None)
    assert RunCost(None, None).as_dict() == {"engine": None, "cost_usd": None}


def test_a_week_costs_what_began_in_it() -> None:
    runs = [run("reconcile", 3600, 1), run("gone", 60, 1), run("reconcile", 3600, 8)]
    assert total(runs, PIPELINE, NOW - timedelta(days=7)) == pytest.approx(DPU_HOUR)
