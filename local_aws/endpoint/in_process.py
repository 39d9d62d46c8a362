"""Requests to an endpoint of this very process go straight to its layers, without a socket and a thread.

What travels is the same, request and answer. The way over the network is about half of what a small request
takes, and a query of Athena's asks for dozens of tables, partitions and listings. Bodies are held whole, so
this is for small ones.
"""

from __future__ import annotations

import io
from contextvars import Context
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from urllib3 import HTTPHeaderDict, HTTPResponse

if TYPE_CHECKING:
    from local_aws.endpoint.app import Endpoint

_PIECE = 1 << 20


def without_a_socket(client: Any, endpoint: Endpoint, *operations: str) -> Any:
    """Have a client reach an endpoint of this process by a call while that serves.

    Args:
        client: A boto3 client of the endpoint.
        endpoint: The endpoint.
        operations: What is asked so, of small bodies and answers; everything where none is named.

    Returns:
        The client.
    """

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        return sent(endpoint, request) if endpoint.is_serving else None

    service = client.meta.service_model.service_id.hyphenize()
    for operation in operations or ("*",):
        client.meta.events.register(f"before-send.{service}.{operation}", send)
    return client


def sent(endpoint: Endpoint, request: AWSPreparedRequest) -> AWSResponse:
    """An endpoint's answer as botocore has it from the network."""
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
        answer = endpoint.application(environ_of(request), start_response)
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
