"""How a part of the stack answers AWS requests itself, in front of moto.

A *layer* is a WSGI middleware: it takes the application behind it and returns an application. `json_service`
makes one for the services that speak JSON with an `X-Amz-Target` header (Athena, Glue): a handler answers the
actions that it knows and lets the rest pass to moto.
"""

from __future__ import annotations

import io
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Layer = Callable[[WSGIApplication], WSGIApplication]

_LOG = logging.getLogger(__name__)
HEALTH_PATH = "/_lakehouse/health"
CREDENTIALS_PATH = "/_lakehouse/credentials/"
"""Begins the paths at which jobs fetch the keys of their sessions."""
_CONTENT_TYPE = "application/x-amz-json-1.1"


class ServiceError(Exception):
    """An error that the caller of an AWS action gets to see.

    Args:
        code: The exception's name in the service's API, e.g. `EntityNotFoundException`.
        message: What is wrong, for a person.
        status: The HTTP status, 400 for what the caller did, 500 for what the service did.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class JsonHandler(Protocol):
    """Answers some actions of a JSON service; called from several threads at once."""

    def handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Answer an action.

        Args:
            action: The action's name, e.g. `StartJobRun`.
            payload: The request, as in the service's API.

        Returns:
            The response, as in the service's API, or None to let moto answer. Datetimes become epoch seconds.

        Raises:
            ServiceError: What the caller is told instead.
        """


def json_service(target_prefix: str, handler: JsonHandler) -> Layer:
    """Make a layer that puts a handler in front of moto for one JSON service.

    Args:
        target_prefix: What stands before the dot in `X-Amz-Target`, e.g. `AmazonAthena` or `AWSGlue`.
        handler: Answers the actions that it knows.

    Returns:
        The layer.
    """

    def layer(behind: WSGIApplication) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            service, _, action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
            if service != target_prefix or not action:
                return behind(environ, start_response)
            body = get_input_stream(environ).read()
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
            status, answer = _answer(handler, action, body)
            if answer is None:
                return behind(environ, start_response)
            return respond(start_response, status, answer)

        return application

    return layer


def health(describe: Callable[[], dict[str, Any]]) -> Layer:
    """Make a layer that answers the readiness check.

    Args:
        describe: Returns what to tell beside `"status": "ok"`.

    Returns:
        The layer; it answers `GET /_lakehouse/health` with JSON.
    """

    def layer(behind: WSGIApplication) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ.get("PATH_INFO") != HEALTH_PATH:
                return behind(environ, start_response)
            return respond(start_response, 200, {"status": "ok", **describe()}, "application/json")

        return application

    return layer


def _answer(handler: JsonHandler, action: str, body: bytes) -> tuple[int, dict[str, Any] | None]:
    try:
        return 200, handler.handle(action, json.loads(body or b"{}"))
    except ServiceError as error:
        return error.status, {"__type": error.code, "message": error.message, "Message": error.message}
    except Exception:  # noqa: BLE001
        # A fault of the stack's own must reach the log in full, and the caller as an error it can read.
        _LOG.exception("%s failed inside the laptop stack", action)
        message = f"{action} failed inside the laptop stack; its log has the details"
        return 500, {"__type": "InternalServerException", "message": message, "Message": message}


def respond(
    start_response: StartResponse, status: int, answer: dict[str, Any], content_type: str = _CONTENT_TYPE
) -> list[bytes]:
    """Answer with JSON; datetimes become epoch seconds."""
    content = json.dumps(answer, default=_epoch_seconds).encode()
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(content))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
    return [content]


def _epoch_seconds(value: Any) -> float:
    timestamp = getattr(value, "timestamp", None)
    if timestamp is None:
        raise TypeError(f"{type(value).__name__} cannot stand in a JSON answer")
    return float(timestamp())
