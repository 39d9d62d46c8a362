"""What docs/costs.md says of a day of totesys follows from the numbers of its script."""

from __future__ import annotations

from pathlib import Path

from tools import costs


def test_the_page_shows_what_the_script_prints(root: Path) -> None:
    assert costs.report(costs.Numbers()) in (root / "docs" / "costs.md").read_text()
