"""The keys of runs of jobs and functions: each is a session of its role, and is told where its keys are.

`AWS_CONTAINER_CREDENTIALS_FULL_URI` is that place, and a token opens it alone. SDKs fetch keys there, and new
ones before those end; so do the processes that a run starts, such as Spark's executors.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from local_aws.endpoint.guard import Guard
from local_aws.endpoint.layers import CREDENTIALS_PATH, respond
from local_aws.rights.evaluate import ApplicablePolicies, Principal, evaluate, refusal
from local_aws.rights.keys import Caller, Credentials

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

GLUE = "glue.amazonaws.com"


class RoleRefusedError(Exception):
    """A role that is not there, or that the service may not take."""


@dataclass
class _Session:
    caller: Caller
    token: str
    keys: list[Credentials] = field(default_factory=list)


@dataclass(frozen=True)
class RunIdentity:
    """Who a run is.

    Attributes:
        environment: The variables by which its processes find their keys.
        key: An access key of the session, for what the stack does on the run's behalf.
    """

    environment: dict[str, str]
    key: str


class RunCredentials:
    """Gives runs their sessions, and answers their requests for keys.

    Args:
        guard: Knows keys and roles.
        url: The endpoint's.
        lasting: How long keys are good.
    """

    def __init__(self, guard: Guard, url: str, lasting: timedelta = timedelta(hours=1)) -> None:
        self._guard = guard
        self._url = url
        self.lasting = lasting
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def begin(self, role: str, run_id: str, service: str = GLUE) -> RunIdentity:
        """Make a run's session.

        Args:
            role: The role, its name or its ARN.
            run_id: The run.
            service: Who takes the role.

        Raises:
            RoleRefusedError: There is no such role, or the service may not take it.
        """
        name = role.rpartition("/")[2]
        place = self._guard.place
        role_arn = f"arn:{place.partition}:iam::{place.account}:role/{name}"
        if self._guard.enforced:
            self._check_trust(name, role_arn, service)
        arn = f"arn:{place.partition}:sts::{place.account}:assumed-role/{name}/{run_id[:64]}"
        session = _Session(Caller(Principal(arn, place.account, role_arn), name), secrets.token_urlsafe(32))
        with self._lock:
            self._sessions[run_id] = session
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self._url}{CREDENTIALS_PATH}{run_id}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": session.token,
        }
        return RunIdentity(environment, self._issue(session).access_key)

    def end(self, run_id: str) -> None:
        """Make the keys of a run that is over unknown."""
        with self._lock:
            session = self._sessions.pop(run_id, None)
        if session is not None:
            self._guard.keys.revoke([made.access_key for made in session.keys])

    def __call__(self, behind: WSGIApplication) -> WSGIApplication:
        """Put the layer that answers runs in front of an application."""

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            path = str(environ.get("PATH_INFO", ""))
            if not path.startswith(CREDENTIALS_PATH):
                return behind(environ, start_response)
            with self._lock:
                session = self._sessions.get(path.removeprefix(CREDENTIALS_PATH))
            token = str(environ.get("HTTP_AUTHORIZATION", ""))
            if session is None or not secrets.compare_digest(session.token, token):
                return respond(start_response, 401, {"message": "no run has this token"}, "application/json")
            made = self._issue(session)
            answer = {
                "AccessKeyId": made.access_key,
                "SecretAccessKey": made.secret_key,
                "Token": made.token,
                "Expiration": made.expires.isoformat().replace("+00:00", "Z") if made.expires else None,
                "RoleArn": session.caller.principal.role,
            }
            return respond(start_response, 200, answer, "application/json")

        return application

    def _issue(self, session: _Session) -> Credentials:
        made = self._guard.keys.issue(session.caller, self.lasting)
        session.keys.append(made)
        return made

    def _check_trust(self, name: str, role_arn: str, taken_by: str) -> None:
        trust = self._guard.policies.trust_of_role(name)
        if trust is None:
            raise RoleRefusedError(f"there is no role {name}")
        service = Principal(taken_by)
        account = {"aws:SourceAccount": self._guard.place.account}
        request = self._guard.place.ask("sts:AssumeRole", role_arn, account)
        decision = evaluate(service, request, ApplicablePolicies(resource=trust, resource_decides=True))
        if not decision.allowed:
            raise RoleRefusedError(refusal(service, request, decision))
