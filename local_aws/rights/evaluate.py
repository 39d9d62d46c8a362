"""Whether a request is allowed, and why: AWS's order of evaluation over the policies that apply.

An explicit Deny of any policy decides. Else, within one account, an Allow of the identity's policies (and of
the session's, where there is one) or of the resource's policy is enough; a role that the resource's policy
names is still held to its session's policy, a session that it names itself is not. Between accounts both
sides must allow. Services have no policies of their own. A key's policy must let the account in before
identities' policies count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from local_aws.rights.patterns import Text, arn_like, fill, like
from local_aws.rights.policy import Policy, Principals, Statement


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Attributes:
        arn: Of a session (`arn:aws:sts::…:assumed-role/role/session`), a user or an account's root; the name
            of a service.
        account: The account; empty for a service.
        role: The role's ARN, of a session.
    """

    arn: str
    account: str = ""
    role: str = ""

    @property
    def is_service(self) -> bool:
        """Whether it is a service of AWS."""
        return not self.account

    @property
    def is_root(self) -> bool:
        """Whether it is an account itself."""
        return self.arn.endswith(":root")


@dataclass(frozen=True)
class AccessRequest:
    """What is asked.

    Attributes:
        action: `service:Name`.
        resource: Its ARN, or `*` where the action knows none.
        account: The account that owns the resource.
        context: Values by context key; a key's case does not matter.
    """

    action: str
    resource: str
    account: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ApplicablePolicies:
    """The policies that a request is held to.

    Attributes:
        identity: Of the user or of the session's role.
        session: That the session was made with; None where it was made with none.
        resource: Of the resource; None where it has none.
        resource_decides: Whether nothing is allowed that the resource's policy does not allow, as with keys.
    """

    identity: Sequence[Policy] = ()
    session: Policy | None = None
    resource: Policy | None = None
    resource_decides: bool = False


