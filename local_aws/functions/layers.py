"""What moto's Lambda lacks: calls of functions, and their code where S3 is the stack's own."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.wsgi import get_input_stream

from local_aws.endpoint.layers import ServiceError, respond
from local_aws.functions.runner import FunctionError, FunctionRunner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_s3 import S3Client

    from local_aws.endpoint.layers import Layer

CALLED = re.compile(r"^/2015-03-31/functions/([^/]+)/invocations/?$")
_CODE = re.compile(r"^/2015-03-31/functions(?:/[^/]+/code)?/?$")


def calls(runner: FunctionRunner) -> Layer:
    """Make a layer that answers Lambda's action Invoke.

    Args:
        runner: Calls the functions.
    """

    def layer(behind: WSGIApplication) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            found = CALLED.match(str(environ.get("PATH_INFO", "")))
            if found is None or environ["REQUEST_METHOD"] != "POST":
                return behind(environ, start_response)
            event = json.loads(get_input_stream(environ).read() or b"{}")
            waits = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse") != "Event"
            try:
                return _answer(runner, unquote(found[1]), event, start_response, waits=waits)
            except ServiceError as error:
                told = {"Type": "User", "Message": error.message}
                return _said(start_response, error.status, told, ("x-amzn-ErrorType", error.code))

        return application

    return layer


def _answer(
    runner: FunctionRunner, name: str, event: Any, start_response: StartResponse, *, waits: bool
) -> Iterable[bytes]:
    if not waits:
        runner.call_later(name, event)
        return _said(start_response, 202, None)
    try:
        return _said(start_response, 200, runner.call(name, event))
    except FunctionError as error:
        return _said(start_response, 200, error.error, ("X-Amz-Function-Error", "Unhandled"))


def _said(start_response: StartResponse, status: int, answer: Any, *headers: tuple[str, str]) -> list[bytes]:
    content = b"" if status == 202 else json.dumps(answer).encode()
    stated = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *headers]
    start_response(f"{status} {'OK' if status < 300 else 'Error'}", stated)
    return [content]


def code_from_s3(s3: S3Client) -> Layer:
    """Make a layer that hands moto the bytes of a function's zip, which it would look for in its own S3.

    Args:
        s3: A boto3 ``s3`` client that asks for whom its thread works.
    """

    def layer(behind: WSGIApplication) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] not in ("POST", "PUT") or not _CODE.match(str(environ["PATH_INFO"])):
                return behind(environ, start_response)
            payload = json.loads(get_input_stream(environ).read())
            stated = payload.get("Code", payload)
            if "S3Key" in stated:
                bucket, key = stated.pop("S3Bucket"), stated.pop("S3Key")
                try:
                    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                except s3.exceptions.NoSuchKey:
                    message = "Error occurred while GetObject. S3 Error Code: NoSuchKey."
                    return respond(start_response, 400, {"Type": "User", "Message": message})
                stated["ZipFile"] = base64.b64encode(body).decode()
            content = json.dumps(payload).encode()
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(content), str(len(content))
            return behind(environ, start_response)

        return application

    return layer
