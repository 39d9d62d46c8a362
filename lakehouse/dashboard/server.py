"""Serves the dashboard to a browser on this machine. Every look reads anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from bi.dashboard import Dashboard
from lakehouse.dashboard import vega
from lakehouse.dashboard.page import ASSETS, render
from lakehouse.dashboard.sources import Source
from lakehouse.loopback import Answer, PageServer
from sites.validation.health import Health

# Scripts and styles of this server alone, and no text that becomes code.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'"
_GUARDED = {"Content-Security-Policy": _POLICY}
_FRESH = {**_GUARDED, "Cache-Control": "no-store"}
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class DashboardServer(PageServer):
    """The sheets of the dashboard, and the scripts and styles that they load.

    Args:
        dashboard: What is declared.
        source: What is asked at every look.
        kept: A folder in which the charting library is kept, once it has been unpacked.
        port: The port on 127.0.0.1; 0 lets the operating system choose.
        health: Gives the state of the data, which every sheet shows at its head.

    Raises:
        UserError: The port is taken.
    """

    def __init__(
        self,
        dashboard: Dashboard,
        source: Source,
        kept: Path,
        port: int,
        health: Callable[[], Health] | None = None,
    ) -> None:
        self.dashboard = dashboard
        self.source = source
        self.health = health
        self.assets = {path.name: path.read_bytes() for path in ASSETS.iterdir() if path.suffix in _TYPES}
        self.assets["vega.js"] = vega.script(kept)
        super().__init__(port)

    def answer(self, path: str) -> Answer:
        """A sheet, an asset, or for the front page the way to the first sheet."""
        name = path.removeprefix("/")
        sheets = self.dashboard.declared.sheets
        asset = self.assets.get(name.removeprefix("assets/")) if name.startswith("assets/") else None
        if not name:
            return Answer(HTTPStatus.FOUND, b"", headers={"Location": f"/{next(iter(sheets))}"})
        if asset is not None:
            return Answer(HTTPStatus.OK, asset, _TYPES[Path(name).suffix], _GUARDED)
        if name in sheets:
            return Answer(HTTPStatus.OK, self._sheet(name).encode(), "text/html; charset=utf-8", _FRESH)
        return Answer(HTTPStatus.NOT_FOUND, b"There is no such sheet.\n")

    def _sheet(self, name: str) -> str:
        visuals = self.dashboard.sheets_on(self.source.engine)[name].visuals.values()
        queries = {visual.query: self.dashboard.queries[visual.query] for visual in visuals}
        reading = self.source.read(queries)
        health = None if self.health is None else self.health()
        return render(self.dashboard, name, self.source, reading, datetime.now(UTC), health)
