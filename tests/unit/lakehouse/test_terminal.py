"""How times and counts are said to people."""

from __future__ import annotations

import datetime as dt

import pytest

from lakehouse.terminal import ago, between_words, counted, lasting

NOW = dt.datetime(2024, 11, 18, 12, 0, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3_599, "59 min ago"), (7_200, "2 h ago"),
     (86_400, "1 day ago"), (200_000, "2 days ago"), (-90, "in 1 min")],
)  # fmt: skip
def test_a_time_is_how_long_ago_it_was(seconds: float, said: str) -> None:
    assert ago(NOW - dt.timedelta(seconds=seconds), NOW) == said
    assert ago((NOW - dt.timedelta(seconds=seconds)).replace(tzinfo=None), NOW) == said


def test_counts_have_their_nouns_number() -> None:
    assert [counted(count, "row") for count in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
    assert lasting(12.7) == "12 s"


def test_a_long_message_goes_on_below_between_words_and_sql_stays_in_its_place() -> None:
    said = "lakehouse: There is no table nosuch; there are " + ", ".join(f"dim_{n}-x" for n in range(30))
    query = "  SELECT " + "a, " * 60
    lines = between_words(f"{said}\n{query}\n      ^", 80).split("\n")
    assert lines[-2:] == [query, "      ^"]
    assert max(map(len, lines[:-2])) <= 80
    assert " ".join(lines[:-2]) == said
    assert between_words(said, None) == said


def test_an_indented_line_of_a_result_goes_on_in_its_place() -> None:
    told = "  star.dim_date: 742 days are the same"
    assert between_words(told, 24, indented=True) == "  star.dim_date: 742\n  days are the same"
    assert between_words(told, 24) == told
