"""The validation site in a real browser, which may reach nothing but this machine."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from catalog.catalogue import load_catalogue
from tests import needs
from tools.browser import chromium
from tools.site_screenshot import served

from .conftest import Site

Browse = Callable[..., "Seen"]


@dataclass(frozen=True)
class Seen:
    """A page as the browser had it in the end.

    Attributes:
        dom: The document, as HTML.
        console: What the browser said on its console.
        requested: Every address that the page made it ask for.
    """

    dom: str
    console: list[str]
    requested: list[str]


@pytest.fixture(scope="module")
def address(week: Site) -> Iterator[str]:
    with served(week.s3, week.bucket.name) as url:
        yield url


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    needs.chromium()

    def look(url: str, *arguments: str) -> Seen:
        net = tmp_path / "net.json"
        done = chromium(
            tmp_path / "profile",
            "--dump-dom",
            "--enable-logging=stderr",
            f"--log-net-log={net}",
            *arguments,
            url,
        )
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return Seen(done.stdout, console, _requested(json.loads(net.read_text()), url))

    return look


def _requested(log: dict[str, Any], url: str) -> list[str]:
    """The addresses that a page asked for: its own, and those that carry it as who began them."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    stated = [event.get("params", {}) for event in log["events"]]
    return [
        one["url"] for one in stated if "url" in one and (one["url"] == url or one.get("initiator") == origin)
    ]


@pytest.mark.slow
def test_the_index_of_a_week_is_whole_quiet_and_asks_nobody_else(address: str, browse: Browse) -> None:
    seen = browse(f"{address}validation/")
    assert seen.console == []
    assert {urlsplit(one).hostname for one in seen.requested} == {"127.0.0.1"}
    assert any(one.endswith("/site.css") for one in seen.requested)
    rows = re.findall(r'<th scope="row">(\w+)<', seen.dom)
    assert rows == sorted(load_catalogue().raw)
    assert len(re.findall(r'<th scope="col" class="day"><a', seen.dom)) == 7
    assert len(re.findall(r'<svg class="bars \w+"', seen.dom)) > len(rows)
    assert "Rules broken most" in seen.dom


@pytest.mark.slow
def test_a_batchs_page_is_reached_from_the_index_by_its_day(address: str, browse: Browse) -> None:
    index = f"{address}validation/"
    day = browse(urljoin(index, _link(browse(index).dom, r"days/[\d-]+\.html")))
    link = _link(day.dom, r"\.\./batches/payment/\d+\.html")
    # Beside it the state of the data, which every page shows at its head.
    (page,) = {one for one in day.requested if one.endswith(".html") and not one.endswith("/state.html")}
    batch = browse(urljoin(page, link))
    assert batch.console == day.console == []
    assert {urlsplit(one).hostname for one in batch.requested + day.requested} == {"127.0.0.1"}
    assert "values must never be null." in batch.dom
    assert "payment, batch " in batch.dom


def _link(dom: str, pattern: str) -> str:
    found = re.search(f'href="({pattern})', dom)
    assert found is not None
    return html.unescape(found.group(1))


@pytest.mark.slow
def test_the_catalogue_is_searched_in_the_browser_and_asks_nobody_else(lake: Site, browse: Browse) -> None:
    with served(lake.s3, lake.bucket.name) as address:
        by_word = browse(f"{address}catalogue/search.html?q=millisecond", "--virtual-time-budget=20000")
        by_name = browse(f"{address}catalogue/search.html?q=units_sold", "--virtual-time-budget=20000")
        table = browse(f"{address}catalogue/star/fact_payment.html")
    assert by_word.console == by_name.console == table.console == []
    assert re.findall(r'href="(star/fact_\w+)\.html', by_word.dom)
    assert "star/fact_sales_order.html#column-units_sold" in by_name.dom
    requested = by_word.requested + by_name.requested + table.requested
    assert {urlsplit(one).hostname for one in requested} == {"127.0.0.1"}
    assert any(one.endswith("/searchindex.js") for one in by_word.requested)
    # The theme's script has run, and there is a button for each SQL.
    assert 'data-theme="auto"' in table.dom
    assert table.dom.count('class="copybtn') == len(re.findall(r'<details class="asked">', table.dom)) > 0
