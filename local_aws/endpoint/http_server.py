"""The HTTP server in front of the layers: werkzeug's, with connections that live longer than one request.

werkzeug closes each connection after its answer, so that every call would open one and start a thread. AWS
keeps connections open, and so do its clients.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.exceptions import ClientDisconnected, InternalServerError
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.wsgi import LimitedStream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOG = logging.getLogger(__name__)
_NO_BODY = frozenset({204, 304})


class HttpServer(ThreadedWSGIServer):
    """Serves an application on a socket that is bound already, each connection on a thread of its own.

    Args:
        host: The address that the socket is bound to.
        port: Its port.
        application: What answers.
        descriptor: The socket's.
    """

    def __init__(self, host: str, port: int, application: WSGIApplication, descriptor: int) -> None:
        super().__init__(host, port, application, _RequestHandler, fd=descriptor)
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        self.ends = False
        """Whether no further request is taken on any connection."""

    def begin(self, connection: socket.socket) -> None:
        """Note that a connection is open."""
        with self._connections_lock:
            self._connections.add(connection)
            if self.ends:
                _hear_no_more(connection)

    def end(self, connection: socket.socket) -> None:
        """Note that a connection ends."""
        with self._connections_lock:
            self._connections.discard(connection)

    def end_connections(self) -> None:
        """Take no further request on any connection; what is asked already is still answered."""
        with self._connections_lock:
            self.ends = True
            for connection in self._connections:
                _hear_no_more(connection)


def _hear_no_more(connection: socket.socket) -> None:
    # The client may have gone first.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


class _Response:
    """One answer on its way to the client."""

    def __init__(self, handler: _RequestHandler) -> None:
        self._handler = handler
        self._status: tuple[int, str] | None = None
        self._headers: list[tuple[str, str]] = []
        self._chunked = False
        self.begun = False

    def start(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        """WSGI's `start_response`."""
        code, _, message = status.partition(" ")
        self._status, self._headers = (int(code), message), headers
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body, after the head."""
        if not self.begun:
            self._begin()
        if not data or not self._has_body:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._handler.wfile.write(data)

    def end(self) -> None:
        """Send what is left."""
        if not self.begun:
            self._begin()
        if self._chunked:
            self._handler.wfile.write(b"0\r\n\r\n")
        self._handler.wfile.flush()

    @property
    def _has_body(self) -> bool:
        code = 0 if self._status is None else self._status[0]
        return self._handler.command != "HEAD" and code >= 200 and code not in _NO_BODY

    def _begin(self) -> None:
        if self._status is None:
            raise RuntimeError("the application has not begun its answer")
        self.begun = True
        handler = self._handler
        handler.send_response(*self._status)
        for name, value in self._headers:
            handler.send_header(name, value)
        if self._has_body and "content-length" not in {name.lower() for name, _ in self._headers}:
            if handler.request_version >= "HTTP/1.1":
                self._chunked = True
                handler.send_header("Transfer-Encoding", "chunked")
            else:
                handler.close_connection = True
        # What is asked after this answer is not heard, though bytes may have come before that was said.
        handler.close_connection = handler.close_connection or handler.server.ends
        if handler.close_connection:
            handler.send_header("Connection", "close")
        handler.end_headers()


class _RequestHandler(MotoRequestHandler):
    """Answers the requests of one connection, without a line per request."""

    protocol_version = "HTTP/1.1"
    server: HttpServer
    # Head and body leave together, and at once.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Begin a connection."""
        super().setup()
        self.server.begin(self.connection)

    def finish(self) -> None:
        """End it."""
        self.server.end(self.connection)
        super().finish()

    def log_request(self, *_: Any) -> None:
        """Say nothing: requests are many, and their paths are the callers' business."""

    def handle_expect_100(self) -> bool:
        """Let a client send its body that waits for a word."""
        going_on = bool(super().handle_expect_100())
        self.wfile.flush()
        return going_on

    def run_wsgi(self) -> None:
        """Answer one request, and leave the connection where the next one begins."""
        environ = self.make_environ()
        body = None
        if "wsgi.input_terminated" in environ:
            # A body in chunks may be left unread, and where it ends is not known then.
            self.close_connection = True
        else:
            body = LimitedStream(cast("IO[bytes]", self.rfile), int(environ.get("CONTENT_LENGTH") or 0))
            environ |= {"wsgi.input": body, "wsgi.input_terminated": True}
        response = _Response(self)
        try:
            self._send(self.server.app(environ, response.start), response)
            if body is not None:
                body.exhaust()
        except (OSError, ClientDisconnected):
            self.close_connection = True
        except Exception:  # noqa: BLE001 - the client is told, the log gets it in full
            _LOG.exception("a request failed inside the laptop stack")
            self.close_connection = True
            if not response.begun:
                self._send(InternalServerError()(environ, response.start), response)

    @staticmethod
    def _send(parts: Iterable[bytes], response: _Response) -> None:
        try:
            for part in parts:
                response.write(part)
            response.end()
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
