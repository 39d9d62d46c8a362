"""AWS misbehaves on demand: answers that an endpoint on a laptop never gives, by botocore's events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

S3_ERROR = '<?xml version="1.0"?><Error><Code>{0}</Code><Message>injected</Message></Error>'
JSON_ERROR = '{{"__type": "{0}", "message": "injected", "Message": "injected"}}'


@dataclass
class Fault:
    """One way in which a service misbehaves.

    Attributes:
        operation: ``s3.PutObject``, ``glue.BatchCreatePartition``, …
        status: The HTTP status it answers; 0 for an answer that is lost on its way back.
        code: The error's code.
        key: The fault strikes only requests whose address holds this.
        times: How often it strikes.
        struck: How often it has.
    """

    operation: str
    status: int
    code: str = ""
    key: str = ""
    times: int = 1
    struck: int = 0

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """What botocore gets instead of an answer; nothing lets the request through."""
        if self.struck >= self.times or self.key not in request.url:
            return None
        self.struck += 1
        if self.status == 0:
            answer = URLLib3Session().send(request)
            assert answer.status_code < 300, "the request that should have succeeded did not"
            raise ReadTimeoutError(endpoint_url=request.url)
        body = (S3_ERROR if self.operation.startswith("s3.") else JSON_ERROR).format(self.code)
        headers = HTTPHeaders.from_dict({"content-length": str(len(body))})
        return AWSResponse(request.url, self.status, headers, _Body(body.encode()))


class _Body:
    """The part of an HTTP answer that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


@contextmanager
def injected(*faults: Fault, certain: bool = True) -> Iterator[None]:
    """Let every client that is made meanwhile meet these faults.

    Args:
        *faults: The faults.
        certain: Whether each must have struck by the end.
    """
    with _hooked(*((f"before-send.{fault.operation}", fault) for fault in faults)):
        yield
    for fault in faults:
        assert fault.struck or not certain, f"{fault} did not strike"


@contextmanager
def answered(operation: str, then: Callable[..., None]) -> Iterator[None]:
    """Let something happen whenever a client that is made meanwhile has been answered.

    Args:
        operation: As in `Fault`.
        then: What happens.
    """
    with _hooked((f"after-call.{operation}", then)):
        yield


@contextmanager
def _hooked(*hooks: tuple[str, Callable[..., Any]]) -> Iterator[None]:
    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    for event, hook in hooks:
        session.events.register(event, hook)
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = None
