"""The documentation bucket in front of a browser: its pages as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bi.dashboard import load_dashboard
from glue_jobs.documentation.bucket import Bucket
from lakehouse.console.app import Parts, create_app
from lakehouse.console.documents import Documents
from lakehouse.console.pages import Sheets
from lakehouse.dashboard.sources import Lake
from lakehouse.loopback import LoopbackServer
from local_aws.endpoint.app import Endpoint, create_endpoint
from notebooks.publication import list_page
from sites.validation.health import Health
from tests.integration.lakehouse.web import ask
from tools.browser import serving

PAGE = "<p>é</p>".encode()
WHOLE = b'<html><head></head><body class="x"><p>own</p></body></html>'


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with create_endpoint(tmp_path) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="pages", CreateBucketConfiguration={"LocationConstraint": running.region})
        yield running


def console(endpoint: Endpoint, kept: Path) -> LoopbackServer:
    sheets = Sheets(load_dashboard(), Lake(endpoint.client("athena"), "primary"), kept)
    documents = Documents(endpoint.client("s3"), "pages")
    return LoopbackServer(create_app(Parts(sheets, documents, lambda: Health(as_of=""))), 0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def server(endpoint: Endpoint, kept: Path) -> Iterator[LoopbackServer]:
    bucket = Bucket(endpoint.client("s3"), "pages")
    for key in ("index.html", "part/index.html", "part/a page.html", "part/assets/site.css"):
        bucket.put(key, PAGE)
    bucket.put("part/whole.html", WHOLE)
    bucket.put("part/framed.html", list_page([]).replace("</main>", "No notebook</main>").encode())
    with console(endpoint, kept) as made, serving(made):
        yield made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/docs/", "text/html; charset=utf-8"),
        ("/docs/index.html", "text/html; charset=utf-8"),
        ("/docs/part/", "text/html; charset=utf-8"),
        ("/docs/part/a%20page.html?again=1", "text/html; charset=utf-8"),
        ("/docs/part/assets/site.css", "text/css; charset=utf-8"),
    ],
)
def test_a_page_comes_as_it_was_stored(server: LoopbackServer, path: str, kind: str) -> None:
    answer, body = ask(server, path)
    assert (answer.status, body, answer.headers["Content-Type"]) == (200, PAGE, kind)
    asked, nothing = ask(server, path, "HEAD")
    assert (asked.status, nothing, asked.headers["Content-Length"]) == (200, b"", str(len(PAGE)))


def test_a_whole_page_has_the_console_s_header_above_its_own_content(server: LoopbackServer) -> None:
    _, body = ask(server, "/docs/part/whole.html")
    text = body.decode()
    assert text.index('<body class="x">') < text.index('<nav aria-label="Console">') < text.index("<p>own")
    assert 'aria-current="page">Documentation' in text
    assert text.index("/assets/header.css") < text.index("</head>")


def test_a_page_with_a_header_of_its_own_has_the_console_s_in_its_place(server: LoopbackServer) -> None:
    _, body = ask(server, "/docs/part/framed.html")
    text = body.decode()
    assert text.count('<div class="console-header">') == 1
    assert 'aria-label="Documentation"' not in text
    assert text.index('<nav aria-label="Console">') < text.index("No notebook") < text.index("</body>")


def test_a_folder_is_its_index_and_what_is_not_there_is_said(server: LoopbackServer) -> None:
    answer, _ = ask(server, "/docs/part")
    assert (answer.status, answer.headers["Location"]) == (301, "/docs/part/")
    for path in ("/docs/nothing", "/docs/nothing/", "/docs/../../etc/passwd", "/nothing"):
        answer, body = ask(server, path)
        assert (answer.status, b"There is no such page." in body) == (404, True)
    answer, body = ask(server, "/docs/notebooks/")
    assert (answer.status, b"lakehouse notebooks" in body) == (404, True)


def test_a_stack_that_ended_meanwhile_is_said(endpoint: Endpoint, server: LoopbackServer) -> None:
    endpoint.stop()
    answer, body = ask(server, "/docs/")
    assert answer.status == 502
    assert b"lakehouse up" in body


def test_nothing_built_yet_says_how_to_build_it(endpoint: Endpoint, kept: Path) -> None:
    with console(endpoint, kept) as server, serving(server):
        answer, body = ask(server, "/docs/")
    assert (answer.status, b"lakehouse run --stage build_sites" in body) == (404, True)
