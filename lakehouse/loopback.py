"""Serves pages to a browser on this machine, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn

from flask import Flask, Request, Response, abort, request
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from glue_jobs.runtime.errors import UserError

_HOST = "127.0.0.1"

_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


class LoopbackServer(ThreadedWSGIServer):
    """A server that is bound to its port from its creation on; `serve_forever` serves.

    Args:
        app: The pages; whoever calls from elsewhere is refused for it.
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken.
    """

    def __init__(self, app: Flask, port: int) -> None:
        app.before_request_funcs.setdefault(None, []).insert(0, refuse_others)
        app.after_request(_guard)
        # The library ends the process where a port is taken.
        try:
            super().__init__(_HOST, port, app, handler=_Handler)
        except (OSError, SystemExit) as error:
            problem = f"Nothing can be served on port {port}: {_why(error)}."
            raise UserError(problem, "Choose another with --port.") from error

    @property
    def url(self) -> str:
        """Where the front page is."""
        return f"http://{_HOST}:{self.server_port}/"


@dataclass(frozen=True)
class Answer:
    """What a request is answered with.

    Attributes:
        status: The status of HTTP.
        body: The octets of the page.
        content_type: Their type, with its character set where it has one.
        headers: Further headers, by name.
    """

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def answering(reply: Callable[[Request], Answer]) -> Flask:
    """An application that answers every request by one function.

    Args:
        reply: What to say to a request.
    """
    app = Flask("lakehouse.loopback", static_folder=None)

    # Before it is routed: what is there for which method and path is the function's to say.
    @app.before_request
    def answer() -> Response:
        found = reply(request)
        response = Response(found.body, found.status, content_type=found.content_type)
        response.headers.update(found.headers)
        return response

    return app


def refuse_others() -> None:
    """Refuse a request that names another host, or that the page of another origin makes.

    A page of somebody else may lead here, as a link does; it may neither read what is here nor send anything.
    """
    hosts = [f"{name}:{request.environ['SERVER_PORT']}" for name in (_HOST, "localhost")]
    if request.headers.get("Host") not in hosts:
        _refuse("There is no such host here.\n", HTTPStatus.MISDIRECTED_REQUEST)
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    follows_a_link = request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Mode") == "navigate"
    is_foreign = origin is not None and origin.removeprefix("http://") not in hosts
    if is_foreign or (site not in ("none", "same-origin") and not follows_a_link):
        _refuse("No other page may ask.\n", HTTPStatus.FORBIDDEN)


def _refuse(text: str, status: int) -> NoReturn:
    abort(Response(text, status, mimetype="text/plain"))


def _why(error: BaseException) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is taken"


def _guard(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Nothing is said of a page that is read."""
