"""The endpoint keeps connections open as AWS does, and each request on one is answered by itself."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from local_aws.endpoint.app import create_endpoint
from local_aws.endpoint.layers import HEALTH_PATH


def answer(environ: Any, start_response: Any) -> Any:
    """What the tests ask: some of its body, parts of unknown length, nothing, or an error."""
    path = environ["PATH_INFO"]
    if path == "/broken":
        raise ValueError("no")
    if path == "/parts":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one, ", b"", b"two"])
    if path == "/nothing":
        start_response("204 No Content", [])
        return [b"that nobody may see"]
    read = int(environ.get("HTTP_X_READ", "-1"))
    told = environ["wsgi.input"].read(read) if read else b""
    start_response("200 OK", [("Content-Length", str(len(told)))])
    return [told]


@contextmanager
def served(folder: Path, application: Any = answer) -> Iterator[http.client.HTTPConnection]:
    """A connection to an endpoint whose first layer answers all but whether it is well."""

    def layer(behind: Any) -> Any:
        return lambda environ, start_response: (
            behind if environ["PATH_INFO"] == HEALTH_PATH else application
        )(environ, start_response)

    with (
        create_endpoint(folder, extra=[layer]) as endpoint,
        closing(http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=60)) as connection,
    ):
        yield connection


def ask(connection: http.client.HTTPConnection, method: str, path: str, *more: Any) -> tuple[int, bytes]:
    connection.request(method, path, *more)
    got = connection.getresponse()
    return got.status, got.read()


def test_one_connection_carries_requests_of_all_kinds(tmp_path: Path) -> None:
    with served(tmp_path) as connection:
        connection.connect()
        socket = connection.sock
        for _ in range(3):
            assert ask(connection, "PUT", "/echo", b"all of it") == (200, b"all of it")
            assert ask(connection, "GET", "/parts") == (200, b"one, two")
            assert ask(connection, "HEAD", "/parts") == (200, b"")
            assert ask(connection, "GET", "/nothing") == (204, b"")
        assert connection.sock is socket


@pytest.mark.parametrize("read", [0, 4])
def test_a_body_that_nobody_reads_is_not_taken_for_the_next_request(tmp_path: Path, read: int) -> None:
    body = b"GET /secret HTTP/1.1\r\n\r\n" * 5_000
    with served(tmp_path) as connection:
        for _ in range(2):
            found = ask(connection, "PUT", "/echo", body, {"X-Read": str(read)})
            assert found == (200, body[:read])


def test_after_a_body_in_chunks_or_an_error_the_connection_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served(tmp_path) as connection, caplog.at_level(logging.CRITICAL):
        for path, body, status in (("/echo", iter([b"a", b"b"]), 200), ("/broken", b"", 500)):
            connection.connect()
            connection.request("PUT", path, body)
            got = connection.getresponse()
            assert (got.status, got.getheader("Connection")) == (status, "close")
            got.read()


def test_who_waits_for_a_word_before_it_sends_gets_it_once(tmp_path: Path) -> None:
    with served(tmp_path) as connection:
        connection.connect()
        connection.sock.sendall(
            b"PUT /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        word = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.sock.recv(len(word)) == word
        connection.sock.sendall(b"ok")
        assert connection.sock.recv(12) == b"HTTP/1.1 200"


def test_an_endpoint_that_stops_answers_what_was_asked_and_nothing_more(tmp_path: Path) -> None:
    asked, stopped = Event(), Event()

    def slowly(_environ: Any, start_response: Any) -> Any:
        asked.set()
        assert stopped.wait(60)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    with (
        create_endpoint(tmp_path, extra=[lambda _behind: slowly]) as endpoint,
        closing(http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=60)) as connection,
    ):
        connection.request("GET", "/")
        assert asked.wait(60)

        def end() -> None:
            endpoint.stop()
            stopped.set()

        ending = Thread(target=end)
        ending.start()
        got = connection.getresponse()
        assert (got.status, got.read()) == (200, b"done")
        ending.join()
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            ask(connection, "GET", "/")