class Outcome(Enum):
    """How a decision came out."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"


@dataclass(frozen=True)
class Decision:
    """The decision on a request.

    Attributes:
        outcome: How it came out.
        policy: The kind of policy that decided: the one that allowed or denied, or that allowed nothing.
        statement: The statement that decided; empty where none applied.
    """

    outcome: Outcome
    policy: str
    statement: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.outcome is Outcome.ALLOWED


IDENTITY, SESSION, RESOURCE = "identity-based policy", "session policy", "resource-based policy"


class _Call:
    """A request and who makes it, with the context that both give."""

    def __init__(self, principal: Principal, request: AccessRequest) -> None:
        self.principal = principal
        self.request = request
        given = {
            key.lower(): (value,) if isinstance(value, str) else tuple(value)
            for key, value in request.context.items()
        }
        self._context: dict[str, tuple[str, ...]] = {**_identity_context(principal), **given}

    def lookup(self, key: str) -> Sequence[str]:
        """The values of a context key."""
        return self._context.get(key.lower(), ())

    def first(self, policies: Sequence[Policy], *, allows: bool) -> Statement | None:
        """The first statement of this effect that applies."""
        for policy in policies:
            for statement in policy.statements:
                if statement.allows == allows and self.applies(statement, policy):
                    return statement
        return None

    def applies(self, statement: Statement, policy: Policy) -> bool:
        """Whether a statement applies to the request."""
        return (
            self._names_action(statement)
            and self._names_resource(statement, policy)
            and (statement.principals is None or self._names_principal(statement))
            and all(c.holds(self.lookup, variables=policy.variables) for c in statement.conditions)
        )

    def _names_action(self, statement: Statement) -> bool:
        named = any(like(self.request.action, Text(a), ignore_case=True) for a in statement.actions)
        return named != statement.not_actions

    def _names_resource(self, statement: Statement, policy: Policy) -> bool:
        lookup = self.lookup if policy.variables else None
        filled = [text for resource in statement.resources if (text := fill(resource, lookup))]
        named = any(
            str(text) == "*" or (self.request.resource != "*" and arn_like(self.request.resource, text))
            for text in filled
        )
        return named != statement.not_resources

    def _names_principal(self, statement: Statement) -> bool:
        stated = statement.principals or Principals()
        if not statement.not_principals:
            return stated.everyone or self._is_among(stated)
        # AWS looks at the account, then at the role, then at the session: one that is not excepted is denied.
        principal = self.principal
        if stated.everyone:
            return False
        if principal.is_service:
            return principal.arn not in stated.services
        names = {principal.role, principal.arn} - {""}
        if principal.is_root:
            names = set()
        return principal.account not in stated.accounts or not names <= stated.arns

    def _is_among(self, stated: Principals) -> bool:
        principal = self.principal
        if principal.is_service:
            return principal.arn in stated.services
        return principal.account in stated.accounts or bool({principal.arn, principal.role} & stated.arns)

    def grants_by_itself(self, statement: Statement) -> bool:
        """Whether a resource's statement grants, and does not leave it to the account's identities."""
        stated = statement.principals or Principals()
        names = {self.principal.arn, self.principal.role} & stated.arns
        return stated.everyone or self.principal.is_service or self.principal.is_root or bool(names)

    def is_bounded(self, statement: Statement) -> bool:
        """Whether a resource's grant is still held to the session's policy: one to its role is."""
        stated = statement.principals or Principals()
        return not stated.everyone and self.principal.arn not in stated.arns


def _identity_context(principal: Principal) -> dict[str, tuple[str, ...]]:
    if principal.is_service:
        return {"aws:principalisawsservice": ("true",), "aws:principalservicename": (principal.arn,)}
    return {
        "aws:principalisawsservice": ("false",),
        # Of a session it is the role's, not the session's.
        "aws:principalarn": (principal.role or principal.arn,),
        "aws:principalaccount": (principal.account,),
    }


def evaluate(principal: Principal, request: AccessRequest, policies: ApplicablePolicies) -> Decision:
    """Decide on a request.

    Args:
        principal: Who asks.
        request: What is asked.
        policies: What applies.

    Raises:
        PolicyError: A condition compares in a way whose outcome AWS does not state.
    """
    call = _Call(principal, request)
    of_session = [policies.session] if policies.session else []
    of_resource = [policies.resource] if policies.resource else []
    kinds = ((IDENTITY, policies.identity), (SESSION, of_session), (RESOURCE, of_resource))
    for kind, applicable in kinds:
        if denied := call.first(applicable, allows=False):
            return Decision(Outcome.EXPLICIT_DENY, kind, denied.name)
    granted = call.first(of_resource, allows=True)
    if granted is not None:
        # Of several that apply, one that grants by itself counts more than one that leaves it to identities.
        granted = _strongest(call, policies.resource, granted)
    if principal.is_service:
        return _resource_alone(granted)
    if request.account != principal.account:
        return _between_accounts(call, policies, granted)
    return _within_the_account(call, policies, granted)


def _strongest(call: _Call, policy: Policy | None, found: Statement) -> Statement:
    applicable = [s for s in policy.statements if s.allows and call.applies(s, policy)] if policy else []
    ranked = sorted(applicable, key=lambda s: (not call.grants_by_itself(s), call.is_bounded(s)))
    return ranked[0] if ranked else found


def _resource_alone(granted: Statement | None) -> Decision:
    if granted is None:
        return Decision(Outcome.IMPLICIT_DENY, RESOURCE)
    return Decision(Outcome.ALLOWED, RESOURCE, granted.name)


def _within_the_account(call: _Call, policies: ApplicablePolicies, granted: Statement | None) -> Decision:
    if policies.resource_decides and granted is None:
        return Decision(Outcome.IMPLICIT_DENY, RESOURCE)
    if call.principal.is_root:
        # An account's own root may do all that nothing denies.
        return Decision(Outcome.ALLOWED, IDENTITY, "root")
    if granted is not None and call.grants_by_itself(granted):
        if call.is_bounded(granted) and not _session_allows(call, policies):
            return Decision(Outcome.IMPLICIT_DENY, SESSION)
        return Decision(Outcome.ALLOWED, RESOURCE, granted.name)
    return _identities_alone(call, policies)


def _between_accounts(call: _Call, policies: ApplicablePolicies, granted: Statement | None) -> Decision:
    if granted is None:
        return Decision(Outcome.IMPLICIT_DENY, RESOURCE)
    if call.principal.is_root:
        return Decision(Outcome.ALLOWED, RESOURCE, granted.name)
    return _identities_alone(call, policies)


def _identities_alone(call: _Call, policies: ApplicablePolicies) -> Decision:
    allowed = call.first(policies.identity, allows=True)
    if allowed is None:
        return Decision(Outcome.IMPLICIT_DENY, IDENTITY)
    if not _session_allows(call, policies):
        return Decision(Outcome.IMPLICIT_DENY, SESSION)
    return Decision(Outcome.ALLOWED, IDENTITY, allowed.name)


def _session_allows(call: _Call, policies: ApplicablePolicies) -> bool:
    return policies.session is None or call.first([policies.session], allows=True) is not None


def refusal(principal: Principal, request: AccessRequest, decision: Decision) -> str:
    """What AWS tells whom it refuses.

    Args:
        principal: Who asked.
        request: What was asked.
        decision: Why not.
    """
    who = f"User: {principal.arn} is not authorized to perform: {request.action}"
    # S3 alone quotes the resource.
    named = f'"{request.resource}"' if request.action.startswith("s3:") else request.resource
    what = f"{who} on resource: {named}" if request.resource != "*" else who
    if decision.outcome is Outcome.EXPLICIT_DENY:
        article = "an" if decision.policy == IDENTITY else "a"
        return f"{what} with an explicit deny in {article} {decision.policy}"
    return f"{what} because no {decision.policy} allows the {request.action} action"
