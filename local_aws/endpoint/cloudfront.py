"""What moto's CloudFront lacks and a deployment needs: publishing functions, policies of response headers.

Distributions are deployed at once here; on AWS that takes minutes, and Terraform waits for it.
"""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from moto.moto_api import state_manager
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from local_aws.endpoint.layers import Layer

_PUBLISH = re.compile(r"^/2020-05-31/function/(?P<name>[^/]+)/publish$")
_POLICY = re.compile(r"^/2020-05-31/response-headers-policy(?:/(?P<id>[^/]+))?$")
_NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
_MODIFIED = "2026-01-01T00:00:00Z"


class _Policies:
    """Policies of response headers, by id: what they state, as XML."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, bytes] = {}

    def handle(self, method: str, known: str | None, body: bytes) -> tuple[int, str, bytes]:
        """Status, the policy's id and what it states."""
        with self._lock:
            if method == "POST":
                known = str(uuid.uuid4())
            elif known not in self._known:
                return 404, "", b""
            if method == "DELETE":
                del self._known[str(known)]
                return 204, "", b""
            if method in ("POST", "PUT"):
                self._known[str(known)] = re.sub(rb"^<\?xml[^>]*\?>\s*", b"", body)
            return 201 if method == "POST" else 200, str(known), self._known[str(known)]


def cloudfront() -> Layer:
    """Make a layer that answers what moto does not, and passes on the rest."""
    state_manager.set_transition("cloudfront::distribution", {"progression": "immediate"})
    policies = _Policies()

    def layer(behind: WSGIApplication) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path, method = str(environ.get("PATH_INFO", "")), str(environ["REQUEST_METHOD"])
            if (found := _PUBLISH.match(path)) and method == "POST":
                # What is published is what was uploaded: its description is the answer.
                described = f"/2020-05-31/function/{found.group('name')}/describe"
                where = dict.fromkeys(("PATH_INFO", "RAW_URI", "REQUEST_URI"), described)
                return behind({**environ, "REQUEST_METHOD": "GET", **where}, start_response)
            if found := _POLICY.match(path):
                body = get_input_stream(environ).read()
                return _answer(start_response, *policies.handle(method, found.group("id"), body))
            return behind(environ, start_response)

        return application

    return layer


def _answer(start_response: StartResponse, status: int, known: str, configuration: bytes) -> list[bytes]:
    if status == 404:
        body = _error("NoSuchResponseHeadersPolicy", "There is no such policy of response headers.")
    elif status == 204:
        body = b""
    else:
        body = (
            f'<ResponseHeadersPolicy xmlns="{_NAMESPACE}"><Id>{known}</Id>'
            f"<LastModifiedTime>{_MODIFIED}</LastModifiedTime>"
        ).encode() + b"%s</ResponseHeadersPolicy>" % configuration
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))]
    etag = hashlib.sha256(configuration).hexdigest()[:14].upper()
    start_response(f"{status} {'OK' if status < 400 else 'Error'}", [*headers, ("ETag", etag)])
    return [body]


def _error(code: str, message: str) -> bytes:
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error></ErrorResponse>"
    ).encode()
