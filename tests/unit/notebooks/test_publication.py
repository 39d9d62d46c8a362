"""Notebooks become pages with everything in them, and know no laptop."""

from __future__ import annotations

import ast
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pandas import Series

from notebooks.charts import chart
from notebooks.execution import notebooks
from notebooks.publication import findings, list_page, page

AT = datetime(2026, 11, 21, 9, 30)  # noqa: DTZ001 - UTC, as the lake's times


@pytest.fixture
def notebook() -> Any:
    """A notebook that was run: a chart, a sentence and a table."""
    data, metadata = chart(Series([1]), lambda: 'More "A" & <B>', lambda *_: None)._repr_mimebundle_()
    further = ({"text/markdown": "**42** rows"}, {"text/html": "<table><tr><td>7</td></tr></table>"})
    shown = [
        new_output("execute_result", data=data, metadata=metadata, execution_count=1),
        *(new_output("execute_result", data=told, execution_count=1) for told in further),
    ]
    return new_notebook(
        cells=[
            new_markdown_cell("# Totes & more\n\nWhat is\nsold?\n\nFurther *prose*."),
            new_code_cell("assert 1 < 2", outputs=shown, execution_count=1),
        ]
    )


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every opening tag of a page, with its attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Parser().feed(html)
    return found


def test_a_page_has_prose_charts_tables_and_the_code_folded_away(notebook: Any) -> None:
    made = page("sales", notebook, AT)
    assert (made.title, made.lead) == ("Totes & more", "What is sold?")
    assert made.findings == tuple(findings(notebook)) == ('More "A" & <B>',)
    for part in (
        "<title>Totes &amp; more · totesys lakehouse</title>",
        "Further <em>prose</em>.",
        "<strong>42</strong> rows",
        "<td>7</td>",
        "<summary>How it was asked</summary>",
        "assert 1 &lt; 2",
        "notebooks/sales.ipynb, run on 2026-11-21 09:30 UTC",
    ):
        assert part in made.html
    (picture,) = [stated for tag, stated in tags(made.html) if tag == "img"]
    assert picture["alt"] == 'More "A" & <B>'
    assert str(picture["src"]).startswith("data:image/png;base64,")


def test_a_page_forbids_the_browser_scripts_and_files_from_elsewhere(notebook: Any) -> None:
    for html in (page("sales", notebook, AT).html, list_page([page("sales", notebook, AT)])):
        assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
        assert "<script" not in html
        named = {stated.get(name) for _, stated in tags(html) for name in ("src", "href", "srcset", "data")}
        assert {one for one in named if one and not one.startswith("data:")} <= {
            "../index.html",
            "../notebooks/index.html",
            "../state.html",
            "index.html",
            "sales.html",
        }


def test_the_list_links_every_page_with_what_its_charts_show(notebook: Any) -> None:
    made = list_page([page(name, notebook, AT) for name in ("sales", "cash")])
    assert '<a href="sales.html">Totes &amp; more</a>' in made
    assert '<a href="cash.html">' in made
    assert made.count("<li>More &#34;A&#34; &amp; &lt;B&gt;</li>") == 2


def test_a_notebook_without_a_heading_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with a heading"):
        page("nameless", new_notebook(cells=[new_markdown_cell("Prose.")]), AT)


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_a_notebook_imports_nothing_of_the_laptop_and_no_client_of_aws(path: Path) -> None:
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse("\n".join(cells)))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"IPython", "matplotlib", "notebooks", "pandas"}
