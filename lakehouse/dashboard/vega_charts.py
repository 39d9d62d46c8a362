"""A visual of the dashboard as a Vega-Lite specification, without its rows.

What a visual shows of the rows (sums, the longest of a ranking) is stated in the specification, so the page
has nothing to work out: it gives the rows that fit what is chosen.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from bi.dashboard import MONEY_UNIT, Dashboard, Sheet, Visual
from bi.quicksight import axis_title

Json = dict[str, Any]

ROWS = "rows"
"""The name of the data that the page gives to each chart."""

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_VALUE, _SERIES, _PLACE = "value", "series", "place"
_HEIGHT, _BAR_STEP = 260, 25
_LINE: Json = {"type": "line", "point": True, "tooltip": True}
_BAR: Json = {"type": "bar", "tooltip": True, "cornerRadiusEnd": 2}
_REACH: Json = {"type": "point", "size": 900, "opacity": 0, "tooltip": True, "aria": False}
"""Around each point of a line: it tells of the point, and takes its click, before the pointer is on it."""

_WORD_WIDTH = 75
"""Pixels under which names below a bar are slanted."""


def chart(
    dashboard: Dashboard, sheet: Sheet, visual: Visual, today: date, currency: str | None = None
) -> Json:
    """The specification of a line or of bars.

    Args:
        dashboard: What is declared.
        sheet: The visual's sheet.
        visual: What is drawn; no table and no key figure.
        today: Its month is not over yet, which a line of months shows.
        currency: The one that its amounts are in, where one is chosen.
    """
    picked = [_picked(visual)] if _split(visual) else []
    by_month = visual.kind == "line" and visual.category == "month"
    return {
        "$schema": _SCHEMA,
        "description": dashboard.description(sheet, visual),
        "data": {"name": ROWS},
        "params": [] if by_month else picked,
        "transform": _combined(dashboard, visual),
        "width": "container",
        # Of a ranking: for as many bars as it may have.
        "height": _BAR_STEP * visual.limit if visual.kind == "ranked_bar" and visual.limit else _HEIGHT,
        **(_months(today, picked) if by_month else {"mark": _LINE if visual.kind == "line" else _BAR}),
        "encoding": _encoding(dashboard, sheet, visual, currency),
    }


def _split(visual: Visual) -> str | None:
    """What lines or parts of bars are told apart by: a field, or the values' own titles."""
    return visual.colour or (_SERIES if len(visual.values) > 1 else None)


def _months(today: date, picked: list[Json]) -> Json:
    """A line of months whose way to the one that is not over is dashed: it would look like a fall."""
    open_month = f"{today:%Y-%m}"
    before = f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"
    over = {"filter": f"datum.month < '{open_month}'"}
    not_over = {"filter": f"datum.month === '{before}' || datum.month >= '{open_month}'"}
    return {
        # By this the page leaves out the part for which there are no months.
        "usermeta": {"open_month": open_month},
        "layer": [
            {"params": picked, "transform": [over], "mark": _LINE},
            {"transform": [not_over], "mark": {**_LINE, "strokeDash": [5, 4]}},
            {"mark": _REACH},
        ],
    }


def _picked(visual: Visual) -> Json:
    # A click in the legend leaves one of the parts in full colour.
    return {"name": "picked", "select": {"type": "point", "fields": [_split(visual)]}, "bind": "legend"}


def _combined(dashboard: Dashboard, visual: Visual) -> list[Json]:
    steps: list[Json] = []
    source = visual.values[0]
    if len(visual.values) > 1:
        titles = {name: dashboard.shown(name).title for name in visual.values}
        steps += [{"calculate": f"datum['{name}']", "as": title} for name, title in titles.items()]
        steps.append({"fold": list(titles.values()), "as": [_SERIES, "folded"]})
        source = "folded"
    by = [name for name in (visual.category, _split(visual), visual.sort) if name]
    operation = dashboard.shown(visual.values[0]).combine
    steps.append(
        {
            "aggregate": [{"op": operation, "field": source, "as": _VALUE}],
            "groupby": list(dict.fromkeys(by)),
        }
    )
    if visual.kind != "line":
        # What is not there takes no place in the legend.
        steps.append({"filter": f"datum.{_VALUE} !== 0"})
    if visual.kind == "ranked_bar":
        order = [
            {"field": _VALUE, "order": "descending"},
            {"field": visual.category, "order": "ascending"},
        ]
        steps.append({"window": [{"op": "row_number", "as": _PLACE}], "sort": order})
        steps.append({"filter": f"datum.{_PLACE} <= {visual.limit}"})
    return steps


def _encoding(dashboard: Dashboard, sheet: Sheet, visual: Visual, currency: str | None) -> Json:
    category, split = str(visual.category), _split(visual)
    along: Json = {"field": category, "type": "ordinal", "title": None}
    measured: Json = {
        "field": _VALUE,
        "type": "quantitative",
        "title": axis_title(dashboard, sheet, visual, currency),
        "axis": {"format": "~s", "tickCount": 5, "labelExpr": "datum.value === 0 ? '0' : datum.label"},
    }
    is_horizontal = visual.is_horizontal
    if visual.kind == "ranked_bar":
        along |= {"sort": {"field": _PLACE}}
    else:
        order = "descending" if visual.descending else "ascending"
        by = {"field": visual.sort, "op": "max"} if visual.sort else {"field": category, "op": "min"}
        along |= {"sort": {**by, "order": order}}
        along |= {} if is_horizontal else {"axis": _category_axis(dashboard, visual)}
        measured |= {"stack": "zero" if visual.kind == "stacked_bar" else None}
    found = {"y": along, "x": measured} if is_horizontal else {"x": along, "y": measured}
    if split:
        title = dashboard.shown(visual.colour).title if visual.colour else None
        found["color"] = {"field": split, "type": "nominal", "title": title, "legend": {"orient": "top"}}
        found["opacity"] = {"condition": {"param": "picked", "value": 1}, "value": 0.2}
        if visual.kind == "bar":
            found["yOffset" if is_horizontal else "xOffset"] = {"field": split}
    return {**found, "tooltip": _tooltip(dashboard, visual, currency)}


def _category_axis(dashboard: Dashboard, visual: Visual) -> Json:
    # Days and months follow each other, so that some labels may go; every other name is told.
    runs_on = visual.category == "month" or dashboard.kind(visual, str(visual.category)) == "date"
    if runs_on or dashboard.kind(visual, str(visual.category)) == "integer":
        return {"labelAngle": 0, "labelFlush": 20, "labelOverlap": "greedy", "labelSeparation": 8}
    narrow = f"bandwidth('x') < {_WORD_WIDTH}"
    return {
        "labelAngle": {"expr": f"{narrow} ? -30 : 0"},
        "labelAlign": {"expr": f"{narrow} ? 'right' : 'center'"},
        "labelLimit": 150,
    }


def _tooltip(dashboard: Dashboard, visual: Visual, currency: str | None) -> list[Json]:
    category = str(visual.category)
    found: list[Json] = [
        {"field": category, "type": "nominal", "title": dashboard.shown(category).title},
    ]
    if split := _split(visual):
        title = dashboard.shown(visual.colour).title if visual.colour else "Which"
        found.append({"field": split, "type": "nominal", "title": title})
    unit = dashboard.unit(visual)
    title = "Amount" if len(visual.values) > 1 else dashboard.shown(visual.values[0]).title
    if unit == MONEY_UNIT and currency is not None:
        title = f"{title} ({currency})"
    places = ",.2f" if unit == MONEY_UNIT else ",.0f"
    return [*found, {"field": _VALUE, "type": "quantitative", "title": title, "format": places}]
