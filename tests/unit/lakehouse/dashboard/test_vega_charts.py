"""Every chart of the dashboard, drawn by the library itself from made-up rows: what it shows of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import vl_convert

from bi.dashboard import Sheet, Visual, load_dashboard
from bi.quicksight import axis_title
from bi.select_lists import ENGINES, Kind
from lakehouse.dashboard.vega_charts import chart

DASHBOARD = load_dashboard()
TODAY = date(2026, 11, 30)


def charts() -> Iterator[Any]:
    seen = set()
    for engine in ENGINES:
        for key, sheet in DASHBOARD.sheets_on(engine).items():
            for name, visual in sheet.visuals.items():
                drawn = visual.kind not in ("table", "key_figure")
                if drawn and (key, name) not in seen:
                    seen.add((key, name))
                    yield pytest.param(sheet, visual, id=f"{key}-{name}")


def rows(visual: Visual) -> list[dict[str, Any]]:
    """Sixty rows in three currencies, each name of one to seven, values of 1 to 60."""

    def cell(name: str, kind: Kind, number: int) -> Any:
        if name == "currency":
            return ("GBP", "EUR", "USD")[number % 3]
        if name == "month":
            return f"2024-{number % 7 + 1:02d}"
        made = {"text": f"{name} {number % 7}", "date": f"2024-09-{number % 7 + 1:02d}"}
        return made.get(kind, number + 1)

    columns = DASHBOARD.queries[visual.query].columns
    return [{name: cell(name, kind, number) for name, kind in columns.items()} for number in range(60)]


def drawn(sheet: Sheet, visual: Visual, today: date = TODAY, width: int = 500) -> str:
    spec = chart(DASHBOARD, sheet, visual, today, "GBP")
    data = {"name": spec["data"]["name"], "values": rows(visual)}
    return vl_convert.vegalite_to_svg({**spec, "width": width, "data": data})


@pytest.mark.parametrize(("sheet", "visual"), list(charts()))
def test_every_chart_is_drawn_with_its_title_and_its_unit(sheet: Sheet, visual: Visual) -> None:
    spec = chart(DASHBOARD, sheet, visual, TODAY)
    unit = DASHBOARD.unit(visual)
    assert spec["description"].startswith(f"{visual.title}. ")
    assert ("amounts" if unit == "money" else str(unit)).lower() in spec["description"].lower()
    svg = drawn(sheet, visual)
    assert svg.count('role="graphics-symbol"') >= 3
    assert axis_title(DASHBOARD, sheet, visual, "GBP").replace("&", "&amp;") in svg
    assert "chosen currency)" not in svg


def shown(svg: str) -> dict[str, float]:
    """What the marks say of themselves: the category's name and the value."""
    found: dict[str, float] = defaultdict(float)
    for part in svg.split('aria-label="')[1:]:
        label = dict(
            item.split(": ", 1) for item in part.partition('"')[0].split("; ") if item.count(": ") == 1
        )
        if "Country of delivery" in label:
            found[label["Country of delivery"]] = float(label["Revenue (GBP)"].replace(",", ""))
    return found


def test_a_ranking_is_no_longer_than_it_is_told_and_tells_the_currency() -> None:
    sheet = DASHBOARD.declared.sheets["sales"]
    visual = sheet.visuals["revenue_by_country"]
    told: dict[str, float] = defaultdict(float)
    for row in rows(visual):
        told[row["country"]] += row["revenue"]
    best = dict(sorted(told.items(), key=lambda one: -one[1])[:3])
    three = visual.model_copy(update={"limit": 3})
    assert shown(drawn(sheet, three)) == best


def test_the_way_to_the_month_that_is_not_over_is_dashed() -> None:
    sheet = DASHBOARD.declared.sheets["sales"]
    visual = sheet.visuals["revenue_by_month"]
    assert visual.kind == "line"

    def lines(today: date) -> list[tuple[bool, int]]:
        """Of each line whether it is dashed, and how many months it goes through."""
        paths = re.findall(r"<path aria-label[^>]*line mark[^>]*>", drawn(sheet, visual, today))
        return [
            ("stroke-dasharray" in path, len(re.findall("[ML]", path.partition(' d="')[2]))) for path in paths
        ]

    # The rows are of January to July 2024.
    assert lines(date(2024, 7, 15)) == [(False, 6), (True, 2)]
    assert lines(date(2024, 8, 1)) == [(False, 7), (True, 1)]
    assert lines(date(2026, 1, 1)) == [(False, 7)]


@pytest.mark.parametrize(("width", "slanted"), [(900, False), (300, True)])
def test_names_below_bars_are_slanted_only_where_there_is_no_room(width: int, slanted: bool) -> None:
    sheet = DASHBOARD.declared.sheets["sales"]
    svg = drawn(sheet, sheet.visuals["totes_by_weekday"], width=width)
    assert ("rotate(-30" in svg) == slanted
