"""Requests that their callers sign (Signature Version 4), let in as HTTP APIs with AWS_IAM do.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html

What is signed is put together by botocore, of the headers that the request says it signed. Signatures in a
query are not known here, and are refused.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotoCredentials

from local_aws.endpoint.guard import Guard
from local_aws.gateway.http_api import Event, GatewayRequest, NotLetIn
from local_aws.rights.keys import Caller, Credentials, ExpiredKeyError, UnknownKeyError

SERVICE = "execute-api"

SKEW = timedelta(minutes=5)
"""By how much the time of a signature may differ from the gateway's."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)"
    r"/aws4_request, *SignedHeaders=(?P<headers>[\w;-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_TIME = "%Y%m%dT%H%M%SZ"


class Forbidden(NotLetIn):
    """A request that is not let in; the message says why, to those who run the gateway."""

    status = 403
    words = "Forbidden"


@dataclass(frozen=True)
class _Stated:
    """What a request says of its signature."""

    key: str
    day: str
    region: str
    service: str
    headers: str
    signature: str


class _OfStatedHeaders(SigV4Auth):
    """Signs the headers that it is given, and no others."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def signature_of(
    request: GatewayRequest, names: str, credentials: Credentials, region: str, service: str
) -> str:
    """The signature that a request ought to have.

    Args:
        request: The request, its header ``X-Amz-Date`` among it.
        names: The headers that are signed, between semicolons.
        credentials: What it is signed with.
        region: For which region.
        service: For which service.
    """
    auth = _OfStatedHeaders(BotoCredentials(credentials.access_key, credentials.secret_key), service, region)
    address = f"https://{request.header('host')}{request.path}{'?' if request.query else ''}{request.query}"
    made = AWSRequest(request.method, address, data=request.body)
    for name in names.split(";"):
        made.headers[name] = request.header(name) or ""
    if (hashed := request.header("x-amz-content-sha256")) is not None:
        made.headers["x-amz-content-sha256"] = hashed
    made.context["timestamp"] = request.header("x-amz-date") or ""
    return str(auth.signature(auth.string_to_sign(made, auth.canonical_request(made)), made))


@dataclass(frozen=True)
class SignedRequests:
    """Lets in who signs, and may call the API.

    Attributes:
        guard: Knows keys and policies.
        api: The API's identifier.
        stage: Its stage.
        now: Gives the time, with its zone.
    """

    guard: Guard
    api: str
    stage: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def admit(self, request: GatewayRequest) -> Event:
        """See :class:`local_aws.gateway.http_api.Gatekeeper`.

        Raises:
            Forbidden: Nobody signed, the signature is not its key's, or whoever signed may not call the API.
        """
        stated = self._stated(request)
        caller = self._caller(request, stated)
        place = self.guard.place
        resource = f"{self.api}/{self.stage}/{request.method}{request.path}"
        asked = place.ask(f"{SERVICE}:Invoke", place.arn(SERVICE, resource))
        why = self.guard.refusal(caller, asked, None) if self.guard.enforced else None
        if why is not None:
            raise Forbidden(why)
        return {
            "iam": {
                "accessKey": stated.key,
                "accountId": place.account,
                "callerId": caller.role,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.principal.arn,
                "userId": caller.role,
            }
        }

    def _stated(self, request: GatewayRequest) -> _Stated:
        found = _AUTHORIZATION.fullmatch((request.header("authorization") or "").strip())
        if found is None:
            raise Forbidden("it is not signed")
        stated = _Stated(**found.groupdict())
        if (stated.service, stated.region) != (SERVICE, self.guard.place.region):
            raise Forbidden("it is signed for another service or region")
        if not {"host", "x-amz-date"} <= set(stated.headers.split(";")):
            raise Forbidden("its signature leaves out where it goes, or when")
        date = request.header("x-amz-date") or ""
        try:
            signed_at = datetime.strptime(date, _TIME).replace(tzinfo=UTC)
        except ValueError as error:
            raise Forbidden("it does not say when it was signed") from error
        if not date.startswith(stated.day) or abs(self.now() - signed_at) > SKEW:
            raise Forbidden("it was signed at another time")
        return stated

    def _caller(self, request: GatewayRequest, stated: _Stated) -> Caller:
        try:
            caller, known = self.guard.keys.signer(stated.key, request.header("x-amz-security-token") or "")
        except (UnknownKeyError, ExpiredKeyError) as error:
            raise Forbidden("nobody has its key, or its session is over") from error
        right = signature_of(request, stated.headers, known, stated.region, stated.service)
        if not hmac.compare_digest(right, stated.signature):
            raise Forbidden("its signature is not its key's")
        return caller
