"""Renders the site's pages with Sphinx and its theme Furo, whose files are all beside the pages.

Pages reach Sphinx as JSON and become nodes without a markup language in between: there is nothing in which a
contract's words could be taken for markup. Sphinx adds frame, highlighted SQL and the search, which runs in
the browser on an index of its own.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import furo
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains import Domain, ObjType
from sphinx.parsers import Parser
from sphinx.util.docutils import docutils_namespace, patch_docutils

from catalog.pipeline import load_pipeline
from sites.catalog.pages import INDEX, Block, Page, Site

HERE = Path(__file__).parent

PUBLISHED = frozenset({".css", ".html", ".js", ".png", ".svg", ".txt"})
"""Ends of the files that the pages need, and of licences; Sphinx leaves files for other programs besides."""

_SETTINGS: dict[str, Any] = {
    "project": "Catalogue",
    "extensions": ["sphinx_copybutton", __name__],
    "source_suffix": {".json": "page"},
    "root_doc": INDEX,
    "html_theme": "furo",
    "html_theme_options": {
        "light_css_variables": {"color-brand-primary": "#0b5cad", "color-brand-content": "#0b5cad"},
        "dark_css_variables": {"color-brand-primary": "#7db8f5", "color-brand-content": "#7db8f5"},
    },
    "html_static_path": [str(HERE / "assets")],
    "html_css_files": ["catalogue.css"],
    "templates_path": [str(HERE / "templates")],
    "html_sidebars": {
        "**": [
            "sidebar/brand.html",
            "sidebar/search.html",
            "sidebar/scroll-start.html",
            "sidebar/groups.html",
            "sidebar/scroll-end.html",
        ]
    },
    "html_copy_source": False,
    "html_show_sourcelink": False,
    "html_use_index": False,
    "html_permalinks": False,
    "html_show_copyright": False,
    "html_domain_indices": False,
    "smartquotes": False,
    "copybutton_selector": "div.highlight pre",
    # The navigation is the site's own.
    "suppress_warnings": ["toc.not_included"],
}


_ENTRIES = "catalog_entries"
"""The setting by which columns reach Sphinx: name, page and place of each."""


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class RenderError(Exception):
    """Sphinx complained about a page."""


def render(site: Site) -> dict[str, bytes]:
    """Every file of the site, by its path; equal sites give equal bytes.

    Args:
        site: What to render.

    Raises:
        RenderError: Sphinx warned of something; its words.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "pages", Path(folder) / "html"
        for name, page in site.pages.items():
            path = source / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(page)), encoding="utf-8")
        _build(site, source, made, Path(folder) / "trees")
        paths = (path for path in sorted(made.rglob("*")) if path.suffix in PUBLISHED)
        return {path.relative_to(made).as_posix(): path.read_bytes() for path in paths}


def _build(site: Site, source: Path, made: Path, trees: Path) -> None:
    complaints = io.StringIO()
    of_site = {
        "html_context": {"groups": site.groups, "theme_scripts": _theme_scripts()},
        "html_title": f"{load_pipeline().name} catalogue",
        _ENTRIES: [(entry.name, entry.page, entry.anchor) for entry in site.entries],
    }
    settings = {**_SETTINGS, **of_site}
    # What Sphinx teaches docutils is forgotten again, so that a process may render several times.
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            source,
            None,
            made,
            trees,
            "html",
            confoverrides=settings,
            status=None,
            warning=complaints,
            freshenv=True,
        )
        app.build(force_all=True)
    if complaints.getvalue():
        raise RenderError(_COLOUR.sub("", complaints.getvalue()).strip())


def _theme_scripts() -> str:
    """The scripts that stand in the theme's pages, as a content security policy names them: by their digests.

    They are taken from the theme's template and not from pages, so nothing that came into a page is let run.
    """
    template = (Path(furo.__file__).parent / "theme" / "furo" / "base.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


class _Pages(Parser):
    """Makes Sphinx's nodes of a page."""

    supported = ("page",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        stated = json.loads(inputstring)
        page = Page(stated["title"], tuple(Block(**block) for block in stated["blocks"]))
        top = place = _section(page.title)
        for block in page.blocks:
            if block.kind == "section":
                place = _section(block.text)
                top += place
            else:
                place += _nodes_of(block)
        document += top


def _section(title: str) -> nodes.section:
    return nodes.section("", nodes.title("", title), ids=[nodes.make_id(title) or "top"], names=[title])


def _nodes_of(block: Block) -> list[nodes.Node]:
    if block.kind == "html":
        found: list[nodes.Node] = [_raw(block.text)]
    else:
        found = [nodes.literal_block(block.text, block.text, language="sql", xml_space="preserve")]
        if block.summary:
            begin = f'<details class="asked"><summary>{block.summary}</summary>'
            found = [_raw(begin), *found, _raw("</details>")]
    return found if block.searched else [nodes.container("", *found, classes=["no-search"])]


def _raw(html: str) -> nodes.raw:
    return nodes.raw("", html, format="html")


class _Columns(Domain):
    """A domain of Sphinx that knows the columns, so that the search finds them by name."""

    name = "columns"
    label = "Columns"
    object_types = {"column": ObjType("column")}  # noqa: RUF012 - Sphinx declares it so

    def get_objects(self) -> Iterable[tuple[str, str, str, str, str, int]]:
        entries = getattr(self.env.config, _ENTRIES)
        return [(name, name, "column", page, place, 1) for name, page, place in entries]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it: this module is one of its extensions."""
    app.add_config_value(_ENTRIES, [], "env")
    app.add_source_parser(_Pages)
    app.add_domain(_Columns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
