"""Who asks, and whether they may: the layer before all others.

An access key is looked up, and one that nobody has is refused in the words of the service that was asked.
Where rights are enforced, each request is then held to the policies that are deployed: of the caller's role
and session, of the bucket, the secret and the key. The context is what AWS would see; the loopback address
stands for TLS.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote

from werkzeug.wsgi import get_input_stream

from local_aws.endpoint.deployed_policies import DeployedPolicies
from local_aws.endpoint.layers import CREDENTIALS_PATH, HEALTH_PATH
from local_aws.endpoint.refusals import Problem, answer_identity, refuse
from local_aws.endpoint.s3 import REFUSAL, address, subresource
from local_aws.rights import actions
from local_aws.rights.actions import AccountContext, ObjectCall, UnknownActionError
from local_aws.rights.conditions import PolicyError
from local_aws.rights.evaluate import (
    AccessRequest,
    ApplicablePolicies,
    Decision,
    Principal,
    evaluate,
    refusal,
)
from local_aws.rights.keys import Caller, ExpiredKeyError, KeyRing, UnknownKeyError
from local_aws.rights.policy import Policy

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/,]+)/\d+/[^/,]+/(?P<service>[^/,]+)/aws4_request")
_HOSTS = re.compile(r"(?:127\.0\.0\.1|localhost|[^:]+\.localhost|[^:]+\.amazonaws\.com)(?::\d+)?")
_ON_BEHALF = "HTTP_X_LAKEHOUSE_ON_BEHALF_OF"
ON_BEHALF_HEADER = "x-lakehouse-on-behalf-of"
_OF_A_SECRET_S_KEY: Mapping[str, tuple[str, ...]] = {
    "secretsmanager:GetSecretValue": ("Decrypt",),
    "secretsmanager:PutSecretValue": ("GenerateDataKey", "Decrypt"),
}
"""What Secrets Manager does with a customer's key, on behalf of who asks."""
_OF_AN_OBJECT_S_KEY: Mapping[str, tuple[str, ...]] = {
    "s3:GetObject": ("Decrypt",),
    "s3:GetObjectVersion": ("Decrypt",),
    "s3:PutObject": ("GenerateDataKey",),
}
"""What S3 does with the key of a bucket, likewise."""
_OPEN_TO_ALL = (HEALTH_PATH, CREDENTIALS_PATH)

_acting: ContextVar[str] = ContextVar("acting", default="")


def acting_key() -> str:
    """The access key of the caller for whom this thread works; empty where it works for the stack."""
    return _acting.get()


@dataclass(frozen=True)
class Access:
    """One thing that a caller asked for, what it was held to, and what became of it."""

    principal: Principal
    request: AccessRequest
    applicable: ApplicablePolicies
    decision: Decision


@dataclass(frozen=True)
class _Signed:
    """What a request says of who signed it."""

    key: str
    token: str
    service: str


