"""The frame of every page: the header, what is amiss at its head, and how times and numbers are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Response, request
from jinja2 import Environment

from glue_jobs.lake.layout import from_iso
from lakehouse.console import TEMPLATES
from lakehouse.terminal import ago, lasting
from lakehouse.unread import why_unread
from sites import templates
from sites.frame import FOLDER
from sites.validation.health import Health

PARTS = {
    "/": "Overview",
    "/dashboard/": "Dashboard",
    "/runs": "Runs",
    "/batches": "Batches",
    "/quality": "Data quality",
    "/catalog": "Catalog",
    "/record": "Record",
    "/query": "Query",
    "/docs/": "Documentation",
    "/docs/notebooks/": "Notebooks",
}
"""What the header leads to."""

NO_PAGE = ("There is no such page.", "The header leads to those that there are.")

HEADER = "Console"
"""What the header's links are called together."""

# Scripts and styles of this server alone, and no text that becomes code.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'"
)


class Frame:
    """What stands around the content of every page.

    Args:
        title: What the project is called.
        health: Gives the state of the data.
        role: Whose rights the pages are read with; nothing where they read no more than everybody may.
        account: What the lake on AWS is called, in words; nothing for a stack.
    """

    def __init__(
        self, title: str, health: Callable[[], Health], role: str | None, account: str | None = None
    ) -> None:
        self._title = title
        self._health = health
        self._role = role
        self._account = account
        self._templates = environment()

    def health(self) -> Health | str:
        """The state of the data now; in words why not, where it cannot be read."""
        try:
            return self._health()
        except (BotoCoreError, ClientError) as error:
            return " ".join(self.unread(error))

    def unread(self, error: BotoCoreError | ClientError) -> tuple[str, str]:
        """What is wrong where something cannot be read, and what to do."""
        return why_unread(error, on_aws=self._account is not None)

    def values(self) -> dict[str, Any]:
        """What the frame's templates are given for the page that is asked for."""
        health = self.health()
        return {
            "header_label": HEADER,
            "parts": PARTS,
            "here": part_of(request.path),
            "title_of_all": self._title,
            "health": None if isinstance(health, str) else health,
            "unread": health if isinstance(health, str) else "",
            "role": self._role,
            "account": self._account,
        }

    def page(self, template: str, values: Mapping[str, Any], code: int = HTTPStatus.OK) -> Response:
        """A page of a template, given what it shows."""
        text = self._templates.get_template(template).render(**self.values(), **values)
        return guarded(text, code)

    def problem(self, what: str, remedy: str, code: int) -> Response:
        """A page that says what is wrong and what to do."""
        return self.page("problem.html.j2", {"what": what, "remedy": remedy}, code)

    def header(self) -> str:
        """The header alone, for a page that has everything else."""
        return self._templates.get_template("header.html.j2").render(
            header_label=HEADER, parts=PARTS, here=part_of(request.path)
        )


def guarded(text: str, status: int = HTTPStatus.OK) -> Response:
    """A page that loads from this server alone, and that no cache keeps."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return Response(text, status, headers, content_type="text/html; charset=utf-8")


def part_of(path: str) -> str:
    """The part of the header that a path belongs to: the longest that it begins with."""
    return max((part for part in PARTS if path.startswith(part)), key=len, default="/")


def environment(*folders: Path) -> Environment:
    """The templates of the console, and of further folders whose pages stand in its frame."""
    found = templates.environment(TEMPLATES, FOLDER, *folders)
    found.filters["ago"] = lambda moment: ago(_moment(moment)) if moment else "never"
    found.filters["lasting"] = lasting
    found.filters["grouped"] = lambda number: f"{number:,}"
    found.filters["dollars"] = _dollars
    return found


def _dollars(cost: float) -> str:
    """Money with as many digits as a run of a minute needs."""
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"


def _moment(value: str | datetime) -> datetime:
    """A moment as commits, Athena or a job's run state it."""
    if isinstance(value, datetime):
        return value
    return from_iso(value) if value.endswith("Z") else datetime.fromisoformat(value)
