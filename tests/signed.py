"""Requests of HTTP APIs as their callers sign them; each part can be made wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from typing import Any

from local_aws.gateway.http_api import GatewayRequest
from local_aws.gateway.signatures import signature_of
from local_aws.rights.keys import Credentials

REGION, TIME = "eu-west-2", "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Signed:
    """How a request is signed."""

    keys: Credentials
    at: datetime
    path: str = "/v1/payments"
    query: str = "limit=5&as_of=2024-11-15"
    names: str = "host;x-amz-date"
    service: str = "execute-api"
    region: str = REGION
    body: bytes = b""

    def headers(self, host: str) -> dict[str, str]:
        """The headers of the request, for a host."""
        stated = {"Host": host, "X-Amz-Date": self.at.strftime(TIME)}
        if self.keys.token:
            stated["X-Amz-Security-Token"] = self.keys.token
        request = GatewayRequest("GET", self.path, self.query, tuple(stated.items()), body=self.body)
        signature = signature_of(request, self.names, self.keys, self.region, self.service)
        scope = f"{self.keys.access_key}/{self.at:%Y%m%d}/{self.region}/{self.service}/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={self.names}"
        return {**stated, "Authorization": f"{authorization}, Signature={signature}"}


def ask(endpoint: str, host: str, target: str, headers: dict[str, str]) -> tuple[int, Any]:
    """What an endpoint answers for an HTTP API.

    Args:
        endpoint: The endpoint's URL.
        host: Names the API.
        target: Path and query.
        headers: What else is sent.
    """
    connection = HTTPConnection("127.0.0.1", int(endpoint.rpartition(":")[2]), timeout=120)
    connection.request("GET", target, headers={"Host": host, **headers})
    answered = connection.getresponse()
    body = json.loads(answered.read())
    connection.close()
    return answered.status, body