class Guard:
    """The layer.

    Args:
        keys: Whose keys are known.
        place: The account and region that the endpoint plays.
        enforced: Whether policies are evaluated; else whoever has a key may do everything.

    Attributes:
        policies: Those that are deployed.
        work_group_of: Knows the work group of what a request of Athena names by its id.
        noted: Told of each decision.
    """

    def __init__(self, keys: KeyRing, place: AccountContext, *, enforced: bool) -> None:
        self.keys = keys
        self.place = place
        self.enforced = enforced
        self.policies = DeployedPolicies(place)
        self.work_group_of: Callable[[Mapping[str, Any]], str | None] = lambda _payload: None
        self.noted: Callable[[Access], None] = lambda _access: None

    def __call__(self, behind: WSGIApplication) -> WSGIApplication:
        """Put the layer in front of an application."""

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if _is_from_a_page(environ):
                return refuse(Problem("stranger"), environ, start_response, "s3")
            if str(environ.get("PATH_INFO", "")).startswith(_OPEN_TO_ALL):
                return behind(environ, start_response)
            signed = _signed(environ)
            try:
                caller, key = self._caller(environ, signed)
                if caller is not None and _asks_who_it_is(signed, environ):
                    return answer_identity(caller.principal, start_response)
                with working_for(key):
                    self._check(caller, environ, signed.service if signed else "s3")
                    return behind(environ, start_response)
            except Problem as problem:
                return refuse(problem, environ, start_response, signed.service if signed else "s3")

        return application

    # --- who ---

    def _caller(self, environ: WSGIEnvironment, signed: _Signed | None) -> tuple[Caller | None, str]:
        """Who asks, and by which key; nobody where nobody signed and nothing is enforced."""
        if signed is None:
            if self.enforced:
                raise Problem("anonymous")
            return None, ""
        try:
            caller = self.keys.caller(signed.key, signed.token)
        except UnknownKeyError as error:
            raise Problem("unknown key") from error
        except ExpiredKeyError as error:
            raise Problem("expired key") from error
        behalf = str(environ.pop(_ON_BEHALF, ""))
        if behalf and caller.is_service:
            acted_for = self.keys.holder(behalf)
            if acted_for is None:
                raise Problem("unknown key")
            return acted_for, behalf
        return caller, "" if caller.is_service else signed.key

    # --- whether ---

    def _check(self, caller: Caller | None, environ: WSGIEnvironment, service: str) -> None:
        if not self.enforced or caller is None or caller.is_service:
            return
        if service == "s3" and "HTTP_X_AMZ_TARGET" not in environ:
            self._check_objects(caller, environ)
            return
        try:
            asked = self._asked(environ, service)
        except UnknownActionError as error:
            raise Problem("denied", f"The laptop does not know what AWS would ask for: {error}") from error
        for request, policy in asked:
            self._demand(caller, request, policy)

    def _check_objects(self, caller: Caller, environ: WSGIEnvironment) -> None:
        call = _object_call(environ)
        policy = self.policies.of_bucket(call.bucket) if call.bucket else None
        try:
            asked = actions.s3_requests(call, self.place)
        except UnknownActionError as error:
            raise Problem("denied", f"The laptop does not know what AWS would ask for: {error}") from error
        for request in asked:
            self._demand(caller, request, self._of_resource(request, call, policy))
            self._demand_key(caller, request)

        def refused(action: str, key: str) -> str | None:
            bucket = f"arn:{self.place.partition}:s3:::{call.bucket}"
            if action == "ListBucket":
                # Whether a key is missing is asked as a listing of that very prefix would be.
                request = self.place.ask("s3:ListBucket", bucket, {"s3:prefix": key})
            else:
                request = self.place.ask(f"s3:{action}", f"{bucket}/{key}")
            return self.refusal(caller, request, policy)

        environ[REFUSAL] = refused

    def _of_resource(self, request: AccessRequest, call: ObjectCall, policy: Policy | None) -> Policy | None:
        """The policy of the bucket that a request concerns: of a copy's source it is another's."""
        bucket = request.resource.partition(":::")[2].partition("/")[0]
        return policy if bucket in ("", call.bucket) else self.policies.of_bucket(bucket)

    def _demand_key(self, caller: Caller, request: AccessRequest) -> None:
        """Hold a request for an object to the key that encrypts its bucket."""
        needs = _OF_AN_OBJECT_S_KEY.get(request.action, ())
        bucket = request.resource.partition(":::")[2].partition("/")[0]
        key = self.policies.key_of_bucket(bucket) if needs else None
        for action in needs if key else ():
            # Buckets have keys of their own made of this one, so that S3 states the bucket, not the object.
            arn = f"arn:{self.place.partition}:s3:::{bucket}"
            context = actions.keys_context("s3", self.place, aws__s3__arn=arn)
            self._demand_of_key(caller, action, str(key), context)

    def _demand_of_key(self, caller: Caller, action: str, key: str, context: Mapping[str, str]) -> None:
        request = self.place.ask(f"kms:{action}", key, context)
        self._demand(caller, request, self.policies.of_key(key), decides=True)

    def _asked(self, environ: WSGIEnvironment, service: str) -> list[tuple[AccessRequest, Policy | None]]:
        """What a request of another service than S3 asks for, each with its resource's policy."""
        target, _, action = str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")
        if not action:
            query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
            body = _body(environ) if service in actions.REST_SERVICES else b""
            method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
            if found := actions.rest_requests(service, method, path, query, body, self.place):
                return [(asked, None) for asked in found]
            return [(self.place.ask(f"{service}:{_other_action(environ, service)}"), None)]
        payload = json.loads(_body(environ) or b"{}")
        service = actions.json_service_of(target)
        if service == "glue":
            return [(asked, None) for asked in actions.glue_requests(action, payload, self.place)]
        if service == "athena":
            found = actions.athena_requests(action, payload, self.place, self.work_group_of)
            return [(asked, None) for asked in found]
        if service in ("sqs", "logs"):
            ask = actions.queue_requests if service == "sqs" else actions.log_requests
            return [(asked, None) for asked in ask(action, payload, self.place)]
        if service == "secretsmanager" and "SecretId" in payload:
            arn, policy, _ = self.policies.secret(payload["SecretId"])
            return [(self.place.ask(f"secretsmanager:{action}", arn), policy)]
        return [(self.place.ask(f"{service}:{action}"), None)]

    def _demand(
        self, caller: Caller, request: AccessRequest, policy: Policy | None, *, decides: bool = False
    ) -> None:
        why = self.refusal(caller, request, policy, decides=decides)
        if why is not None:
            raise Problem("denied", why)
        uses = _OF_A_SECRET_S_KEY.get(request.action, ())
        key = self.policies.secret(request.resource)[2] if uses else None
        if key is not None:
            context = actions.keys_context("secretsmanager", self.place, SecretARN=request.resource)
            for use in uses:
                self._demand_of_key(caller, use, key, context)

    def refusal(
        self, caller: Caller, request: AccessRequest, policy: Policy | None, *, decides: bool = False
    ) -> str | None:
        """Why a caller may not do something, as AWS says it; None where it may.

        Args:
            caller: Who asks.
            request: For what.
            policy: Of the resource.
            decides: Whether nothing is allowed that the resource's policy does not allow.
        """
        seen = {
            "aws:SecureTransport": "true",
            "s3:TlsVersion": "1.3",
            "aws:SourceIp": "127.0.0.1",
            "aws:RequestedRegion": self.place.region,
        }
        asked = replace(request, context={**seen, **request.context})
        applicable = ApplicablePolicies(self._of_caller(caller), caller.session_policy, policy, decides)
        try:
            decision = evaluate(caller.principal, asked, applicable)
        except PolicyError as error:
            return f"The laptop does not know what AWS would decide: {error}"
        self.noted(Access(caller.principal, asked, applicable, decision))
        return None if decision.allowed else refusal(caller.principal, request, decision)

    def _of_caller(self, caller: Caller) -> Sequence[Policy]:
        return self.policies.of_role(caller.role) if caller.role else ()

    def may_not_read(self, bucket: str, key: str) -> str | None:
        """Why the caller for whom this thread works may not read an object; None where it may."""
        caller = self.keys.holder(acting_key()) if self.enforced and acting_key() else None
        if caller is None:
            return None
        request = self.place.ask("s3:GetObject", f"arn:{self.place.partition}:s3:::{bucket}/{key}")
        why = self.refusal(caller, request, self.policies.of_bucket(bucket))
        if why is None:
            try:
                self._demand_key(caller, request)
            except Problem as problem:
                return problem.message
        return why


