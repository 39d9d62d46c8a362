"""A web server for a browser on this machine, and for nobody else; the stack's pages come from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from glue_jobs.runtime.errors import UserError

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What a path is answered with.

    Attributes:
        status: The status of HTTP.
        body: The octets of the page.
        content_type: Their type, with its character set where it has one.
        headers: Further headers, by name.
    """

    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What is asked of a server.

    Attributes:
        method: The method of HTTP.
        target: Path and query as they were sent.
        headers: Names and values, in the order in which they came.
        body: What was sent with it.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class LoopbackServer(ABC, ThreadingHTTPServer):
    """A server that is bound to its port from its creation on; `serve_forever` serves.

    Args:
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken.
    """

    daemon_threads = True

    @property
    def handler(self) -> type[Handler]:
        """What reads requests."""
        return Handler

    def __init__(self, port: int) -> None:
        try:
            super().__init__((_HOST, port), self.handler)
        except OSError as error:
            raise UserError(
                f"Nothing can be served on port {port}: {error.strerror}.", "Choose another with --port."
            ) from error

    @property
    def url(self) -> str:
        """Where the front page is."""
        return f"http://{_HOST}:{self.server_port}/"

    def knows(self, host: str | None) -> bool:
        """Whether a ``Host`` header names this server, and not a name that others give to this machine."""
        return host in (f"{_HOST}:{self.server_port}", f"localhost:{self.server_port}")

    @abstractmethod
    def reply(self, asked: Asked) -> Answer:
        """What to say to a request."""


class PageServer(LoopbackServer):
    """A server of pages, which go by their paths alone."""

    def reply(self, asked: Asked) -> Answer:
        """See :meth:`LoopbackServer.reply`."""
        return self.answer(unquote(urlsplit(asked.target).path))

    @abstractmethod
    def answer(self, path: str) -> Answer:
        """What to say of a path, unquoted and without its query."""


class Handler(BaseHTTPRequestHandler):
    """Reads requests that this machine's own programs and pages send, and refuses those of others."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.server.knows(self.headers.get("Host")):
            self._send(Answer(HTTPStatus.MISDIRECTED_REQUEST, b"There is no such host here.\n"))
        elif self._is_from_another_page():
            self._send(Answer(HTTPStatus.FORBIDDEN, b"No other page may ask.\n"))
        else:
            self._send(self.server.reply(Asked(self.command, self.path, tuple(self.headers.items()), body)))

    def _is_from_another_page(self) -> bool:
        """Whether the page of another origin asks, in place of a person who follows a link."""
        origin = self.headers.get("Origin")
        if origin is not None and not self.server.knows(origin.removeprefix("http://")):
            return True
        site = self.headers.get("Sec-Fetch-Site", "none")
        return site not in ("none", "same-origin") and self.headers.get("Sec-Fetch-Mode") != "navigate"

    do_HEAD = do_GET  # noqa: N815 - the name that the library asks for

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        stated = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "SAMEORIGIN",
            **answer.headers,
        }
        for name, value in stated.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Nothing is said of a page that is read."""
