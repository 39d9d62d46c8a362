"""Charts that a manager understands: the finding is the title, axes have units, each currency has a panel.

A chart is drawn to a picture at once and shows itself where it ends a cell. Its finding is the picture's
alternative text too: for who cannot see it, and for tests.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BLUE, RED, GREY = "#2f6fb3", "#c4473a", "#8a96a3"
"""What a chart is drawn in: what is told; what goes out or went wrong; what stands beside it."""

NOTHING = "There is nothing to show yet"
"""What a chart finds where it has no rows."""

_WIDTH = 6.4  # inches; with letters of this size it can still be read where a phone halves it
_LETTERS = 11
_TITLE_LETTERS = 13
_TITLE_LINE = 50  # letters in a line of the title
_HEAD = 0.34  # inches of a line of the title
_DOTS = 144  # in an inch
_MOST_LABELS = 7
_LONGEST_NAME = 42
_ROOM_BEHIND = 0.018  # of a bar's own length, for each letter behind it


@dataclass(frozen=True)
class Chart:
    """A picture with what it shows.

    Attributes:
        finding: What is to be seen in it, a sentence.
        png: The picture.
    """

    finding: str
    png: bytes

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.finding}
        return data, {"image/png": {"alt": self.finding}}


def chart(
    frame: pd.DataFrame,
    finding: Callable[[], str],
    draw: Callable[[Axes, pd.DataFrame], object],
    *,
    height: float = 3.0,
) -> Chart:
    """One panel.

    Args:
        frame: What is drawn.
        finding: Gives the title; called where there are rows.
        draw: Draws them.
        height: Of the panel, in inches.
    """
    return _picture([] if frame.empty else [("", lambda axes: draw(axes, frame))], finding, height)


def by_currency(
    frame: pd.DataFrame,
    finding: Callable[[], str],
    draw: Callable[[Axes, str, pd.DataFrame], object],
    *,
    along: str | None = None,
    height: float = 2.3,
) -> Chart:
    """A panel for each currency that there is, below each other.

    Args:
        frame: What is drawn, with a column ``currency``.
        finding: Gives the title; called where there are rows.
        draw: Draws one currency, from its name and its rows.
        along: A column that all panels share as their rows, in order; what a currency lacks of it is empty.
        height: Of a panel, in inches.
    """
    panels: list[tuple[str, Callable[[Axes], object]]] = []
    for currency, found in frame.groupby("currency", sort=True):
        shown = found
        if along is not None:
            shown = found.set_index(along).reindex(sorted(frame[along].unique()))
        panels.append((str(currency), _of_currency(draw, str(currency), shown)))
    return _picture(panels, finding, height)


def _of_currency(
    draw: Callable[[Axes, str, pd.DataFrame], object], currency: str, shown: pd.DataFrame
) -> Callable[[Axes], object]:
    return lambda axes: draw(axes, currency, shown)


def columns(
    axes: Axes, values: pd.Series[Any], unit: str, *, color: str = BLUE, label: str | None = None
) -> None:
    """A column for each of the series' rows, its index below.

    Args:
        axes: Where.
        values: Amounts; what is missing has no column.
        unit: What they are counted in.
        color: Of the columns.
        label: What they are called in the legend.
    """
    axes.bar(range(len(values)), values.astype(float).to_numpy(), color=color, label=label, width=0.75)
    _name_columns(axes, [str(name) for name in values.index])
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_ylabel(unit)
    axes.yaxis.set_major_formatter(_figures)


def rows(
    axes: Axes,
    values: pd.Series[Any],
    unit: str,
    *,
    color: str = BLUE,
    left: pd.Series[Any] | None = None,
    told: Sequence[str] | None = None,
) -> None:
    """A bar for each of the series' rows, the first on top, its index beside and its amount behind it.

    Args:
        axes: Where.
        values: Amounts.
        unit: What they are counted in.
        color: Of the bars.
        left: Where they begin, if not at nothing.
        told: What stands behind each instead of its amount; nothing at all if empty.
    """
    places = range(len(values))
    start = None if left is None else left.astype(float).to_numpy()
    drawn = axes.barh(places, values.astype(float).to_numpy(), left=start, color=color, height=0.7)
    axes.set_yticks(places, [_shortened(str(name)) for name in values.index])
    axes.set_ylim(len(values) - 0.4, -0.6)
    told = [short(value) for value in values] if told is None else told
    if told:
        axes.bar_label(drawn, [f" {text}" for text in told], fontsize=_LETTERS - 1)
    axes.margins(x=_ROOM_BEHIND * max(map(len, told), default=0))
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter(_figures)


def short(amount: Any) -> str:
    """An amount as it is spoken of: ``1.3 million``, ``12,345``."""
    value = float(amount)
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {name}"
    return f"{value:,.0f}"


def share(part: Any, whole: Any) -> str:
    """A share in per cent; of nothing there is none."""
    return f"{100 * float(part) / float(whole):.0f} %" if whole else "0 %"


def listed(names: list[str]) -> str:
    """Names in a sentence: ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _figures(value: float, _: float) -> str:
    for size, name in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.3g}{name}"
    return f"{value:,.3g}"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1].rstrip()}…"


def _name_columns(axes: Axes, names: list[str]) -> None:
    apart = max(1, -(-len(names) // _MOST_LABELS))
    places = range(0, len(names), apart)
    axes.set_xticks(places, [names[place] for place in places])
    axes.set_xlim(-0.7, len(names) - 0.3)


def _picture(
    panels: list[tuple[str, Callable[[Axes], object]]], finding: Callable[[], str], height: float
) -> Chart:
    title = finding() if panels else NOTHING
    lines = textwrap.wrap(title, _TITLE_LINE)
    head = _HEAD * len(lines)
    figure = Figure(figsize=(_WIDTH, head + height * len(panels) + 0.1), dpi=_DOTS, layout="constrained")
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=_TITLE_LETTERS, fontweight="bold")
    for number, (name, draw) in enumerate(panels, start=1):
        axes = figure.add_subplot(len(panels), 1, number)
        axes.tick_params(labelsize=_LETTERS - 1, length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(name, loc="left", fontsize=_LETTERS, fontweight="bold")
        draw(axes)
        axes.xaxis.label.set_fontsize(_LETTERS)
        axes.yaxis.label.set_fontsize(_LETTERS)
    picture = io.BytesIO()
    # No version and no date in it: the same figures are the same picture.
    figure.savefig(picture, format="png", metadata={"Software": None})
    return Chart(title, picture.getvalue())
