"""docs/how-to/add-a-rule.md, followed to the letter."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from catalog.catalogue import load_catalogue
from catalog.project import project_folder
from expectations.rules import load_suites, suites
from glue_jobs.lake.validation_state import ValidationState
from tests.lake import Lake, raw_row


def test_a_newcomer_adds_a_rule_in_one_place_in_under_ten_lines(
    star_lake: Lake, tmp_path: Path, root: Path
) -> None:
    words = (root / "docs" / "how-to" / "add-a-rule.md").read_text(encoding="utf-8")
    (stated,) = re.findall(r"```yaml\n(.*?)```", words, re.DOTALL)
    assert len(stated.splitlines()) < 10
    rules = shutil.copytree(project_folder() / "expectations" / "rules", tmp_path / "rules")
    with (rules / "business.yaml").open("a", encoding="utf-8") as file:
        file.write(stated)
    found = suites(load_catalogue(), rules)
    new = {rule.name for rule in found["staff"].rules} - {rule.name for rule in load_suites()["staff"].rules}
    star_lake.suites = lambda _: found
    star_lake.capture(
        {"staff": [raw_row("staff", 1, first_name="Ada"), raw_row("staff", 2, first_name="4da")]}
    )
    assert star_lake.validate() == 0
    (result,) = ValidationState.of(star_lake.commit("validate")).results["staff"].values()
    assert {name: result.broken[name] for name in new} == {"first_name_has_no_digit": 1}
