"""The documentation bucket in front of a browser: its pages as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glue_jobs.documentation.bucket import Bucket
from glue_jobs.runtime.errors import UserError
from lakehouse.docs import DocumentationServer
from local_aws.endpoint.app import Endpoint, create_endpoint
from tests.integration.lakehouse.web import ask
from tools.browser import serving

PAGE = "<p>é</p>".encode()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with create_endpoint(tmp_path) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="pages", CreateBucketConfiguration={"LocationConstraint": running.region})
        yield running


@pytest.fixture
def server(endpoint: Endpoint) -> Iterator[DocumentationServer]:
    bucket = Bucket(endpoint.client("s3"), "pages")
    for key in ("index.html", "part/index.html", "part/a page.html", "part/assets/site.css"):
        bucket.put(key, PAGE)
    with DocumentationServer(endpoint.client("s3"), "pages", 0) as made, serving(made):
        yield made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/part/", "text/html; charset=utf-8"),
        ("/part/a%20page.html?again=1", "text/html; charset=utf-8"),
        ("/part/assets/site.css", "text/css; charset=utf-8"),
    ],
)
def test_a_page_comes_as_it_was_stored(server: DocumentationServer, path: str, kind: str) -> None:
    answer, body = ask(server, path)
    assert (answer.status, body, answer.headers["Content-Type"]) == (200, PAGE, kind)
    asked, nothing = ask(server, path, "HEAD")
    assert (asked.status, nothing, asked.headers["Content-Length"]) == (200, b"", str(len(PAGE)))


def test_a_folder_is_its_index_and_what_is_not_there_is_said(server: DocumentationServer) -> None:
    answer, _ = ask(server, "/part")
    assert (answer.status, answer.headers["Location"]) == (301, "/part/")
    for path in ("/nothing", "/nothing/", "/../../etc/passwd"):
        answer, body = ask(server, path)
        assert (answer.status, body) == (404, b"There is no such page.\n")


def test_a_stack_that_ended_meanwhile_is_said(endpoint: Endpoint, server: DocumentationServer) -> None:
    endpoint.stop()
    answer, body = ask(server, "/")
    assert answer.status == 502
    assert b"lakehouse up" in body


def test_nothing_built_yet_says_how_to_build_it(endpoint: Endpoint) -> None:
    with pytest.raises(UserError, match="lakehouse run --stage build_sites"):
        DocumentationServer(endpoint.client("s3"), "pages", 0)
