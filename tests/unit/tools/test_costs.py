"""The script of what a day costs leaves no job out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.pipeline import load_pipeline
from tools import costs
from tools.costs import Day

NUMBERS, PIPELINE = costs.Numbers(), load_pipeline()


def test_every_job_of_the_deployment_is_counted_with_its_schedule() -> None:
    day = costs.cost(Day(), NUMBERS, PIPELINE)
    assert list(day)[: len(PIPELINE.jobs)] == list(PIPELINE.jobs)
    assert costs.runs(Day(7, 2), PIPELINE) | {"extract_cdc": 144, "reconcile": 1, "maintain_lake": 1} == (
        costs.runs(Day(7, 2), PIPELINE)
    )


def test_sites_are_built_when_something_was_committed_hourly_at_most_and_every_morning() -> None:
    named = costs.days(NUMBERS, PIPELINE)
    built = {name: costs.runs(day, PIPELINE)["build_sites"] for name, day in named.items()}
    assert (built["idle day"], built["normal day"], built["busy day"]) == (1, 25, 25)


@pytest.mark.parametrize("change", ["another", "missing"])
def test_a_job_that_nobody_has_counted_is_refused(change: str) -> None:
    jobs = dict(PIPELINE.jobs)
    if change == "another":
        jobs["send_mail"] = jobs["maintain_lake"]
    else:
        del jobs["reconcile"]
    changed = PIPELINE.model_copy(update={"jobs": jobs})
    with pytest.raises(ValueError, match=r"every job's runs are stated.*(send_mail|reconcile)"):
        costs.runs(Day(), changed)


def test_a_minute_is_the_least_that_is_billed() -> None:
    one, minute, more = (costs.run_cost("validate_raw", s, NUMBERS, PIPELINE) for s in (1, 60, 61))
    assert one == minute < more
    assert minute == pytest.approx(60 / 3600 * 2 * NUMBERS.spark_dpu_hour)


def test_a_shell_job_takes_its_wheels_and_imports_on_a_quarter_of_a_core() -> None:
    took = costs.seconds("extract_cdc", Day(), NUMBERS, PIPELINE)
    assert took == (NUMBERS.shell_start_cpu + NUMBERS.capture_cpu) * 4
    # Where it only sees that it waits, its start is what is left.
    assert costs.seconds("extract_cdc", Day(captures=False), NUMBERS, PIPELINE) == NUMBERS.shell_start_cpu * 4


def test_an_idle_day_transforms_nothing_and_a_refused_secret_captures_nothing() -> None:
    named = costs.days(NUMBERS, PIPELINE)
    idle, refused = (
        costs.cost(named[name], NUMBERS, PIPELINE) for name in ("idle day", "a secret is refused")
    )
    assert (idle["transform"], idle["validate_raw"], idle["Athena"]) == (0, 0, 0)
    assert refused["requests to S3 and keys"] < idle["requests to S3 and keys"]
    awaits = named["a batch awaits approval"]
    # Five, ten, twenty, forty minutes, and then every hour.
    assert awaits.transforms == 4 + 22


def test_alarms_are_billed_by_the_metrics_that_they_read() -> None:
    read = costs.alarm_metrics(PIPELINE)
    assert read > 40
    day = costs.cost(Day(), NUMBERS, PIPELINE)
    assert day["alarms, dashboard"] == pytest.approx((read - 10) * 0.10 / costs.DAYS)
    # Where others use up what an account has for nothing.
    day = costs.cost(Day(), replace(NUMBERS, free_alarms=0, free_dashboards=0), PIPELINE)
    assert day["alarms, dashboard"] == pytest.approx((read * 0.10 + 3) / costs.DAYS)


def test_a_metric_is_billed_for_the_hours_in_which_it_comes() -> None:
    runs = {"extract_cdc": 144, "reconcile": 1}
    assert costs.METRICS.keys() == PIPELINE.jobs.keys()
    assert costs.metric_hours(runs, NUMBERS) == 24 * costs.METRICS["extract_cdc"] + costs.METRICS["reconcile"]
    day = costs.cost(Day(), replace(NUMBERS, free_metrics=0), PIPELINE)
    hours = costs.metric_hours(costs.runs(Day(), PIPELINE), NUMBERS)
    assert day["metrics"] == pytest.approx(hours / 24 * 0.30 / costs.DAYS)


def test_a_number_may_be_given_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert costs.main(["--transform-runs", "48"]) == 0
    assert capsys.readouterr().out.strip() == costs.report(replace(NUMBERS, transform_runs=48))
