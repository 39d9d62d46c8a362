"""What docs/costs.md says of a day of totesys follows from the numbers of its script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from catalog.pipeline import load_pipeline
from tools import costs

NUMBERS, PIPELINE = costs.Numbers(), load_pipeline()


def test_the_page_shows_what_the_script_prints(root: Path) -> None:
    assert costs.report(costs.Numbers()) in (root / "docs" / "costs.md").read_text()


def test_the_goal_is_reached_with_one_endpoint_and_missed_with_four_as_the_page_says(root: Path) -> None:
    def together(name: str, endpoints: int, **others: int) -> float:
        numbers = replace(NUMBERS, endpoints=endpoints, **others)
        return sum(costs.cost(costs.days(numbers, PIPELINE)[name], numbers, PIPELINE).values())

    page = (root / "docs" / "costs.md").read_text()
    for endpoints in (4, 2, 1):
        stated = " | ".join(f"{together(day, endpoints):.2f}" for day in ("idle day", "normal day"))
        assert f"| {stated} |" in page
    assert together("idle day", 1) < 1 < together("idle day", 2) < 1.01
    assert together("normal day", 2) < 2 < together("normal day", 4)
    # Where nothing of CloudWatch is free, one endpoint is what can be paid.
    used_up = {"free_metrics": 0, "free_alarms": 0, "free_dashboards": 0}
    assert together("idle day", 1, **used_up) < 1 < together("idle day", 2, **used_up)
    assert together("normal day", 2, **used_up) < 2
