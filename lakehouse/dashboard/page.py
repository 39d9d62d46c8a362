"""A sheet of the dashboard as a page: its words, its charts' specifications, and the rows it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from bi.dashboard import Dashboard, Sheet, Visual
from bi.quicksight import rows
from lakehouse.console.frame import environment as frame_environment
from lakehouse.dashboard.sources import Reading, Source
from lakehouse.dashboard.vega_charts import chart, parameter

HERE = Path(__file__).parent
ASSETS = HERE / "assets"

Json = dict[str, Any]


def render(
    dashboard: Dashboard,
    name: str,
    source: Source,
    reading: Reading,
    read_at: datetime,
    frame: Mapping[str, Any],
) -> str:
    """The page of a sheet.

    Args:
        dashboard: What is declared.
        name: The sheet.
        source: What was asked.
        reading: What it answered, for each query of the sheet.
        read_at: When (UTC).
        frame: What the console's frame shows around it.
    """
    sheets = dashboard.sheets_on(source.engine)
    sheet = sheets[name]
    declared = dashboard.declared.sheets[name].visuals
    left_out = [visual.title for key, visual in declared.items() if key not in sheet.visuals]
    return (
        _templates()
        .get_template("sheet.html.j2")
        .render(
            **frame,
            sheets={key: one.title for key, one in sheets.items()},
            current=name,
            sheet=sheet,
            filters={name: dashboard.declared.filters[name] for name in sheet.filters},
            visuals=dict(_parts(dashboard, sheet, reading)),
            left_out=left_out,
            others={"lake": "the warehouse", "warehouse": "the lake"}[source.engine],
            source=source.called,
            reading=reading,
            scanned=_size(sum(answer.bytes_scanned for answer in reading.answers.values())),
            failed={answer.error for answer in reading.answers.values() if answer.error},
            read_at=read_at,
            payload=_embedded(payload(dashboard, sheet, reading, read_at.date())),
        )
    )


def payload(dashboard: Dashboard, sheet: Sheet, reading: Reading, today: date) -> Json:
    """What the page's script works with: filters, visuals with their specifications, and rows.

    Args:
        dashboard: What is declared.
        sheet: The sheet, with the visuals that are shown.
        reading: What was answered.
        today: When (UTC).
    """
    declared = dashboard.declared
    return {
        "filters": [
            {
                "name": name,
                "parameter": parameter(name),
                "field": declared.filters[name].field,
                "all": declared.filters[name].choose == "any",
                "default": declared.filters[name].default,
            }
            for name in sheet.filters
        ],
        "queries": {
            name: {
                "columns": list(dashboard.queries[name].columns),
                "rows": answer.rows,
                "error": answer.error,
            }
            for name, answer in reading.answers.items()
        },
        "visuals": {name: _visual(dashboard, sheet, visual, today) for name, visual in sheet.visuals.items()},
    }


def _visual(dashboard: Dashboard, sheet: Sheet, visual: Visual, today: date) -> Json:
    drawn = visual.kind not in ("table", "key_figure")
    category = () if visual.category is None else (visual.category,)
    colour = () if visual.colour is None else (visual.colour,)
    names = visual.columns or (*category, *colour, *visual.values)
    return {
        "query": visual.query,
        "kind": visual.kind,
        "title": visual.title,
        "filters": [name for name in sheet.filters if dashboard.applies(name, visual)],
        "columns": [
            {
                "name": name,
                "title": dashboard.shown(name).title,
                "unit": dashboard.shown(name).unit,
                "combine": dashboard.shown(name).combine,
                "kind": dashboard.kind(visual, name),
            }
            for name in names
        ],
        "sort": visual.sort or (visual.values[0] if visual.kind == "ranked_bar" else visual.category),
        "descending": visual.descending or visual.kind == "ranked_bar",
        "limit": visual.limit,
        "spec": chart(dashboard, sheet, visual, today) if drawn else None,
    }


def _parts(dashboard: Dashboard, sheet: Sheet, reading: Reading) -> Iterator[tuple[str, Mapping[str, Any]]]:
    beside = {name: len(names) for names in rows(sheet) for name in names}
    for name, visual in sheet.visuals.items():
        # A time is written with its own units there.
        told = visual.kind == "key_figure" and dashboard.unit(visual) == "seconds"
        yield (
            name,
            {
                "title": visual.title,
                "caption": visual.note if told else dashboard.caption(sheet, visual),
                "kind": visual.kind,
                "width": {1: "wide", 2: "half"}.get(beside[name], "third"),
                "error": reading.answers[visual.query].error,
                "query": visual.query,
            },
        )


def _embedded(value: Json) -> str:
    """JSON that may stand inside a script element: whatever a cell says cannot end it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return text


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e5 else f"{number / 1e3:.1f} kB"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return frame_environment(HERE / "templates")
