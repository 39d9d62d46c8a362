"""A sheet of the dashboard as a page: its words and controls, its charts' specifications, and their rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from bi.card_queries import BEFORE, SheetQueries, sheet_queries, values_of
from bi.dashboard import Dashboard, Query, Sheet, Visual
from bi.periods import OWN
from bi.quicksight import rows
from bi.select_lists import CURRENCY
from lakehouse.console.frame import environment as frame_environment
from lakehouse.dashboard.choices import (
    FROM,
    TITLES,
    TO,
    Chosen,
    Options,
    chosen,
    corrected,
    options_of,
)
from lakehouse.dashboard.sources import Answer, Reading, Source
from lakehouse.dashboard.vega_charts import chart

HERE = Path(__file__).parent
ASSETS = HERE / "assets"

NOTHING_YET = "Nothing is here yet: lakehouse run"

Json = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """A sheet as it was asked for and answered.

    Attributes:
        name: The sheet's name.
        sheet: The sheet, with what can be answered.
        chosen: What is chosen.
        options: What can be chosen.
        queries: What was asked.
        reading: What was answered.
        at: When (UTC).
    """

    name: str
    sheet: Sheet
    chosen: Chosen
    options: Options
    queries: SheetQueries
    reading: Reading
    at: datetime

    def answer(self, visual: str) -> Answer:
        """What a visual shows."""
        answer = self.reading.answers[self.queries.cards[visual].asked]
        return replace(answer, rows=self.queries.rows_of(visual, answer.rows))


class OptionsMemory:
    """What could be chosen at the last load; it is read again once there was another."""

    def __init__(self) -> None:
        self._loaded_at = ""
        self._answers: dict[str, Answer] = {}

    def known(self, loaded_at: str) -> dict[str, Answer]:
        """The answers of queries that were asked since a load; of an unknown one there are none.

        Args:
            loaded_at: When the warehouse was loaded last (UTC, ISO 8601).
        """
        if loaded_at != self._loaded_at or not loaded_at:
            self._loaded_at, self._answers = loaded_at, {}
        return self._answers


def look_at(
    dashboard: Dashboard,
    name: str,
    sources: Sequence[Source],
    words: Mapping[str, str],
    at: datetime,
    options_known: dict[str, Answer] | None = None,
) -> Look:
    """Read a sheet.

    Args:
        dashboard: What is declared.
        name: The sheet.
        sources: What is asked; where one cannot tell, the next may.
        words: The words of the address.
        at: When (UTC).
        options_known: What the queries for what can be chosen were answered already; what is asked is added.
    """
    sheet = dashboard.sheets_on(*(source.engine for source in sources))[name]
    asked = chosen(dashboard, sheet, words, at.date())
    queries = sheet_queries(dashboard, sheet, asked.choices)
    known = {} if options_known is None else options_known
    unknown = {name: query for name, query in queries.options.items() if name not in known}
    reading = _read(sources, {**queries.queries, **unknown})
    known |= {name: reading.answers[name] for name in unknown if reading.answers[name].error is None}
    reading = Reading({**known, **reading.answers}, reading.seconds)
    options = options_of(dashboard, sheet, queries, reading)
    found = corrected(dashboard, asked, options, words)
    if found.choices != asked.choices:
        queries = sheet_queries(dashboard, sheet, found.choices)
        again = _read(sources, queries.queries)
        reading = Reading({**reading.answers, **again.answers}, reading.seconds + again.seconds)
    return Look(name, sheet, found, options, queries, reading, at)


def _read(sources: Sequence[Source], queries: Mapping[str, Query]) -> Reading:
    """The answers, each of the first source that can tell."""
    answers: dict[str, Answer] = {}
    seconds = 0.0
    for source in sources:
        left = {
            name: query
            for name, query in queries.items()
            if name not in answers and source.engine in query.statements
        }
        if left:
            reading = source.read(left)
            answers |= reading.answers
            seconds += reading.seconds
    return Reading(answers, seconds)


def render(dashboard: Dashboard, sources: Sequence[Source], look: Look, frame: Mapping[str, Any]) -> str:
    """The page of a sheet.

    Args:
        dashboard: What is declared.
        sources: What was asked.
        look: The sheet, and what was answered.
        frame: What the console's frame shows around it.
    """
    sheets = dashboard.sheets_on(*(source.engine for source in sources))
    declared = dashboard.declared.sheets[look.name].visuals
    left_out = [visual.title for key, visual in declared.items() if key not in look.sheet.visuals]
    asked = {*look.queries.queries, *look.queries.options}
    answers = [answer for name, answer in look.reading.answers.items() if name in asked]
    range_ = look.chosen.choices.range or look.options.range
    return (
        _templates()
        .get_template("sheet.html.j2")
        .render(
            **frame,
            sheets={key: one.title for key, one in sheets.items()},
            current=look.name,
            sheet=look.sheet,
            details=look.sheet.details if look.sheet.details in sheets else None,
            controls=[_control(dashboard, look, name) for name in look.sheet.filters],
            names=(FROM, TO),
            own=OWN,
            days=range_,
            words=_words(look),
            wrong=look.chosen.wrong,
            visuals=dict(_parts(dashboard, look)),
            left_out=left_out,
            others={"lake": "the warehouse", "warehouse": "the lake"}[sources[0].engine],
            source=" and ".join(source.called for source in sources if _was_asked(source, sources, look)),
            reading=look.reading,
            scanned=_size(sum(answer.bytes_scanned for answer in answers)),
            failed={answer.error for answer in answers if answer.error},
            read_at=look.at,
            payload=_embedded(payload(dashboard, look)),
        )
    )


def _was_asked(source: Source, sources: Sequence[Source], look: Look) -> bool:
    """Whether a source told anything of a sheet."""
    first = [
        next(one for one in sources if one.engine in query.statements)
        for query in look.queries.queries.values()
    ]
    return source in first


def _control(dashboard: Dashboard, look: Look, name: str) -> Json:
    """What a filter's control offers, and what is chosen by it."""
    control = dashboard.declared.filters[name]
    if control.choose == "range":
        return {"name": name, "title": control.title, "value": look.chosen.period, "options": TITLES}
    values = {value: value for value in look.options.values[name]}
    everything = {"": "All"} if control.choose == "any" else {}
    value = look.chosen.choices.values.get(name, "")
    return {
        "name": name,
        "title": control.title,
        "value": value,
        "options": {**everything, **({value: value} if value else {}), **values},
    }


