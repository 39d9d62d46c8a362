"""Requests to an endpoint of this very process go straight to its layers, without a socket and a thread.

Much of what a job takes in a test is the way of its many small requests. What travels is the same, request
and answer; whoever stands elsewhere (an engine's own client, another process, an endpoint that serves no
longer) is still reached, or not, over the network.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPHeaderDict, HTTPResponse

from local_aws.endpoint.app import Endpoint

_PIECE = 1 << 20
_send = URLLib3Session.send
_serving: dict[str, Endpoint] = {}


@contextmanager
def without_sockets() -> Iterator[None]:
    """Have botocore reach this process's endpoints by a call, for a while."""
    start, stop = Endpoint.start, Endpoint.stop

    def started(self: Endpoint) -> None:
        start(self)
        _serving[urlsplit(self.url).netloc] = self

    def stopped(self: Endpoint) -> None:
        _serving.pop(urlsplit(self.url).netloc, None)
        stop(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoint, "start", started)
        patch.setattr(Endpoint, "stop", stopped)
        patch.setattr(URLLib3Session, "send", _sent)
        yield


def _sent(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
    endpoint = _serving.get(urlsplit(request.url).netloc)
    if endpoint is None or not endpoint.is_serving:
        return _send(session, request)
    status, headers, body = answered(endpoint, request)
    raw = HTTPResponse(
        io.BytesIO(body),
        HTTPHeaderDict(headers),
        status,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
    )
    return AWSResponse(request.url, status, HTTPHeaders.from_pairs(headers), raw)


def answered(endpoint: Endpoint, request: AWSPreparedRequest) -> tuple[int, list[tuple[str, str]], bytes]:
    """What an endpoint answers: status, headers and body."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        begun.append((status, headers))
        return parts.append

    parts: list[bytes] = []

    def run() -> None:
        answer = endpoint._serve(environ_of(request), start_response)
        try:
            parts.extend(answer)
        finally:
            getattr(answer, "close", lambda: None)()

    # Nobody's variables but its own, as in a thread that serves.
    Context().run(run)
    ((status, headers),) = begun[-1:]
    return int(status.split()[0]), headers, b"" if request.method == "HEAD" else b"".join(parts)


def environ_of(request: AWSPreparedRequest) -> dict[str, Any]:
    """The request as a WSGI server states it."""
    address = urlsplit(request.url)
    content = _content(request.body)
    target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    stated = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": address.scheme,
        "wsgi.input": io.BytesIO(content),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(address.path or "/").decode("latin-1"),
        "QUERY_STRING": address.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": address.hostname,
        "SERVER_PORT": str(address.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": address.netloc,
    }
    # Some of botocore's are bytes.
    headers: Any = request.headers
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        stated[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    stated.pop("HTTP_TRANSFER_ENCODING", None)
    stated["CONTENT_LENGTH"] = str(len(content))
    return stated


def _content(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return b"".join(iter(lambda: body.read(_PIECE), b"")) if hasattr(body, "read") else bytes(body or b"")