@contextmanager
def working_for(key: str) -> Iterator[None]:
    """Let what this thread does count as done for a caller.

    Args:
        key: The caller's access key; empty for the stack itself.
    """
    token = _acting.set(key)
    try:
        yield
    finally:
        _acting.reset(token)


def act_for_the_caller(client: Any) -> Any:
    """Let a client of the stack's own ask on behalf of the caller for whom its thread works.

    Args:
        client: A boto3 client with the stack's keys.

    Returns:
        The same client.
    """

    def add(params: dict[str, Any], **_: Any) -> None:
        if acting_key():
            params["headers"][ON_BEHALF_HEADER] = acting_key()

    client.meta.events.register("before-call.*.*", add)
    return client


def _is_from_a_page(environ: WSGIEnvironment) -> bool:
    """Whether a web page asks: by a name that others give to this machine, or as browsers say."""
    says_so = "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none"
    return says_so or not _HOSTS.fullmatch(str(environ.get("HTTP_HOST", "")))


def _signed(environ: WSGIEnvironment) -> _Signed | None:
    token = str(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    found = _CREDENTIAL.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    if found:
        return _Signed(found["key"], token, found["service"])
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
    found = _CREDENTIAL.search(f"Credential={query.get('X-Amz-Credential', '')}")
    if found:
        return _Signed(found["key"], query.get("X-Amz-Security-Token", token), found["service"])
    older = re.match(r"AWS (?P<key>[^:]+):", str(environ.get("HTTP_AUTHORIZATION", "")))
    key = older["key"] if older else query.get("AWSAccessKeyId", "")
    return _Signed(key, token or query.get("x-amz-security-token", ""), "s3") if key else None


def _asks_who_it_is(signed: _Signed | None, environ: WSGIEnvironment) -> bool:
    is_sts = signed is not None and signed.service == "sts"
    return is_sts and _other_action(environ, "sts") == "GetCallerIdentity"


def _object_call(environ: WSGIEnvironment) -> ObjectCall:
    bucket, key = address(environ)
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    headers = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if "x-amz-copy-source" in headers:
        headers["x-amz-copy-source"] = unquote(headers["x-amz-copy-source"])
    return ObjectCall(str(environ["REQUEST_METHOD"]), bucket, key, subresource(query), query, headers)


def _other_action(environ: WSGIEnvironment, service: str) -> str:
    """The action of a service that takes forms, or states it in the path (CBOR)."""
    path = str(environ.get("PATH_INFO", ""))
    if "/operation/" in path:
        return path.rpartition("/operation/")[2]
    query = parse_qs(str(environ.get("QUERY_STRING", "")))
    if "Action" not in query and str(environ.get("CONTENT_TYPE", "")).startswith(
        "application/x-www-form-urlencoded"
    ):
        query = parse_qs(_body(environ).decode("utf-8", "replace"))
    if "Action" in query:
        return query["Action"][0]
    # Services that speak REST do not name the action; whoever may do all of the service may do it.
    return f"{environ['REQUEST_METHOD']}Unknown" if service else "Unknown"


def _body(environ: WSGIEnvironment) -> bytes:
    """A request's body, left to be read again."""
    body = get_input_stream(environ).read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body
