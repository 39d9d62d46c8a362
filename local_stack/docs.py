"""Serves the documentation bucket of a stack to a browser on this machine, and to nobody else."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.documentation.bucket import Bucket
from glue_jobs.runtime.errors import UserError

INDEX = "index.html"

_HOST = "127.0.0.1"


class DocumentationServer(ThreadingHTTPServer):
    """The server, bound to its port from its creation on; `serve_forever` serves.

    Args:
        s3: A boto3 ``s3`` client.
        bucket: The documentation bucket.
        port: The port on 127.0.0.1; 0 lets the operating system choose.

    Raises:
        UserError: The port is taken, or nothing has been built yet.
    """

    daemon_threads = True

    def __init__(self, s3: Any, bucket: str, port: int) -> None:
        if not Bucket(s3, bucket).has(INDEX):
            raise UserError(
                "No documentation has been built yet.",
                "Build it with: lakehouse run --stage build_validation_site",
            )
        self.s3 = s3
        self.bucket = bucket
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise UserError(
                f"Nothing can be served on port {port}: {error.strerror}.", "Choose another with --port."
            ) from error

    @property
    def url(self) -> str:
        """Where the front page is."""
        return f"http://{_HOST}:{self.server_port}/"

    def find(self, path: str) -> tuple[bytes, str] | None:
        """The object of a path, with its content type; a folder is its index."""
        key = path.lstrip("/")
        key = f"{key}{INDEX}" if key.endswith("/") or not key else key
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        return answer["Body"].read(), answer["ContentType"]


class _Handler(BaseHTTPRequestHandler):
    server: DocumentationServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        try:
            found = self.server.find(path)
            if found is None and not path.endswith("/") and self.server.find(f"{path}/") is not None:
                self._answer(HTTPStatus.MOVED_PERMANENTLY, b"", "text/plain", Location=quote(f"{path}/"))
                return
        except (BotoCoreError, ClientError):
            said = b"The stack does not answer: it ended meanwhile. Start it again with: lakehouse up\n"
            self._answer(HTTPStatus.BAD_GATEWAY, said, "text/plain; charset=utf-8")
            return
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n", "text/plain; charset=utf-8")
        else:
            self._answer(HTTPStatus.OK, *found)

    do_HEAD = do_GET  # noqa: N815 - the name that the library asks for

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        stated = {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-cache",
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
