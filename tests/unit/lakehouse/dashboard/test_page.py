"""A sheet as a page: what it says, what it embeds, and what it says where there is nothing to show."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, cast

from bi.dashboard import load_dashboard
from bi.select_lists import Engine
from lakehouse.console.frame import PARTS
from lakehouse.dashboard.page import render
from lakehouse.dashboard.sources import STACK_ENDED, Answer, Lake, Reading, Warehouse
from sites.validation.health import Health

DASHBOARD = load_dashboard()
SOURCES = {"lake": Lake(cast("Any", None), "totesys"), "warehouse": Warehouse("")}
NASTY = '</script><img src=x onerror="alert(1)">&'


def page(name: str, engine: Engine = "lake", **answers: Answer) -> str:
    visuals = DASHBOARD.sheets_on(engine)[name].visuals.values()
    empty = {visual.query: Answer() for visual in visuals}
    read_at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    return render(DASHBOARD, name, SOURCES[engine], Reading({**empty, **answers}, 0.25), read_at, FRAME)


FRAME = {
    "parts": PARTS,
    "here": "/dashboard/",
    "title_of_all": "totesys",
    "health": Health(as_of=""),
    "role": None,
}


def embedded(text: str) -> dict[str, Any]:
    (found,) = re.findall(
        r'<script type="application/json" id="payload">(.*?)</script>', text, flags=re.DOTALL
    )
    payload: dict[str, Any] = json.loads(found)
    return payload


def test_every_visual_stands_on_its_sheet_with_title_and_caption() -> None:
    for name, sheet in DASHBOARD.sheets_on("lake").items():
        text = page(name)
        assert f"<h1>{sheet.title}</h1>" in text
        for key, visual in sheet.visuals.items():
            assert f'id="{key}"' in text
            assert f"<h2>{visual.title}</h2>" in text
            caption = DASHBOARD.caption(sheet, visual)
            assert caption in text or caption == "Seconds."
        assert list(embedded(text)["visuals"]) == list(sheet.visuals)
        assert all(f'id="filter-{control}"' in text for control in sheet.filters)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_what_a_cell_says_is_never_markup() -> None:
    row = [NASTY if kind == "text" else 1 for kind in DASHBOARD.queries["revenue_by_design"].columns.values()]
    text = page("sales", revenue_by_design=Answer((tuple(row),)))
    assert "<img" not in text
    assert embedded(text)["queries"]["revenue_by_design"]["rows"] == [row]


def test_an_error_is_said_once_and_the_others_are_shown() -> None:
    text = page(
        "sales", revenue_by_design=Answer(error=STACK_ENDED), revenue_by_weekday=Answer(error=STACK_ENDED)
    )
    assert text.count(STACK_ENDED) == 1 + json.dumps(embedded(text), ensure_ascii=False).count(STACK_ENDED)
    assert text.count("This could not be read") == 2
    assert "Read from the lake (Athena) at 2026-11-20 09:30:00 UTC" in text


def test_what_only_the_other_engine_can_tell_is_named() -> None:
    text = page("trust", "warehouse")
    assert "Only the lake can tell: Age of what the warehouse shows; " in text
    assert "scanned" not in text
    assert "Only the warehouse can tell: " in page("trust")
    assert "can tell" not in page("sales")
