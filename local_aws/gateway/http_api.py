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
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl

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


class NotLetIn(Exception):  # noqa: N818 - the status that it becomes
    """A request that is not let in; the message says why, to those who run the gateway.

    Attributes:
        status: What is answered.
        words: Its message.
        headers: Its headers.
    """

    status: ClassVar[int]
    words: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}


class Gatekeeper(Protocol):
    """Says who is let in."""

    def admit(self, request: GatewayRequest) -> Event:
        """What the function is told of who asks.

        Raises:
            NotLetIn: It is not let in.
        """
        ...


@dataclass(frozen=True)
class _Arrival:
    """How a request came to a function: by which API, under which name, and when."""

    api: str
    account: str
    request_id: str
    at: datetime


def event_of(request: GatewayRequest, arrival: _Arrival, authorizer: Event | None) -> Event:
    """The event that a function gets.

    Args:
        request: What came in.
        arrival: How it came.
        authorizer: What is said of who asks, where somebody was asked who it is.
    """
    headers = _joined(request.headers)
    cookies = [one for one in headers.pop("cookie", "").split("; ") if one]
    context: Event = {
        "accountId": arrival.account,
        "apiId": arrival.api,
        "domainName": headers.get("host", ""),
        "domainPrefix": arrival.api,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": arrival.request_id,
        "routeKey": ROUTE,
        "stage": STAGE,
        "time": arrival.at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(arrival.at.timestamp() * 1000),
    }
    if authorizer is not None:
        context["authorizer"] = authorizer
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
        api: Its identifier.
        account: The account that it is in.
    """

    handler: Handler
    authorizer: Gatekeeper | None = None
    api: str = field(default_factory=lambda: uuid.uuid4().hex[:10])
    account: str = ACCOUNT
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def answer(self, request: GatewayRequest) -> GatewayAnswer:
        """The answer to a request."""
        try:
            admitted = None if self.authorizer is None else self.authorizer.admit(request)
        except NotLetIn as why:
            _LOG.info("%s %s was not let in: %s", request.method, request.path, why)
            return message(why.status, why.words, why.headers)
        arrival = _Arrival(self.api, self.account, uuid.uuid4().hex, datetime.now(UTC))
        event = event_of(request, arrival, admitted)
        try:
            with self._lock:
                return answer_of(self.handler(event, None))
        except Exception:  # noqa: BLE001 - the boundary to a function: AWS says no more than this, either
            _LOG.exception("the function failed")
            return message(500, "Internal Server Error")


def message(status: int, words: str, headers: Mapping[str, str] | None = None) -> GatewayAnswer:
    """What an HTTP API answers itself."""
    body = json.dumps({"message": words}).encode()
    return GatewayAnswer(status, {"content-type": "application/json", **(headers or {})}, body)


def _joined(pairs: Sequence[tuple[str, str]], *, lower: bool = True) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower() if lower else name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}
