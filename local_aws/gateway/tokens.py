"""JSON web tokens, checked as API Gateway documents it for the JWT authorizers of HTTP APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html

What that page leaves open is refused: a token without ``exp``, and one whose key came after the keys were
read. Keys are kept for two hours, as there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from local_aws.gateway.http_api import Event, GatewayRequest, NotLetIn

ALGORITHMS = ("RS256", "RS384", "RS512")
"""How tokens may be signed: by RSA alone."""

KEPT_SECONDS = 7200.0
"""For how long keys are kept once they were read."""

_BEARER = "bearer "

Claims = Mapping[str, Any]


class Unauthorized(NotLetIn):
    """A request that is not let in; the message says why, to those who run the gateway."""

    status = 401
    words = "Unauthorized"
    headers: ClassVar[Mapping[str, str]] = {"www-authenticate": "Bearer"}


@dataclass
class Authorizer:
    """Lets in who has a token of one issuer for one of some audiences.

    Attributes:
        issuer: The URL that ``iss`` must be; its configuration says where its keys are.
        audiences: One of them must be in ``aud``, or be ``client_id`` where there is no ``aud``.
        fetch: Gives the body that a URL has; raises ``OSError`` where it has none.
        now: Gives the time, in seconds since the epoch.
    """

    issuer: str
    audiences: tuple[str, ...]
    fetch: Callable[[str], bytes]
    now: Callable[[], float]
    _keys: KeySet | None = field(default=None, init=False, repr=False)
    _read_at: float = field(default=0.0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def admit(self, request: GatewayRequest) -> Event:
        """See :class:`local_aws.gateway.http_api.Gatekeeper`.

        Raises:
            Unauthorized: Its token is not let in.
        """
        claims = self.authorize(request.header("authorization"))
        said = {name: _claim(value) for name, value in claims.items()}
        return {"jwt": {"claims": said, "scopes": None}}

    def authorize(self, header: str | None) -> Claims:
        """The claims of whoever sent a header ``Authorization``: the token, with or without ``Bearer``.

        Raises:
            Unauthorized: There is no token, or it is not one of the issuer's that is good now.
        """
        text = (header or "").strip()
        token = text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else text
        if not token:
            raise Unauthorized("there is no token")
        claims = self._verified(token)
        self._check(claims)
        return claims

    def _verified(self, token: str) -> Claims:
        try:
            headers = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError) as error:
            raise Unauthorized("it is no signed token") from error
        if headers.get("alg") not in ALGORITHMS:
            raise Unauthorized(f"it is not signed by one of {', '.join(ALGORITHMS)}")
        known = {key.kid: key for key in self._read_keys().keys}
        key = known.get(headers.get("kid"))
        if key is None:
            raise Unauthorized("the issuer has no such key")
        try:
            payload = jws.deserialize_compact(token, key, algorithms=list(ALGORITHMS)).payload
            claims = json.loads(payload)
        except (JoseError, ValueError) as error:
            raise Unauthorized("its signature is not the issuer's") from error
        if not isinstance(claims, dict):
            raise Unauthorized("it has no claims")
        return claims

    def _check(self, claims: Claims) -> None:
        if claims.get("iss") != self.issuer:
            raise Unauthorized("it is another issuer's")
        aud = claims["aud"] if "aud" in claims else claims.get("client_id")
        if not any(one in self.audiences for one in (aud if isinstance(aud, list) else [aud])):
            raise Unauthorized("it is for another audience")
        now = self.now()
        if not _is_time(claims.get("exp")) or claims["exp"] <= now:
            raise Unauthorized("it has expired")
        for name, words in (("nbf", "it is not good yet"), ("iat", "it was issued after now")):
            if name in claims and (not _is_time(claims[name]) or claims[name] > now):
                raise Unauthorized(words)

    def _read_keys(self) -> KeySet:
        with self._lock:
            if self._keys is None or self.now() - self._read_at >= KEPT_SECONDS:
                self._keys = self._fetch_keys()
                self._read_at = self.now()
            return self._keys

    def _fetch_keys(self) -> KeySet:
        try:
            configuration = json.loads(
                self.fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            )
            return KeySet.import_key_set(json.loads(self.fetch(str(configuration["jwks_uri"]))))
        except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
            raise Unauthorized(f"the issuer's keys cannot be read: {type(error).__name__}") from error


def _claim(value: Any) -> str:
    """A claim as an HTTP API hands it on: a text, a list in brackets."""
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
