"""In tests every client of this process reaches its endpoints without a socket.

Whoever stands elsewhere (an engine's own client, another process, an endpoint that serves no longer) is still
reached, or not, over the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from local_aws.endpoint.app import Endpoint
from local_aws.endpoint.in_process import sent

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
    return sent(endpoint, request)
