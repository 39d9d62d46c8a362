"""What the guard answers itself: how each protocol of AWS refuses, and who somebody is."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from local_aws.endpoint import s3_xml
from local_aws.endpoint.s3_errors import S3Error
from local_aws.rights.actions import REST_SERVICES
from local_aws.rights.evaluate import Principal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Problem(Exception):  # noqa: N818 - it is refused, nothing is in error
    """Why a request is refused.

    Args:
        kind: `unknown key`, `expired key`, `anonymous`, `stranger` or `denied`.
        message: What is said; of keys, what AWS says.
    """

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message or kind)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class _Words:
    """Of each protocol, the code and the message, and the status."""

    s3: tuple[int, str, str]
    json: tuple[int, str, str]
    query: tuple[int, str, str]


_NOT_FOUND = "The AWS Access Key Id you provided does not exist in our records."
_INVALID = "The security token included in the request is invalid."
_OVER = "The security token included in the request is expired"
_WORDS = {
    "unknown key": _Words(
        (403, "InvalidAccessKeyId", _NOT_FOUND),
        (400, "UnrecognizedClientException", _INVALID),
        (403, "InvalidClientTokenId", _INVALID),
    ),
    "expired key": _Words(
        (400, "ExpiredToken", "The provided token has expired."),
        (400, "ExpiredTokenException", _OVER),
        (403, "ExpiredToken", _OVER),
    ),
    "anonymous": _Words(
        (403, "AccessDenied", "Access Denied"),
        (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
    ),
    "stranger": _Words(*((403, "AccessDenied", "The stack answers no web page."),) * 3),
    "denied": _Words(
        (403, "AccessDenied", ""), (400, "AccessDeniedException", ""), (403, "AccessDenied", "")
    ),
}
_EC2 = {"unknown key": "AuthFailure", "denied": "UnauthorizedOperation"}
"""EC2 has words of its own."""


def refuse(
    problem: Problem, environ: WSGIEnvironment, start_response: StartResponse, service: str
) -> list[bytes]:
    """Answer a request that is refused, in the words of the service that was asked.

    Args:
        problem: Why.
        environ: The request.
        start_response: Takes status and headers.
        service: The service that the request was signed for.
    """
    words, more = _WORDS[problem.kind], []
    if "HTTP_X_AMZ_TARGET" in environ:
        status, code, message = words.json
        said = problem.message or message
        content = json.dumps({"__type": code, "message": said, "Message": said}).encode()
        kind = "application/x-amz-json-1.1"
    elif service in REST_SERVICES:
        _, code, message = words.json
        status, kind = 403, "application/json"
        content = json.dumps({"Message": problem.message or message}).encode()
        more = [("x-amzn-ErrorType", code)]
    elif service == "s3":
        status, code, message = words.s3
        failure = S3Error(status, code, problem.message or message)
        content, kind = s3_xml.error(failure, str(environ.get("PATH_INFO", ""))), "application/xml"
    else:
        status, code, message = words.query
        content, kind = _query_error(service, problem, code, problem.message or message), "text/xml"
    if environ.get("REQUEST_METHOD") == "HEAD":
        content = b""
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(content))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
        # What the caller still sends is not read.
        ("Connection", "close"),
        *more,
    ]
    start_response(f"{status} Error", headers)
    return [content]


def answer_identity(principal: Principal, start_response: StartResponse) -> list[bytes]:
    """Answer GetCallerIdentity, which AWS allows whoever has keys.

    Args:
        principal: Who asks.
        start_response: Takes status and headers.
    """
    arn = escape(principal.arn, quote=False)
    said = f"<Arn>{arn}</Arn><UserId>{arn}</UserId>"
    result = f"{said}<Account>{principal.account}</Account>"
    content = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult>{result}</GetCallerIdentityResult></GetCallerIdentityResponse>"
    ).encode()
    start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(content)))])
    return [content]


def _query_error(service: str, problem: Problem, code: str, message: str) -> bytes:
    if service == "ec2":
        code = _EC2.get(problem.kind, code)
    said = f"<Code>{code}</Code><Message>{escape(message, quote=False)}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{said}</Error></Errors></Response>".encode()
    return f"<ErrorResponse><Error><Type>Sender</Type>{said}</Error></ErrorResponse>".encode()
