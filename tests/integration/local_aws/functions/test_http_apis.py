"""HTTP APIs that are deployed: who is let in, by signature or by token, and what a function is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from local_aws.gateway.http_api import GatewayRequest
from local_aws.gateway.signatures import signature_of
from local_aws.rights.evaluate import Principal
from local_aws.rights.keys import Caller, Credentials
from tests.integration.local_aws.functions.conftest import World, allow
from tests.signed import REGION, TIME, Signed, ask

ANSWERS = """
import json

def handle(event, context):
    said = {"path": event["rawPath"], "who": event["requestContext"].get("authorizer")}
    return {"statusCode": 200, "headers": {"x-said": "yes"}, "body": json.dumps(said)}
"""


class Api:
    """An API of a function that says who asked."""

    def __init__(self, world: World, **route: str) -> None:
        self.world, self.client = world, world.endpoint.client("apigatewayv2")
        (world.logs.parent / "packages" / "answers.py").write_text(ANSWERS)
        function = world.function("f", world.role("r", "lambda"))
        world.functions.update_function_configuration(FunctionName="f", Handler="answers.handle")
        self.id = self.client.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
        self.host = f"{self.id}.execute-api.{REGION}.amazonaws.com"
        path = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
        integration = self.client.create_integration(
            ApiId=self.id, IntegrationType="AWS_PROXY", IntegrationUri=path, PayloadFormatVersion="2.0"
        )
        target = f"integrations/{integration['IntegrationId']}"
        self.route = {"AuthorizationType": "AWS_IAM", **route}
        self.client.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True)
        self.target = target

    def open(self) -> Api:
        """Have its route, and let it call the function."""
        self.client.create_route(ApiId=self.id, RouteKey="$default", Target=self.target, **self.route)
        self.world.functions.add_permission(
            FunctionName="f",
            StatementId="the-api-calls",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{REGION}:{self.world.account}:{self.id}/*/$default",
        )
        return self

    def ask(self, headers: dict[str, str], target: str = "/v1/payments") -> tuple[int, Any]:
        """What is answered over HTTP."""
        return ask(self.world.endpoint.url, self.host, target, headers)

    def signed(self, signed: Signed, **sent: str) -> tuple[int, Any]:
        """What is answered to a signed request, of which something else may be sent."""
        target = f"{sent.pop('path', signed.path)}?{sent.pop('query', signed.query)}"
        return self.ask({**signed.headers(self.host), **sent}, target)

    def somebody(self, *statements: dict[str, Any], name: str = "ledger") -> Credentials:
        """The keys of a session of a role that may do something."""
        role = self.world.role(name, "glue", *statements)
        arn = f"arn:aws:sts::{self.world.account}:assumed-role/{name}/somebody"
        caller = Caller(Principal(arn, self.world.account, role), name)
        return self.world.endpoint.guard.keys.issue(caller, timedelta(hours=1))

    def resource(self, path: str = "GET/*") -> str:
        return f"arn:aws:execute-api:{REGION}:{self.world.account}:{self.id}/$default/{path}"


FORBIDDEN = (403, {"message": "Forbidden"})


# Of AWS's own test suite for Signature Version 4.
@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_signatures_are_those_that_aws_publishes(query: str, signature: str) -> None:
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    headers = [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")]
    request = GatewayRequest("GET", "/", query, headers)
    assert signature_of(request, "host;x-amz-date", keys, "us-east-1", "service") == signature


def test_who_signs_and_may_call_is_let_in_and_named_to_the_function(world: World) -> None:
    api = Api(world).open()
    signed = Signed(api.somebody(allow("execute-api:Invoke", api.resource())), datetime.now(UTC))
    status, said = api.signed(signed)
    assert (status, said["path"]) == (200, "/v1/payments")
    assert said["who"]["iam"]["userArn"].endswith(":assumed-role/ledger/somebody")
    assert said["who"]["iam"]["accessKey"] == signed.keys.access_key
    for other in (replace(signed, path="/v1/a%20b/é".replace("é", "%C3%A9")), replace(signed, query="")):
        assert api.signed(other)[0] == 200


def test_a_request_that_is_not_signed_or_signed_wrongly_is_forbidden(world: World) -> None:
    api = Api(world).open()
    now = datetime.now(UTC)
    signed = Signed(api.somebody(allow("execute-api:Invoke", api.resource())), now)
    keys = signed.keys
    assert api.signed(signed)[0] == 200
    wrong: dict[str, Callable[[], tuple[int, Any]]] = {
        "nothing": lambda: api.ask({}),
        "a token": lambda: api.ask({"Authorization": "Bearer e30.e30.e30"}),
        "another secret": lambda: api.signed(replace(signed, keys=replace(keys, secret_key="another"))),
        "a key of nobody": lambda: api.signed(
            replace(signed, keys=replace(keys, access_key="ASIANOBODYNOBODY0000"))
        ),
        "another session": lambda: api.signed(replace(signed, keys=replace(keys, token="another"))),
        "another path": lambda: api.signed(signed, path="/v1/payments/last5"),
        "another query": lambda: api.signed(signed, query="limit=6&as_of=2024-11-15"),
        "another time": lambda: api.signed(
            signed, **{"X-Amz-Date": (now + timedelta(seconds=1)).strftime(TIME)}
        ),
        "too long ago": lambda: api.signed(replace(signed, at=now - timedelta(minutes=6))),
        "of the future": lambda: api.signed(replace(signed, at=now + timedelta(minutes=6))),
        "no time": lambda: api.signed(signed, **{"X-Amz-Date": "now"}),
        "another service": lambda: api.signed(replace(signed, service="s3")),
        "another region": lambda: api.signed(replace(signed, region="us-east-1")),
        "wherever it goes": lambda: api.signed(replace(signed, names="x-amz-date")),
        "another body": lambda: api.signed(replace(signed, body=b"text")),
    }
    answered = {why: ask() for why, ask in wrong.items()}
    assert answered == dict.fromkeys(wrong, FORBIDDEN)


def test_who_signs_and_may_not_call_is_forbidden(world: World) -> None:
    api = Api(world).open()
    policies = {
        "nothing": [],
        "another": [allow("execute-api:Invoke", api.resource().replace(api.id, "another"))],
        "posts": [allow("execute-api:Invoke", api.resource("POST/*"))],
        "paths": [allow("execute-api:Invoke", api.resource("GET/v1/payments/last5"))],
        "denied": [
            allow("execute-api:Invoke", "*"),
            {**allow("execute-api:Invoke", api.resource()), "Effect": "Deny"},
        ],
    }
    now = datetime.now(UTC)
    answered = {
        name: api.signed(Signed(api.somebody(*stated, name=name), now)) for name, stated in policies.items()
    }
    assert answered == dict.fromkeys(policies, FORBIDDEN)


def test_a_function_that_does_not_take_calls_of_the_api_is_an_internal_error(world: World) -> None:
    api = Api(world).open()
    signed = Signed(api.somebody(allow("execute-api:Invoke", api.resource())), datetime.now(UTC))
    world.functions.remove_permission(FunctionName="f", StatementId="the-api-calls")
    assert api.signed(signed) == (500, {"message": "Internal Server Error"})


def test_an_api_without_its_route_or_of_nobody_is_not_found(world: World) -> None:
    api = Api(world)
    assert api.ask({})[0] == 404
    api.host = f"nothing.execute-api.{REGION}.amazonaws.com"
    assert api.ask({}) == (404, {"message": "Not Found"})


def test_people_are_let_in_by_a_token_of_the_issuer_that_is_deployed(world: World) -> None:
    issuer, key = "https://login.example/finance", RSAKey.generate_key(2048, {"kid": "first"})
    api = Api(world)
    made = api.client.create_authorizer(
        ApiId=api.id,
        Name="people",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": ["payments"]},
    )
    api.route = {"AuthorizationType": "JWT", "AuthorizerId": made["AuthorizerId"]}
    api.open()

    def token(**changes: Any) -> dict[str, str]:
        now = int(datetime.now(UTC).timestamp())
        claims = {"iss": issuer, "aud": "payments", "sub": "0f2c", "exp": now + 600, **changes}
        text = jwt.encode({"alg": "RS256", "kid": "first"}, claims, key, algorithms=["RS256"])
        return {"Authorization": f"Bearer {text}"}

    refused = (401, {"message": "Unauthorized"})
    # Nobody is let in while the issuer's keys cannot be read.
    assert api.ask(token()) == refused
    keys = {"keys": [key.as_dict(private=False)]}
    world.pages[f"{issuer}/.well-known/openid-configuration"] = b'{"jwks_uri": "https://login.example/keys"}'
    world.pages["https://login.example/keys"] = json.dumps(keys).encode()
    status, said = api.ask(token())
    assert (status, said["who"]["jwt"]["claims"]["sub"]) == (200, "0f2c")
    assert api.ask(token(aud="others")) == refused
    assert api.ask({}) == refused
    # Who signs is no better here.
    signed = Signed(api.somebody(allow("execute-api:Invoke", api.resource())), datetime.now(UTC))
    assert api.signed(signed) == refused
