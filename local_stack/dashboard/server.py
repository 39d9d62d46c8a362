"""Serves the dashboard to a browser on this machine, and to nobody else. Every look reads anew."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from catalog.dashboard import Dashboard
from glue_jobs.runtime.errors import UserError
from local_stack.dashboard import vega
from local_stack.dashboard.page import ASSETS, render
from local_stack.dashboard.sources import Source

_HOST = "127.0.0.1"

# Scripts and styles of this server alone, and no text that becomes code.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'"
_TYPES = {".css": "text/css", ".js": "text/javascript"}


class DashboardServer(ThreadingHTTPServer):
    """The server, bound to its port from its creation on; `serve_forever` serves.

    Args:
        dashboard: What is declared.
        source: What is asked at every look.
        kept: A folder in which the charting library is kept, once it has been unpacked.
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken.
    """

    daemon_threads = True

    def __init__(self, dashboard: Dashboard, source: Source, kept: Path, port: int) -> None:
        self.dashboard = dashboard
        self.source = source
        self.assets = {path.name: path.read_bytes() for path in ASSETS.iterdir() if path.suffix in _TYPES}
        self.assets["vega.js"] = vega.script(kept)
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise UserError(
                f"Nothing can be served on port {port}: {error.strerror}.", "Choose another with --port."
            ) from error

    @property
    def url(self) -> str:
        """Where the first sheet is."""
        return f"http://{_HOST}:{self.server_port}/"

    def sheet(self, name: str) -> str:
        """The page of a sheet, read now."""
        visuals = self.dashboard.sheets_on(self.source.engine)[name].visuals.values()
        queries = {visual.query: self.dashboard.queries[visual.query] for visual in visuals}
        reading = self.source.read(queries)
        return render(self.dashboard, name, self.source, reading, datetime.now(UTC))


class _Handler(BaseHTTPRequestHandler):
    server: DashboardServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # A name that somebody else's DNS gives to this machine is none of ours.
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{_HOST}:{port}", f"localhost:{port}"):
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"There is no such host here.\n", "text/plain")
            return
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        sheets = self.server.dashboard.declared.sheets
        asset = self.server.assets.get(name.removeprefix("assets/")) if name.startswith("assets/") else None
        if not name:
            self._answer(HTTPStatus.FOUND, b"", "text/plain", Location=f"/{next(iter(sheets))}")
        elif asset is not None:
            self._answer(HTTPStatus.OK, asset, _TYPES[Path(name).suffix])
        elif name in sheets:
            self._answer(HTTPStatus.OK, self.server.sheet(name).encode(), "text/html")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"There is no such sheet.\n", "text/plain")

    do_HEAD = do_GET  # noqa: N815 - the name that the library asks for

    def _answer(self, status: HTTPStatus, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        stated = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": _POLICY,
            "Cache-Control": "no-store" if kind == "text/html" else "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            **headers,
        }
        for name, value in stated.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is said of a page that is read."""
