"""A sheet as a page: what it says, what it embeds, and what it says where there is nothing to show."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from bi.card_queries import GROUPING, Choices, sheet_queries
from bi.dashboard import Query, load_dashboard
from bi.select_lists import Engine
from lakehouse.console.frame import PARTS
from lakehouse.dashboard.page import OptionsMemory, look_at, render
from lakehouse.dashboard.sources import Answer, Lake, Source, Warehouse
from lakehouse.unread import STACK_ENDED
from sites.validation.health import Health

DASHBOARD = load_dashboard()
SOURCES: dict[Engine, Source] = {"lake": Lake(cast("Any", None), "totesys"), "warehouse": Warehouse("")}
NASTY = '</script><img src=x onerror="alert(1)">&'


NOTHING = Answer()
READ_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class Said(Lake):
    """A source that says what it is told, for every query of a name, and of what can be chosen nothing more.

    Args:
        answers: By the name of the query.
    """

    def __init__(self, answers: Mapping[str, Answer], engine: Engine = "lake") -> None:
        super().__init__(cast("Any", None), "totesys")
        self.engine = engine
        self.called = SOURCES[engine].called
        self.answers = answers

    def _answers(self, queries: Mapping[str, Query]) -> Mapping[str, Answer]:
        return {name: self.answers.get(name, Answer()) for name in queries}


def grouped(sheet: str, visual: str, *rows: tuple[Any, ...]) -> Answer:
    """The answer to the charts of a sheet, in which one of them has some rows."""
    queries = sheet_queries(DASHBOARD, DASHBOARD.declared.sheets[sheet], Choices())
    card = queries.cards[visual]
    columns = queries.queries[card.asked].columns
    told = [dict(zip(card.query.columns, row, strict=True)) for row in rows]
    marked = [{**row, GROUPING: card.grouping} for row in told]
    return Answer(tuple(tuple(row.get(name) for name in columns) for row in marked))


def page(
    name: str,
    engine: Engine = "lake",
    words: Mapping[str, str] = MappingProxyType({}),
    other: Source | None = None,
    options: Answer = NOTHING,
    charts: Answer = NOTHING,
    **answers: Answer,
) -> str:
    sources = [
        Said({"sales: options": options, "sales: charts": charts, **answers}, engine),
        *([other] if other else []),
    ]
    return render(DASHBOARD, sources, look_at(DASHBOARD, name, sources, words, READ_AT), FRAME)


FRAME = {
    "header_label": "Console",
    "parts": PARTS,
    "here": "/dashboard/",
    "title_of_all": "totesys",
    "health": Health(as_of=""),
    "role": None,
    "unread": "",
    "account": None,
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
            assert DASHBOARD.caption(sheet, visual) in text
        assert list(embedded(text)["visuals"]) == list(sheet.visuals)
        assert all(f'id="filter-{control}"' in text for control in sheet.filters)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_what_a_cell_says_is_never_markup() -> None:
    text = page(
        "sales",
        words={"design": NASTY, "country": NASTY},
        charts=grouped("sales", "revenue_by_design", (NASTY, 1.0)),
    )
    assert "<img" not in text
    assert embedded(text)["answers"]["revenue_by_design"]["rows"] == [[NASTY, 1.0]]


def test_an_error_is_said_once_and_the_others_are_shown() -> None:
    text = page("people", charts=Answer(error=STACK_ENDED))
    assert text.count(STACK_ENDED) == 1 + json.dumps(embedded(text), ensure_ascii=False).count(STACK_ENDED)
    assert text.count("This could not be read") == 5
    assert "Read from the lake (Athena) at 2026-11-20 09:30:00 UTC" in text


def test_what_the_first_source_cannot_tell_the_other_is_asked() -> None:
    loads = grouped("trust", "loads", (1, 2, "now", "now", 3, 4.0))
    text = page("trust", other=Said({"loads: charts": loads}, "warehouse"))
    assert "can tell" not in text
    assert embedded(text)["answers"]["loads"]["rows"] == [[1, 2, "now", "now", 3, 4.0]]
    assert "Read from the lake (Athena) and the warehouse at" in text
    assert "Read from the lake (Athena) at" in page("sales", other=Said({}, "warehouse"))


OPTIONS = Answer((
    ("GBP", None, None, None, None, "2024-09-03", "2024-10-01"),
    ("EUR", None, None, None, None, "2024-10-02", "2024-11-04"),
    (None, "France", None, None, None, "2024-09-03", "2024-11-04"),
    (None, None, "Ash (7)", None, None, "2024-09-03", "2024-11-04"),
))  # fmt: skip


def chosen(text: str) -> dict[str, str]:
    """By control, the value that is chosen."""
    found = {}
    for name, inner in re.findall(r'<select [^>]*name="(\w+)">(.*?)</select>', text, flags=re.DOTALL):
        (found[name],) = re.findall(r'<option value="([^"]*)" selected>', inner)
    return found


def test_the_controls_offer_what_there_is_and_show_what_is_chosen() -> None:
    everything = {"country": "", "customer": "", "department": "", "design": ""}
    text = page("sales", options=OPTIONS)
    assert chosen(text) == {"currency": "GBP", "period": "last_12_months", **everything}
    assert re.findall(r'id="filter-(?:from|to)"[^>]* value="([^"]+)"', text) == ["2025-12-01", "2026-11-20"]
    words = {
        "currency": "EUR",
        "period": "own",
        "from": "2024-09-01",
        "to": "2024-09-30",
        "country": "France",
    }
    text = page("sales", words=words, options=OPTIONS)
    assert chosen(text) == {**everything, "currency": "EUR", "period": "own", "country": "France"}
    assert re.findall(r'id="filter-(?:from|to)"[^>]* value="([^"]+)"', text) == ["2024-09-01", "2024-09-30"]
    for link in ("/dashboard/people", "/dashboard/orders"):
        assert f'href="{link}?currency=EUR&amp;country=France&amp;period=own&amp;from=2024-09-01' in text
    assert 'role="status"' not in text
    assert "2024-09-01" not in page("sales", words={"period": "everything"}, options=OPTIONS)


def test_an_address_that_asks_for_what_there_is_not_is_told_and_not_followed() -> None:
    words = {"currency": "NOPE", "country": "Utopia", "period": "own", "from": "2024-09-31", "to": "x"}
    text = page("sales", words=words, options=OPTIONS)
    assert chosen(text)["currency"] == "GBP"
    assert chosen(text)["country"] == ""
    assert chosen(text)["period"] == "last_12_months"
    said = [html.unescape(one) for one in re.findall(r'role="status">([^<]+)', text)]
    days = "a period has two days such as 2026-11-30, not '2024-09-31' and 'x'"
    assert said == [
        f"The address asks for a period that is none: {days}.",
        "There is no data for currency NOPE, which the address asks for.",
        "There is no data for country Utopia, which the address asks for.",
    ]


def test_where_the_usual_currency_is_not_the_first_that_there_is_is_chosen() -> None:
    row = ("CHF", None, None, None, None, "2024-09-03", "2024-10-01")
    text = page("sales", options=Answer((row,)))
    assert chosen(text)["currency"] == "CHF"
    assert 'role="status"' not in text
    assert embedded(text)["currency"] == "CHF"


def test_what_shows_nothing_says_why() -> None:
    visuals = embedded(page("sales", options=OPTIONS))["visuals"]
    nothing = "Nothing from 2025-12-01 to 2026-11-20 fits what is chosen."
    assert visuals["revenue"]["nothing"] == f"{nothing} There are days from 2024-09-03 to 2024-11-04."
    assert embedded(page("sales"))["visuals"]["revenue"]["nothing"] == "Nothing is here yet: lakehouse run"
    assert embedded(page("trust"))["visuals"]["freshness"]["nothing"] == "Nothing is here yet: lakehouse run"


def test_a_click_leads_to_the_filter_and_a_key_to_its_record() -> None:
    visuals = embedded(page("sales"))["visuals"] | embedded(page("orders"))["visuals"]
    leads = {
        (name, column["name"]): column["narrows"] or column["key_of"]
        for name, visual in visuals.items()
        for column in visual["columns"]
        if column["narrows"] or column["key_of"]
    }
    assert leads["revenue_by_country", "country"] == {"filter": "country", "as": "value"}
    assert leads["revenue_by_month", "month"] == {"filter": "period", "as": "month"}
    assert leads["orders_listed", "day"] == {"filter": "period", "as": "day"}
    assert leads["orders_listed", "sales_order"] == "sales_order"
    assert ("totes_by_weekday", "day_name") not in leads


def test_what_only_the_other_engine_can_tell_is_named() -> None:
    text = page("trust", "warehouse")
    assert "Only the lake can tell: Age of what the warehouse shows; " in text
    assert "scanned" not in text
    assert "Only the warehouse can tell: " in page("trust")
    assert "can tell" not in page("sales")


def test_what_can_be_chosen_is_asked_once_for_a_load() -> None:
    memory, source = OptionsMemory(), Said({"sales: options": OPTIONS})
    asked: list[str] = []

    def look(loaded_at: str) -> None:
        known = memory.known(loaded_at)
        asked.append("known" if known else "asked")
        found = look_at(DASHBOARD, "sales", [source], {}, READ_AT, known)
        assert found.options.values["currency"] == ["EUR", "GBP"]

    for loaded_at in ("", "2026-11-20", "2026-11-20", "2026-11-21", ""):
        look(loaded_at)
    assert asked == ["asked", "asked", "known", "asked", "asked"]
