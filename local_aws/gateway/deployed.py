"""The HTTP APIs that are deployed in an endpoint, answered as API Gateway answers them.

A request names its API by its host, as on AWS: ``<api>.execute-api.localhost`` or the API's own name there.
Of routes ``$default`` is known, of integrations a Lambda function in payload format 2.0; whatever else is
deployed is an internal error that says so. Nobody is throttled.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from moto.apigatewayv2.models import apigatewayv2_backends
from werkzeug.wsgi import get_input_stream

from local_aws.endpoint.guard import Guard
from local_aws.functions.runner import FunctionRunner
from local_aws.gateway.http_api import (
    ROUTE,
    STAGE,
    Event,
    Gatekeeper,
    GatewayAnswer,
    GatewayRequest,
    HttpApi,
    message,
)
from local_aws.gateway.signatures import SignedRequests
from local_aws.gateway.tokens import Authorizer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from local_aws.endpoint.layers import Layer

_LOG = logging.getLogger(__name__)

GATEWAY = "apigateway.amazonaws.com"

_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?:localhost|[a-z0-9-]+\.amazonaws\.com)(?::\d+)?")
_FUNCTION = re.compile(r"arn:[^/]+:lambda:path/2015-03-31/functions/(?P<arn>[^/]+)/invocations")


class _NotKnown(Exception):  # noqa: N818 - named for what it says
    """Something is deployed that AWS would answer for, and the laptop cannot."""


@dataclass
class DeployedApis:
    """Answers for them.

    Attributes:
        guard: Knows keys and policies.
        functions: Calls functions.
        fetch: Gives the body that a URL has, for the keys of issuers; raises ``OSError`` where it has none.
        now: Gives the time, in seconds since the epoch.
    """

    guard: Guard
    functions: FunctionRunner
    fetch: Callable[[str], bytes]
    now: Callable[[], float] = time.time
    _tokens: dict[tuple[Any, ...], Authorizer] = field(default_factory=dict, init=False, repr=False)

    def answer(self, api: str, request: GatewayRequest) -> GatewayAnswer:
        """The answer of an API to a request.

        Args:
            api: The API's identifier.
            request: The request.
        """
        place = self.guard.place
        deployed = apigatewayv2_backends[place.account][place.region].apis.get(api)
        routes = {} if deployed is None else {one.route_key: one for one in deployed.routes.values()}
        if deployed is None or STAGE not in deployed.stages or ROUTE not in routes:
            return message(HTTPStatus.NOT_FOUND, "Not Found")
        try:
            gate = self._gate(deployed, routes[ROUTE])
            function = self._function(deployed, routes[ROUTE])
        except _NotKnown as why:
            _LOG.error("the API %s: %s", api, why)
            return message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        source = place.arn("execute-api", f"{api}/{STAGE}/{ROUTE}")

        def call(event: Event, _: object) -> Any:
            return self.functions.call_for(GATEWAY, source, function, event)

        return HttpApi(call, gate, api, place.account).answer(request)

    def _gate(self, deployed: Any, route: Any) -> Gatekeeper | None:
        kind = route.authorization_type or "NONE"
        if kind == "NONE":
            return None
        if kind == "AWS_IAM":
            return SignedRequests(self.guard, deployed.api_id, STAGE)
        stated = deployed.authorizers.get(route.authorizer_id)
        if kind != "JWT" or stated is None or stated.identity_source != ["$request.header.Authorization"]:
            raise _NotKnown(f"its route has the authorizer {kind}, which the laptop does not know")
        tokens: Mapping[str, Any] = stated.jwt_config
        audiences = tuple(tokens["audience"])
        # The one that was made keeps the issuer's keys.
        key = (deployed.api_id, stated.id, tokens["issuer"], audiences)
        if key not in self._tokens:
            self._tokens[key] = Authorizer(tokens["issuer"], audiences, self.fetch, self.now)
        return self._tokens[key]

    def _function(self, deployed: Any, route: Any) -> str:
        integration = deployed.integrations.get(str(route.target).removeprefix("integrations/"))
        found = _FUNCTION.fullmatch(str(getattr(integration, "integration_uri", "")))
        if integration is None or found is None or integration.payload_format_version != "2.0":
            raise _NotKnown("its integration is no function in payload format 2.0")
        return found["arn"]


def http_apis(apis: DeployedApis) -> Layer:
    """Make a layer that answers what names an API by its host.

    Args:
        apis: Those that are deployed.
    """

    def layer(behind: WSGIApplication) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            host = _HOST.fullmatch(str(environ.get("HTTP_HOST", "")))
            if host is None or "HTTP_X_AMZ_TARGET" in environ:
                return behind(environ, start_response)
            answered = apis.answer(host["api"], _request_of(environ))
            headers = [(name, value) for name, value in answered.headers.items() if name != "content-length"]
            phrase = HTTPStatus(answered.status).phrase
            start_response(
                f"{answered.status} {phrase}", [*headers, ("content-length", str(len(answered.body)))]
            )
            return [answered.body]

        return application

    return layer


def _request_of(environ: WSGIEnvironment) -> GatewayRequest:
    target = urlsplit(str(environ["REQUEST_URI"]))
    headers = [
        (name[5:].replace("_", "-").lower(), str(value))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    method, body = str(environ["REQUEST_METHOD"]), get_input_stream(environ).read()
    return GatewayRequest(method, target.path, target.query, headers, body=body)
