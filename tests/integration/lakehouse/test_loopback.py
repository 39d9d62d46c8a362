"""Every web server of the stack is there for a browser on this machine, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from glue_jobs.runtime.errors import UserError
from lakehouse.loopback import Answer, PageServer
from tests.integration.lakehouse.web import ask
from tools.browser import serving


class Echo(PageServer):
    def answer(self, path: str) -> Answer:
        return Answer(HTTPStatus.OK, path.encode(), headers={"Cache-Control": "no-store"})


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo(0) as made, serving(made):
        yield made


def test_it_listens_on_this_machine_alone(server: Echo) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_path_arrives_unquoted_and_without_its_query(server: Echo) -> None:
    answer, body = ask(server, "/a%20page?again=1")
    assert (answer.status, body, answer.headers["Content-Type"]) == (
        200,
        b"/a page",
        "text/plain; charset=utf-8",
    )
    assert answer.headers["Cache-Control"] == "no-store"
    asked, nothing = ask(server, "/a%20page", "HEAD")
    assert (asked.status, nothing, asked.headers["Content-Length"]) == (200, b"", "7")


def test_a_name_that_others_give_to_this_machine_is_not_answered(server: Echo) -> None:
    answer, _ = ask(server, "/", host=f"localhost:{server.server_port}")
    assert answer.status == 200
    for host in (f"elsewhere.example:{server.server_port}", "127.0.0.1", ""):
        answer, body = ask(server, "/", host=host)
        assert (answer.status, body) == (421, b"There is no such host here.\n")


def test_a_port_that_is_taken_is_named(server: Echo) -> None:
    with pytest.raises(UserError, match=rf"port {server.server_port}: .*--port"):
        Echo(server.server_port)
