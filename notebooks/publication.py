"""Notebooks on the documentation site: each that was run as one page with all that it needs, and their list.

notebooks/<name>.html    prose, charts and, folded away, the code
notebooks/index.html     the list
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from nbconvert import HTMLExporter

from catalog.pipeline import load_pipeline
from glue_jobs.documentation.bucket import Bucket
from glue_jobs.documentation.front import publish_front_page
from notebooks.charts import NOTHING
from sites.templates import environment
from sites.validation import pages

HERE = Path(__file__).parent

TOP = "notebooks/"
"""The folder in the documentation bucket."""

_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A notebook as a page.

    Attributes:
        name: The notebook's name.
        title: Its first heading.
        lead: The paragraph below it.
        findings: What its charts show, where there is something to show.
        html: The page.
    """

    name: str
    title: str
    lead: str
    findings: tuple[str, ...]
    html: str


def page(name: str, notebook: Any, made_at: datetime) -> Page:
    """Make the page of a notebook that was run; it names no other file but the pages above it.

    Args:
        name: The notebook's name.
        notebook: The notebook with its outputs.
        made_at: When it was run (UTC).
    """
    title, lead = _opening(notebook)
    given = {
        "page": {
            "name": name,
            "title": title,
            "made_at": f"{made_at:%Y-%m-%d %H:%M}",
            "style": _style(),
            "header": pages.header("../", [pages.NOTEBOOKS], pages.NOTEBOOKS),
            "project": load_pipeline().name,
        }
    }
    html, _ = _exporter().from_notebook_node(notebook, resources=given)
    found = tuple(finding for finding in findings(notebook) if finding != NOTHING)
    return Page(name, title, lead, found, html)


def findings(notebook: Any) -> list[str]:
    """What the charts of a notebook that was run show, in order: their alternative texts."""
    return [
        output["metadata"]["image/png"]["alt"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]


def list_page(made: Iterable[Page]) -> str:
    """The list of notebooks, each with what its charts show.

    Args:
        made: Their pages.
    """
    return (
        _environment()
        .get_template("list.html.j2")
        .render(
            pages=tuple(made),
            style=_style(),
            header=pages.header("../", [pages.NOTEBOOKS], pages.NOTEBOOKS),
            project=load_pipeline().name,
        )
    )


def publish(bucket: Bucket, made: Iterable[Page]) -> Mapping[str, int]:
    """Put pages into the documentation bucket, the list last, and link them from its front page.

    Args:
        bucket: The documentation bucket.
        made: The pages, of all notebooks.

    Returns:
        Bytes by key.
    """
    shown = tuple(made)
    bodies = {f"{TOP}{one.name}.html": one.html.encode() for one in shown}
    bodies[f"{TOP}{pages.INDEX}"] = list_page(shown).encode()
    for key, body in bodies.items():
        bucket.put(key, body)
    publish_front_page(bucket)
    return {key: len(body) for key, body in bodies.items()}


def _opening(notebook: Any) -> tuple[str, str]:
    text = next(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = _HEADING.search(text)
    if heading is None:
        raise ValueError("a notebook begins with a heading: # What it is about")
    return heading[1].strip(), " ".join(text[heading.end() :].strip().partition("\n\n")[0].split())


@lru_cache(maxsize=1)
def _exporter() -> HTMLExporter:
    return HTMLExporter(template_name="page", extra_template_basedirs=[str(HERE)], exclude_anchor_links=True)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(HERE / "page")


def _style() -> str:
    """The site's own stylesheet, and what notebooks have besides."""
    return pages.stylesheet() + (HERE / "page" / "notebook.css").read_text(encoding="utf-8")
