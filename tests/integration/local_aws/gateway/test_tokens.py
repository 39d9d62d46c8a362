"""Tokens that are wrong in each way are refused, against the keys of an issuer on this machine."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from flask import Request
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from glue_jobs.runtime.errors import UserError
from lakehouse.loopback import Answer, LoopbackServer, answering
from lakehouse.payments import authorizer_of
from local_aws.gateway.http_api import GatewayRequest, HttpApi
from local_aws.gateway.tokens import KEPT_SECONDS, Authorizer
from tools.browser import serving


class Issuer(LoopbackServer):
    """Serves its configuration and the keys that it signs with."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.down = False
        super().__init__(answering(self._reply), 0)

    def _reply(self, request: Request) -> Answer:
        path = request.path
        if self.down:
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"")
        pages = {
            "/.well-known/openid-configuration": {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"},
            "/keys": {"keys": [key.as_dict(private=False) for key in self.keys]},
        }
        if path not in pages:
            return Answer(HTTPStatus.NOT_FOUND, b"")
        return Answer(HTTPStatus.OK, json.dumps(pages[path]).encode(), "application/json")

    @property
    def issuer(self) -> str:
        return self.url.rstrip("/")

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token; what is None is left out."""
        now = int(time.time())
        stated = {
            "iss": self.issuer,
            "aud": "payments",
            "sub": "0f2c",
            "exp": now + 600,
            "iat": now - 5,
            **changes,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def token(self, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        stated = header or {"alg": "RS256", "kid": "first"}
        return jwt.encode(stated, self.claims(**changes), key or self.keys[0], algorithms=[stated["alg"]])


class Time:
    """The time, and what a test puts on top of it."""

    def __init__(self) -> None:
        self.later = 0.0

    def __call__(self) -> float:
        return time.time() + self.later


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as made, serving(made):
        yield made


@pytest.fixture
def authorizer(issuer: Issuer) -> Authorizer:
    found = authorizer_of(issuer.issuer, ("payments", "ledger"))
    assert found is not None
    return found


@pytest.fixture
def api(authorizer: Authorizer) -> HttpApi:
    """A function that says who it was told asks."""

    def whoami(event: dict[str, Any], _: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}

    return HttpApi(whoami, authorizer)


def status(api: HttpApi, header: str | None) -> int:
    headers = [] if header is None else [("Authorization", header)]
    answered = api.answer(GatewayRequest("GET", "/v1/payments", headers=headers))
    if answered.status == 401:
        assert json.loads(answered.body) == {"message": "Unauthorized"}
        assert answered.headers["www-authenticate"] == "Bearer"
    return answered.status


def test_a_good_token_is_let_in_and_its_claims_are_handed_on(api: HttpApi, issuer: Issuer) -> None:
    for header in (f"Bearer {issuer.token()}", f"bearer  {issuer.token()} ", issuer.token()):
        answered = api.answer(GatewayRequest("GET", "/", headers=[("authorization", header)]))
        assert answered.status == 200
        said = json.loads(answered.body)["jwt"]
        assert (said["claims"]["sub"], said["claims"]["aud"], said["scopes"]) == ("0f2c", "payments", None)
        assert said["claims"]["exp"].isdecimal()


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "ledger"},
        {"aud": ["others", "payments"]},
        {"aud": None, "client_id": "payments"},
        {"iat": None},
        {"nbf": 1},
    ],
    ids=str,
)
def test_a_token_that_is_good_in_another_way_is_let_in(
    api: HttpApi, issuer: Issuer, changes: dict[str, Any]
) -> None:
    assert status(api, f"Bearer {issuer.token(**changes)}") == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "others"},
        {"aud": ["others"]},
        {"aud": []},
        {"aud": None},
        {"aud": None, "client_id": "others"},
        # `client_id` counts only where there is no `aud`.
        {"aud": "others", "client_id": "payments"},
        {"exp": 1},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"nbf": 9_999_999_999},
        {"iat": 9_999_999_999},
        {"nbf": "soon"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(api: HttpApi, issuer: Issuer, changes: dict[str, Any]) -> None:
    assert status(api, f"Bearer {issuer.token(**changes)}") == 401


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def by_secret(claims: dict[str, Any], secret: bytes) -> str:
    """A token that whoever knows a secret has signed."""
    text = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(claims)}"
    signature = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_token_that_is_not_signed_by_the_issuer_is_refused(api: HttpApi, issuer: Issuer) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "first"})
    curve = ECKey.generate_key("P-256", {"kid": "first"})
    head, claims, signature = issuer.token().split(".")
    wrong = {
        "another key of that name": issuer.token(stranger),
        "an unknown key": issuer.token(stranger, {"alg": "RS256", "kid": "second"}),
        "no key named": issuer.token(header={"alg": "RS256"}),
        "another curve": issuer.token(curve, {"alg": "ES256", "kid": "first"}),
        "the public key taken for a secret": by_secret(issuer.claims(), issuer.keys[0].as_pem(private=False)),
        "no signature": f"{encoded({'alg': 'none', 'kid': 'first'})}.{claims}.",
        "a signature that was cut": f"{head}.{claims}.{signature[:-8]}",
        "other claims": f"{head}.{encoded(issuer.claims(aud='ledger', sub='root'))}.{signature}",
        "claims that are a list": jwt_of(issuer, [1]),
        "two parts": f"{head}.{claims}",
        "nonsense": "nonsense",
        "not ASCII": "é.é.é",
        "nothing": "",
    }
    for why, token in wrong.items():
        assert status(api, f"Bearer {token}") == 401, why
    assert status(api, None) == 401
    assert status(api, "Basic dXNlcjpwYXNz") == 401


def jwt_of(issuer: Issuer, payload: Any) -> str:
    from joserfc import jws

    header = {"alg": "RS256", "kid": "first"}
    return jws.serialize_compact(header, json.dumps(payload).encode(), issuer.keys[0], algorithms=["RS256"])


def test_keys_are_kept_for_two_hours(issuer: Issuer) -> None:
    made = authorizer_of(issuer.issuer, ("payments",))
    assert made is not None
    clock = Time()
    made.now = clock
    api = HttpApi(lambda *_: {"statusCode": 200}, made)
    assert status(api, issuer.token()) == 200
    added = RSAKey.generate_key(2048, {"kid": "second"})
    issuer.keys.append(added)
    try:
        signed = issuer.token(added, {"alg": "RS256", "kid": "second"}, exp=int(time.time()) + 90_000)
        assert status(api, signed) == 401
        clock.later = KEPT_SECONDS
        assert status(api, signed) == 200
    finally:
        issuer.keys.remove(added)


def test_an_issuer_that_is_down_lets_nobody_in(api: HttpApi, issuer: Issuer) -> None:
    issuer.down = True
    try:
        assert status(api, issuer.token()) == 401
    finally:
        issuer.down = False
    assert status(api, issuer.token()) == 200


@pytest.mark.parametrize(
    ("issuer_url", "audiences", "words"),
    [
        ("https://login.example", (), "go together"),
        (None, ("payments",), "go together"),
        ("http://login.example", ("payments",), "is not reached by TLS"),
        ("ftp://127.0.0.1", ("payments",), "is not reached by TLS"),
    ],
)
def test_an_issuer_is_named_with_its_audience_and_reached_by_tls(
    issuer_url: str | None, audiences: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        authorizer_of(issuer_url, audiences)


def test_without_an_issuer_nobody_is_asked() -> None:
    assert authorizer_of(None, ()) is None


def test_a_function_that_fails_or_answers_nonsense_is_an_internal_error() -> None:
    def fails(*_: Any) -> Any:
        raise ValueError("mysecret")

    for function in (
        fails,
        lambda *_: None,
        lambda *_: {"statusCode": "200"},
        lambda *_: {"statusCode": 200, "body": 1},
    ):
        answered = HttpApi(function).answer(GatewayRequest("GET", "/"))
        assert (answered.status, json.loads(answered.body)) == (500, {"message": "Internal Server Error"})
