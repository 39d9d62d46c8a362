"""Whole lakes on the embedded engine against plain Python: the star, and what is unresolved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.catalogue import load_catalogue
from tests.differential.histories import history
from tests.differential.lakes import first_difference, play
from tests.differential.oracle import Oracle
from tests.lake import embedded, lake
from tests.night import at_night

STORIES = 50
"""Histories that one lake takes side by side, each with keys of its own."""

HISTORIES = int(os.environ.get("HISTORIES", "1000"))


def compare(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, stories: int) -> None:
    steps = history(number, stories=stories)
    oracle = Oracle(load_catalogue())
    oracle.play(steps)
    with lake(folder, monkeypatch, embedded) as one:
        for step in steps:
            play(one, step)
        star = one.star()
        for table, rows in oracle.star().items():
            assert first_difference(rows, star.rows(table), f"history {number}, {table}") is None
        unresolved_rows = {table: len(found) for table, found in oracle.unresolved.items() if found}
        assert one.open_dead_letters() == unresolved_rows


@pytest.mark.parametrize("number", [0, at_night(1)])
def test_a_lake_is_what_plain_python_makes_of_its_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    compare(tmp_path, monkeypatch, number, stories=10)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2, 2 + HISTORIES // STORIES))
def test_a_thousand_histories_are_what_plain_python_makes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    compare(tmp_path, monkeypatch, number, STORIES)
