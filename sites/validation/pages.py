"""The site's pages, made of the overview's numbers, a day's entries and rendered validation results.

Everything that a page needs lies beside it: one stylesheet, pictures drawn in the page, no script. Pages say
so to the browser as well (a content security policy): whatever slipped in would be refused, not fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment

from catalog.pipeline import load_pipeline
from expectations.awaiting_approval import BatchAwaitingApproval
from sites import frame
from sites.templates import environment
from sites.validation.entries import Entry
from sites.validation.health import Health
from sites.validation.overview import Overview, tally

HERE = Path(__file__).parent

STYLESHEET = "assets/site.css"
"""Where the stylesheet lies, from the top of the site."""

INDEX = "index.html"

STATE = "state.html"
"""What every page shows at its head, from the top of the documentation."""


@dataclass(frozen=True)
class Part:
    """A part of the documentation that the front page links: its folder, what it is called, what it shows."""

    folder: str
    title: str
    description: str


NOTEBOOKS = "notebooks"

PARTS = (
    Part("validation", "Validation", "What became of every captured row, by table and day, and why."),
    Part("catalogue", "Catalogue", "What every table and column means, where it comes from, who owns it."),
    Part(NOTEBOOKS, "Notebooks", "Analyses with charts, as last run."),
)
"""What the documentation can consist of; the front page links those that are there."""


def stylesheet() -> str:
    """The site's stylesheet, the look that all pages share included."""
    return frame.stylesheet() + (HERE / STYLESHEET).read_text(encoding="utf-8")


def header(top: str, folders: Sequence[str], here: str = "") -> str:
    """What stands above a page: the documentation's front page, and parts that are there.

    Args:
        top: Leads from the page to the top of the documentation.
        folders: The parts' folders.
        here: The folder of the part that the page is of; nothing for the front page.
    """
    titles = {part.folder: part.title for part in PARTS}
    parts = {f"{top}{INDEX}": "Documentation"}
    parts |= {f"{top}{folder}/{INDEX}": titles[folder] for folder in folders}
    current = f"{top}{here}/{INDEX}" if here else f"{top}{INDEX}"
    return _render("header.html.j2", header_label="Documentation", parts=parts, here=current)


def day_page_name(day: date) -> str:
    """Where the page of a day lies, from the top of the site."""
    return f"days/{day.isoformat()}.html"


def batch_page_name(table: str, batch: int) -> str:
    """Where the page of a table and batch lies, from the top of the site."""
    return f"batches/{table}/{batch}.html"


def front_page(parts: Iterable[Part]) -> str:
    """The front page of all documentation, with links to the parts that are there."""
    return _render("front.html.j2", up="", parts=tuple(parts))


def state_page(health: Health) -> str:
    """What every page shows at its head: what is not as it should be, and how fresh the data are."""
    return _render("state.html.j2", health=health)


def index_page(shown: Overview, held: Sequence[BatchAwaitingApproval]) -> str:
    """The index: tables by days, trends, and the rules that were broken most."""
    return _render("index.html.j2", up="", shown=shown, held=held)


def day_page(day: date, entries: Sequence[Entry], queries: Mapping[str, str]) -> str:
    """The page of one day: every batch of every table.

    Args:
        day: The day.
        entries: Its entries.
        queries: By table, the SQL that shows its dead letters of that day.
    """
    by_table: dict[str, list[Entry]] = {}
    for entry in entries:
        by_table.setdefault(entry.table, []).append(entry)
    tables = {table: (found, tally(found)) for table, found in sorted(by_table.items())}
    return _render("day.html.j2", up="../", day=day, tables=tables, total=tally(entries), queries=queries)


def batch_page(entry: Entry, day: date, rendered: str, query: str) -> str:
    """The page of one table in one batch.

    Args:
        entry: Its verdict.
        day: Day of the capture.
        rendered: The validation result as Great Expectations renders it.
        query: The SQL that shows its dead letters.
    """
    return _render("batch.html.j2", up="../../", entry=entry, day=day, rendered=rendered, sql=query)


def template_version() -> str:
    """Names how batch pages are made: another name means that they are to be made again."""
    digest = hashlib.sha256(version("great-expectations").encode())
    for path in ("base.html.j2", "parts.html.j2", "batch.html.j2", "../data_docs.py"):
        digest.update((HERE / "templates" / path).read_bytes())
    digest.update((frame.FOLDER / "header.html.j2").read_bytes())
    return digest.hexdigest()[:16]


def _render(template: str, **given: Any) -> str:
    return _environment().get_template(template).render(**given)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = environment(HERE / "templates", frame.FOLDER)
    made.filters.update(number=_number, share=share, moment=_moment, heights=heights, weekday=_weekday)
    made.globals.update(
        batch_page_name=batch_page_name,
        day_page_name=day_page_name,
        stylesheet=STYLESHEET,
        header=header,
        state=STATE,
        project=load_pipeline().name,
    )
    return made


def _number(value: int) -> str:
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """A share in per cent; what is small is never shown as nothing, and what is not all never as all."""
    if not whole:
        return "-"
    percent = part / whole * 100
    if 0 < percent < 0.01:
        return "under 0.01 %"
    if 99.99 < percent < 100:
        return "over 99.99 %"
    return f"{percent:.2f}".rstrip("0").rstrip(".") + " %"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else "-"


def _weekday(day: date) -> str:
    # By name here: strftime follows the machine's language.
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]


def heights(values: Sequence[int], full: float) -> list[float]:
    """Heights of bars; a bar that is not nothing can be seen."""
    most = max(values, default=0)
    return [max(1.5, round(value / most * full, 1)) if value else 0.0 for value in values]
