"""What docs/costs.md says follows from the numbers of its script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tools import costs

NUMBERS = costs.Numbers()


def test_the_page_shows_what_the_script_prints(root: Path) -> None:
    assert costs.report(NUMBERS) in (root / "docs" / "costs.md").read_text()


def test_a_minute_is_the_least_that_is_billed() -> None:
    assert costs.spark(1, 2, NUMBERS) == costs.spark(60, 2, NUMBERS) < costs.spark(61, 2, NUMBERS)


def test_an_idle_day_transforms_nothing() -> None:
    idle = costs.day(NUMBERS, 0, 0, 0)
    assert (idle["transform"], idle["transform_large (Spark)"]) == (0, 0)
    busy = costs.day(NUMBERS, 2, 1, 0)
    assert busy["transform"] == pytest.approx(2 * 90 / 3600 * 0.0625 * NUMBERS.dpu_hour)
    jobs = 3 * 120 / 3600 * 2 * NUMBERS.spark_dpu_hour
    assert busy["transform_large (Spark)"] == pytest.approx(jobs + 60 / 3600 * 0.0625 * NUMBERS.dpu_hour)


def test_a_normal_day_is_transformed_for_fifteen_cents_at_most() -> None:
    day = costs.day(NUMBERS, NUMBERS.runs, NUMBERS.large_runs, NUMBERS.queried_gb)
    assert day["transform"] + day["transform_large (Spark)"] <= 0.15


def test_a_number_may_be_given_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert costs.main(["--runs", "48"]) == 0
    assert capsys.readouterr().out.strip() == costs.report(replace(NUMBERS, runs=48))
