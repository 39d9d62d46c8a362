"""A profile is read at any width: between values, and never inside one, a line goes on below."""

from __future__ import annotations

import pytest

from lakehouse.table_profile import ColumnProfile, profile_text

CREATED = ColumnProfile(
    "created_at", "timestamp", 40, 0, 2, "2022-11-03 14:20:51.563", "2022-11-03 14:20:51.564",
    (("2022-11-03 14:20:51.563", 39), ("2022-11-03 14:20:51.564", 1)),
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_value_is_parted(width: int) -> None:
    text = profile_text(40, [CREATED], width)
    longest = len("            2022-11-03 14:20:51.563 to 2022-11-03 14:20:51.564")
    assert max(map(len, text.splitlines())) <= max(width, longest)
    assert text.count("2022-11-03 14:20:51.563 to 2022-11-03 14:20:51.564") == 1
    assert "most often: 2022-11-03 14:20:51.563 (39)" in text


def test_a_file_gets_one_line_for_each_kind_of_fact() -> None:
    assert profile_text(40, [CREATED]).splitlines() == [
        "created_at  timestamp, 2 distinct, no null, 2022-11-03 14:20:51.563 to 2022-11-03 14:20:51.564",
        "            most often: 2022-11-03 14:20:51.563 (39), 2022-11-03 14:20:51.564 (1)",
    ]
