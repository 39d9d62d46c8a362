"""Requests as a function gets them from an HTTP API, in payload format 2.0, and what becomes of its answer.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from local_aws.gateway.tokens import Authorizer, Claims, Unauthorized

_LOG = logging.getLogger(__name__)

Event = dict[str, Any]

Handler = Callable[[Event, Any], Any]
"""A function as Lambda calls it."""

ACCOUNT, STAGE, ROUTE = "123456789012", "$default", "$default"


@dataclass(frozen=True)
class GatewayRequest:
    """A request that came in.

    Attributes:
        method: Its method.
        path: The path as it was sent.
        query: What followed the question mark, as it was sent.
        headers: Names and values, in the order in which they came.
        source: The address of who asks.
        body: What it holds.
    """

    method: str
    path: str
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    source: str = "127.0.0.1"
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header; several are joined by commas."""
        return _joined(self.headers).get(name.lower())


@dataclass(frozen=True)
class GatewayAnswer:
    """What goes out."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def event_of(
    request: GatewayRequest, api: str, request_id: str, at: datetime, claims: Claims | None
) -> Event:
    """The event that a function gets.

    Args:
        request: What came in.
        api: The API's identifier.
        request_id: Names the request.
        at: When it came, UTC.
        claims: Of its token, where one is asked for.
    """
    headers = _joined(request.headers)
    cookies = [one for one in headers.pop("cookie", "").split("; ") if one]
    context: Event = {
        "accountId": ACCOUNT,
        "apiId": api,
        "domainName": headers.get("host", ""),
        "domainPrefix": api,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": ROUTE,
        "stage": STAGE,
        "time": at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(at.timestamp() * 1000),
    }
    if claims is not None:
        said = {name: _claim(value) for name, value in claims.items()}
        context["authorizer"] = {"jwt": {"claims": said, "scopes": None}}
    event: Event = {
        "version": "2.0",
        "routeKey": ROUTE,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _joined(
            parse_qsl(request.query, keep_blank_values=True), lower=False
        )
    if request.body:
        event["body"], event["isBase64Encoded"] = base64.b64encode(request.body).decode(), True
    return event


def answer_of(returned: Any) -> GatewayAnswer:
    """What goes out of what a function returned.

    Raises:
        TypeError: It returned nothing that an HTTP API understands.
    """
    if not isinstance(returned, dict) or not isinstance(returned.get("statusCode"), int):
        raise TypeError("the function returned no statusCode")
    body = returned.get("body") or ""
    if not isinstance(body, str):
        raise TypeError("the function returned a body that is no text")
    octets = base64.b64decode(body) if returned.get("isBase64Encoded") else body.encode()
    headers = {str(name): str(value) for name, value in (returned.get("headers") or {}).items()}
    return GatewayAnswer(returned["statusCode"], headers, octets)


@dataclass
class HttpApi:
    """An API whose one route, ``$default``, is a function.

    Attributes:
        handler: The function. It is called for one request at a time, as Lambda does within a container.
        authorizer: Who is let in; everybody where there is none.
    """

    handler: Handler
    authorizer: Authorizer | None = None
    _api: str = field(default_factory=lambda: uuid.uuid4().hex[:10], init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def answer(self, request: GatewayRequest) -> GatewayAnswer:
        """The answer to a request."""
        claims = None
        if self.authorizer is not None:
            try:
                claims = self.authorizer.authorize(request.header("authorization"))
            except Unauthorized as why:
                _LOG.info("%s %s was not let in: %s", request.method, request.path, why)
                return _message(401, "Unauthorized", {"www-authenticate": "Bearer"})
        event = event_of(request, self._api, uuid.uuid4().hex, datetime.now(UTC), claims)
        try:
            with self._lock:
                return answer_of(self.handler(event, None))
        except Exception:  # noqa: BLE001 - the boundary to a function: AWS says no more than this, either
            _LOG.exception("the function failed")
            return _message(500, "Internal Server Error")


def _message(status: int, words: str, headers: Mapping[str, str] | None = None) -> GatewayAnswer:
    body = json.dumps({"message": words}).encode()
    return GatewayAnswer(status, {"content-type": "application/json", **(headers or {})}, body)


def _joined(pairs: Sequence[tuple[str, str]], *, lower: bool = True) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower() if lower else name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}


def _claim(value: Any) -> str:
    """A claim as an HTTP API hands it on: a text, a list in brackets."""
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)
