"""Asking one of the stack's web servers without a browser."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPResponse

from lakehouse.loopback import LoopbackServer


def ask(
    server: LoopbackServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[HTTPResponse, bytes]:
    """The answer to a request, and its body; `host` stands in its header if it is not the server's own."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()
