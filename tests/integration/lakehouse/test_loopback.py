"""Every web server of the stack is there for programs of this machine, and for no page of somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from flask import Flask, Response, request

from glue_jobs.runtime.errors import UserError
from lakehouse.loopback import LoopbackServer
from tests.integration.lakehouse.web import ask
from tools.browser import serving


def echo() -> Flask:
    app = Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def say(path: str = "") -> Response:
        return Response(
            request.get_data() or f"/{path}", headers={"Cache-Control": "no-store"}, mimetype="text/plain"
        )

    return app


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(echo(), 0) as made, serving(made):
        yield made


def test_it_listens_on_this_machine_alone(server: LoopbackServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_path_arrives_unquoted_and_without_its_query(server: LoopbackServer) -> None:
    answer, body = ask(server, "/a%20page?again=1")
    assert (answer.status, body, answer.headers["Content-Type"]) == (
        200,
        b"/a page",
        "text/plain; charset=utf-8",
    )
    assert answer.headers["Cache-Control"] == "no-store"
    asked, nothing = ask(server, "/a%20page", "HEAD")
    assert (asked.status, nothing, asked.headers["Content-Length"]) == (200, b"", "7")


def test_a_name_that_others_give_to_this_machine_is_not_answered(server: LoopbackServer) -> None:
    answer, _ = ask(server, "/", host=f"localhost:{server.server_port}")
    assert answer.status == 200
    for host in (f"elsewhere.example:{server.server_port}", "127.0.0.1", ""):
        answer, body = ask(server, "/", host=host)
        assert (answer.status, body) == (421, b"There is no such host here.\n")


def test_a_port_that_is_taken_is_named(server: LoopbackServer) -> None:
    with pytest.raises(UserError, match=rf"port {server.server_port}: .*--port"):
        LoopbackServer(echo(), server.server_port)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://elsewhere.example"}, 403),
        ("POST", {"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", {}, 200),
    ],
)
def test_the_page_of_somebody_else_may_lead_here_and_send_nothing(
    server: LoopbackServer, method: str, headers: dict[str, str], status: int
) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    own = server.url.rstrip("/")
    connection.request(
        method,
        "/",
        body=b"" if method == "POST" else None,
        headers={name: value.format(own=own) for name, value in headers.items()},
    )
    assert connection.getresponse().status == status
    connection.close()