def _words(look: Look) -> dict[str, str]:
    """What is chosen as the words of an address."""
    words = dict(look.chosen.choices.values)
    days = look.chosen.choices.range
    for name in look.sheet.filters:
        if name not in look.options.values:
            words[name] = look.chosen.period
            if look.chosen.period == OWN and days:
                words |= {FROM: days.first.isoformat(), TO: days.last.isoformat()}
    return words


def payload(dashboard: Dashboard, look: Look) -> Json:
    """What the page's script works with: visuals with their specifications, and rows.

    Args:
        dashboard: What is declared.
        look: The sheet, and what was answered.
    """
    return {
        "currency": currency(dashboard, look),
        "answers": {
            name: {
                "columns": list(card.query.columns),
                "rows": look.answer(name).rows,
                "error": look.answer(name).error,
            }
            for name, card in look.queries.cards.items()
        },
        "visuals": {name: _visual(dashboard, look, name) for name in look.sheet.visuals},
    }


def currency(dashboard: Dashboard, look: Look) -> str | None:
    """The currency that is chosen, where the sheet has such a filter."""
    filters = dashboard.declared.filters
    named = (name for name in look.sheet.filters if filters[name].field == CURRENCY)
    return next((look.chosen.choices.values.get(name) for name in named), None)


def _visual(dashboard: Dashboard, look: Look, name: str) -> Json:
    sheet, visual = look.sheet, look.sheet.visuals[name]
    drawn = visual.kind not in ("table", "key_figure")
    category = () if visual.category is None else (visual.category,)
    colour = () if visual.colour is None else (visual.colour,)
    names = visual.columns or (*category, *colour, *visual.values)
    one_currency = currency(dashboard, look) if dashboard.has_chosen_currency(sheet, visual) else None
    days = look.chosen.choices.range
    before = None
    if visual.kind == "key_figure" and dashboard.range_of(sheet, visual) and days:
        value = values_of(dashboard, visual)[0] + BEFORE
        before = [value, *map(str, days.before), days.days]
    return {
        "kind": visual.kind,
        "title": visual.title,
        "currency": one_currency,
        "before": before,
        "nothing": _nothing(dashboard, look, visual),
        "columns": [
            {
                "name": field,
                "title": dashboard.shown(field).title,
                "unit": dashboard.shown(field).unit,
                "combine": dashboard.shown(field).combine,
                "kind": dashboard.kind(visual, field),
                "narrows": _narrows(dashboard, sheet, visual, field),
                "key_of": dashboard.shown(field).key_of,
            }
            for field in names
        ],
        "sort": visual.sort or (visual.values[0] if visual.kind == "ranked_bar" else visual.category),
        "descending": visual.descending or visual.kind == "ranked_bar",
        "limit": visual.limit,
        "spec": chart(dashboard, sheet, visual, look.at.date(), one_currency) if drawn else None,
    }


def _narrows(dashboard: Dashboard, sheet: Sheet, visual: Visual, field: str) -> Json | None:
    """The filter to which a click on a value of a field leads, and how."""
    name = dashboard.narrowed_by(sheet, visual, field)
    if name is None:
        return None
    control = dashboard.declared.filters[name]
    in_range = {control.field: "day", control.months: "month"}
    return {"filter": name, "as": "value" if control.choose == "any" else in_range[field]}


def _nothing(dashboard: Dashboard, look: Look, visual: Visual) -> str:
    """Why a visual shows nothing, where it does not."""
    filters = [name for name in look.sheet.filters if dashboard.applies(name, visual)]
    if not filters:
        return NOTHING_YET if visual.kind == "key_figure" else "Nothing to show."
    there, days = look.options.range, look.chosen.choices.range
    if there is None and not any(look.options.values.values()):
        return NOTHING_YET
    if there is None or days is None or dashboard.range_of(look.sheet, visual) is None:
        return "Nothing fits what is chosen."
    return (
        f"Nothing from {days.first} to {days.last} fits what is chosen. There are days from {there.first}"
        f" to {there.last}."
    )


def _parts(dashboard: Dashboard, look: Look) -> Iterator[tuple[str, Mapping[str, Any]]]:
    beside = {name: len(names) for names in rows(look.sheet) for name in names}
    for name, visual in look.sheet.visuals.items():
        statements = look.queries.cards[name].query.statements
        yield (
            name,
            {
                "title": visual.title,
                "caption": dashboard.caption(look.sheet, visual),
                "kind": visual.kind,
                "width": {1: "wide", 2: "half"}.get(beside[name], "third"),
                "error": look.answer(name).error,
                "sql": statements.get("lake"),
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
