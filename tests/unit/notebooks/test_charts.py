"""Charts say what they show, keep currencies apart, and are drawn from whatever there is."""

from __future__ import annotations

import base64
from typing import Any, NoReturn

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from notebooks import charts

TAKINGS = pd.DataFrame(
    {
        "month": ["2024-09", "2024-10", "2024-11", "2024-09", "2024-11"],
        "currency": ["GBP", "GBP", "GBP", "EUR", "EUR"],
        "revenue": [10.5, 2_500_000.0, 30.0, 7.0, 8.0],
    }
)


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def never() -> NoReturn:
    pytest.fail("nothing was found, so nothing is said")


def test_each_currency_has_a_panel_of_its_own_over_the_same_months() -> None:
    drawn: dict[str, pd.DataFrame] = {}
    made = charts.by_currency(
        TAKINGS, lambda: "It rose", lambda _, currency, shown: drawn.update({currency: shown}), along="month"
    )
    assert made.finding == "It rose"
    assert list(drawn) == ["EUR", "GBP"]
    assert [list(shown.index) for shown in drawn.values()] == [["2024-09", "2024-10", "2024-11"]] * 2
    assert drawn["EUR"]["revenue"].isna().tolist() == [False, True, False]
    assert drawn["EUR"]["revenue"].sum() == 15


def test_without_rows_a_chart_says_so_and_nothing_is_drawn_or_found() -> None:
    nothing = TAKINGS.head(0)
    for made in (
        charts.by_currency(nothing, never, lambda *_: never(), along="month"),
        charts.by_currency(nothing, never, lambda *_: never()),
        charts.chart(nothing, never, lambda *_: never()),
    ):
        assert made.finding == charts.NOTHING
        assert made.png.startswith(b"\x89PNG")


def test_a_chart_shows_itself_with_its_finding_as_the_alternative_text() -> None:
    made = charts.chart(TAKINGS, lambda: "One & all", lambda axes, shown: None)
    data, metadata = made._repr_mimebundle_(include=None, exclude=None)
    assert base64.b64decode(data["image/png"]) == made.png
    assert data["text/plain"] == metadata["image/png"]["alt"] == "One & all"


def test_the_same_figures_are_the_same_picture() -> None:
    def drawn() -> bytes:
        return charts.chart(TAKINGS, lambda: "Same", lambda axes, _: axes.plot([1, 2])).png

    assert drawn() == drawn()


def test_columns_have_their_unit_and_no_more_names_than_fit(axes: Axes) -> None:
    months = [f"{year}-{month:02d}" for year in (2022, 2023, 2024) for month in range(1, 13)]
    charts.columns(axes, pd.Series(range(36), index=months), "totes")
    assert axes.get_ylabel() == "totes"
    assert [bar.get_height() for bar in bars(axes)] == list(range(36))
    named = [tick.get_text() for tick in axes.get_xticklabels()]
    assert named[0] == "2022-01"
    assert len(named) <= 7


def test_rows_are_named_and_told_from_the_first_on_top(axes: Axes) -> None:
    charts.rows(
        axes,
        pd.Series([2_500_000, 7], index=["A name that is very much longer than what fits here", "b"]),
        "EUR",
    )
    assert axes.get_xlabel() == "EUR"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "A name that is very much longer than what…",
        "b",
    ]
    assert [text.get_text().strip() for text in axes.texts] == ["2.5 million", "7"]
    bottom, top = axes.get_ylim()
    assert bottom > top


def test_a_row_can_be_told_in_other_words_or_not_at_all(axes: Axes) -> None:
    amounts = pd.Series([3, 4], index=["a", "b"])
    charts.rows(axes, amounts, "rows", told=[])
    charts.rows(axes, amounts, "rows", left=amounts, told=["all of it", "none"])
    assert [text.get_text().strip() for text in axes.texts] == ["all of it", "none"]
    assert [bar.get_x() for bar in bars(axes)] == [0, 0, 3, 4]


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0, "0"), (999.6, "1,000"), (-12345, "-12,345"), (1_250_000, "1.2 million"), (-3.456e9, "-3.5 billion")],
)
def test_amounts_are_told_as_people_do(amount: float, said: str) -> None:
    assert charts.short(amount) == said


@pytest.mark.parametrize(
    ("names", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], said: str) -> None:
    assert charts.listed(names) == said


@pytest.mark.parametrize(("part", "whole", "said"), [(1, 3, "33 %"), (0, 0, "0 %"), (2, 2, "100 %")])
def test_a_share_of_nothing_is_nothing(part: Any, whole: Any, said: str) -> None:
    assert charts.share(part, whole) == said
