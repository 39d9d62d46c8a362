"""The dashboard in the console: what it serves, and what it says where nothing answers it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bi.dashboard import load_dashboard
from lakehouse.console.app import Parts, create_app
from lakehouse.console.documents import Documents
from lakehouse.console.pages import Sheets
from lakehouse.dashboard import vega
from lakehouse.dashboard.sources import Lake, Warehouse
from lakehouse.loopback import LoopbackServer
from lakehouse.unread import STACK_ENDED
from local_aws.endpoint.app import create_endpoint
from sites.validation.health import Health
from tests.integration.lakehouse.web import ask
from tools.browser import serving


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def server(kept: Path, tmp_path: Path) -> Iterator[LoopbackServer]:
    """Over an Athena that has ended."""
    with create_endpoint(tmp_path) as endpoint:
        athena, s3 = endpoint.client("athena"), endpoint.client("s3")
    sheets = Sheets(load_dashboard(), Lake(athena, "primary"), kept)
    app = create_app(Parts(sheets, Documents(s3, "pages"), lambda: Health(as_of="")))
    with LoopbackServer(app, 0) as made, serving(made):
        yield made


def test_an_athena_that_ended_is_said_in_words_on_the_page(server: LoopbackServer) -> None:
    answer, page = ask(server, "/dashboard/trust?currency=EUR")
    assert answer.status == 200
    assert STACK_ENDED in page.decode()
    assert b"Traceback" not in page


def test_a_warehouse_that_cannot_be_reached_is_said_in_words(tmp_path: Path) -> None:
    dashboard = load_dashboard()
    source = Warehouse(f"host={tmp_path} dbname=none user=nobody password=secret")
    errors = {str(one.error) for one in source.read(dashboard.queries_on("warehouse")).answers.values()}
    assert len(errors) == 1
    assert "cannot be reached" in errors.pop()


def test_everything_that_a_page_loads_comes_from_this_server_under_a_policy(server: LoopbackServer) -> None:
    first, _ = ask(server, "/dashboard/")
    assert (first.status, first.headers["Location"]) == (302, "/dashboard/sales")
    for path, kind in (
        ("/dashboard/sales", "text/html; charset=utf-8"),
        ("/assets/dashboard.css", "text/css; charset=utf-8"),
        ("/assets/console.css", "text/css; charset=utf-8"),
        ("/assets/look.css", "text/css; charset=utf-8"),
        ("/assets/header.css", "text/css; charset=utf-8"),
        ("/assets/dashboard.js", "text/javascript; charset=utf-8"),
        ("/assets/vega.js", "text/javascript; charset=utf-8"),
    ):
        answer, _ = ask(server, path, "HEAD")
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    for path in ("/nothing", "/assets/nothing.js", "/assets/../server.py", "/dashboard/nothing"):
        assert ask(server, path)[0].status == 404


def test_the_charting_library_is_unpacked_once(server: LoopbackServer, kept: Path) -> None:
    (script,) = kept.iterdir()
    changed = script.stat().st_mtime_ns
    assert vega.script(kept) == ask(server, "/assets/vega.js")[1]
    assert script.stat().st_mtime_ns == changed
