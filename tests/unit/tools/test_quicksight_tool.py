"""The template of QuickSight's resources on standard output."""

from __future__ import annotations

import json

import pytest

from bi.select_lists import ENGINES, Engine
from tools.quicksight import main


@pytest.mark.parametrize("engine", ENGINES)
def test_the_template_is_printed_as_json_for_either_engine(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--from", engine]) == 0
    printed = json.loads(capsys.readouterr().out)
    kinds = [resource["Type"] for resource in printed["Resources"].values()]
    assert {"AWS::QuickSight::DataSource", "AWS::QuickSight::Dashboard"} < set(kinds)
    assert ("WorkGroup" in printed["Parameters"]) == (engine == "lake")
