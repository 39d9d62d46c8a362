"""The console's web application: each page reads what it shows when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, redirect
from werkzeug.exceptions import HTTPException

from glue_jobs.runtime.athena import QueryFailed
from glue_jobs.runtime.errors import UserError
from lakehouse.console.documents import Documents
from lakehouse.console.frame import NO_PAGE, POLICY, Frame
from lakehouse.console.pages import (
    Sheets,
    add_catalog,
    add_dashboard,
    add_documents,
    add_operations,
    add_query,
    questions_of,
)
from lakehouse.console.reading import Reading
from lakehouse.dashboard import vega
from lakehouse.dashboard.page import ASSETS
from sites.frame import FOLDER
from sites.validation.health import Health

_OWN_ASSETS = Path(__file__).parent / "assets"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class Parts:
    """What the console is made of.

    Attributes:
        sheets: The dashboard.
        documents: The documentation.
        health: Gives the state of the data, which every page shows at its head.
        reading: The lake, as a role reads it; without one there are dashboard and documentation alone.
        account: What the lake on AWS is called, in words; nothing for a stack.
    """

    sheets: Sheets
    documents: Documents
    health: Callable[[], Health]
    reading: Reading | None = None
    account: str | None = None


def create_app(parts: Parts) -> Flask:
    """The pages.

    Args:
        parts: What they show.
    """
    app = Flask("lakehouse.console", static_folder=None)
    app.url_map.strict_slashes = False
    role = None if parts.reading is None else parts.reading.role
    frame = Frame(parts.sheets.dashboard.declared.title, parts.health, role, parts.account)
    _add_errors(app, frame)
    _add_assets(app, parts.sheets.kept, frame)
    add_dashboard(app, parts.sheets, frame)
    add_documents(app, parts.documents, frame)
    if parts.reading is None:
        app.add_url_rule("/", view_func=lambda: redirect("/dashboard/"), endpoint="overview")
    else:
        questions = questions_of(parts.reading)
        add_operations(app, parts.reading, frame)
        add_catalog(app, parts.reading, questions, frame)
        add_query(app, parts.reading, questions, parts.sheets.dashboard, frame)
    return app


def _add_assets(app: Flask, kept: Path, frame: Frame) -> None:
    folders = (FOLDER, ASSETS, _OWN_ASSETS)
    files = [path for folder in folders for path in folder.iterdir() if path.suffix in _TYPES]
    assets = {path.name: path.read_bytes() for path in files} | {"vega.js": vega.script(kept)}

    @app.get("/assets/<name>")
    def asset(name: str) -> Response:
        if name not in assets:
            return frame.problem(*NO_PAGE, HTTPStatus.NOT_FOUND)
        headers = {"Content-Security-Policy": POLICY}
        return Response(assets[name], headers=headers, content_type=_TYPES[Path(name).suffix])


def _add_errors(app: Flask, frame: Frame) -> None:
    @app.errorhandler(UserError)
    def refused(error: UserError) -> Response:
        return frame.problem(error.problem, error.remedy, HTTPStatus.BAD_REQUEST)

    @app.errorhandler(QueryFailed)
    def failed(error: QueryFailed) -> Response:
        return frame.problem(f"Athena refuses: {error}", "Correct the query.", HTTPStatus.BAD_REQUEST)

    @app.errorhandler(BotoCoreError)
    @app.errorhandler(ClientError)
    def ended(error: BotoCoreError | ClientError) -> Response:
        return frame.problem(*frame.unread(error), HTTPStatus.BAD_GATEWAY)

    @app.errorhandler(HTTPStatus.NOT_FOUND)
    def unknown(_error: HTTPException) -> Response:
        return frame.problem(*NO_PAGE, HTTPStatus.NOT_FOUND)
