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


def test_an_idle_day_costs_no_spark() -> None:
    assert costs.day(NUMBERS, 0, 0)["transform (Spark)"] == 0
    busy = costs.day(NUMBERS, 2, 0)["transform (Spark)"]
    assert busy == pytest.approx(2 * 3 * 120 / 3600 * 2 * NUMBERS.spark_dpu_hour)


def test_a_number_may_be_given_anew(capsys: pytest.CaptureFixture[str]) -> None:
    assert costs.main(["--runs", "48"]) == 0
    assert capsys.readouterr().out.strip() == costs.report(replace(NUMBERS, runs=48))
