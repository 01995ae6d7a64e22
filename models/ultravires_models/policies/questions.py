"""What is asked, what is held, and the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Mapping[str, Any]
Document = Sequence[Json] | None
"""The statements of one document, as `ultravires.reading.grants` has them; None where they are not known."""
Documents = Sequence[Document]
Result = Literal["allow", "deny", "unknown"]
PrincipalKind = Literal["user", "role", "session", "federated", "root", "service", "provider", "anonymous"]
IN_AN_ACCOUNT: frozenset[PrincipalKind] = frozenset({"user", "role", "session", "federated", "root"})
"""The kinds that hold policies of their own and belong to an account."""


@dataclass(frozen=True)
class Principal:
    """Who asks. `arn` is that of a user, role, session or root, the name of a service (`ec2.amazonaws.com`) or that of
    an identity provider; kind `role` asks for any session of the role. `issuer` is, where known, the role of a session,
    or the user whose federated session this is.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """

    arn: str
    kind: PrincipalKind
    account: str | None = None
    issuer: str | None = None


@dataclass(frozen=True)
class Question:
    """May this principal do this action to this resource? `resource` is `*` for an action that names none. `context`
    has values of condition keys, with None for keys that the request does not have; where it is `complete` it has all.
    """

    principal: Principal
    action: str
    resource: str
    resource_account: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class Held:
    """The policies that speak of a question, as documents; a document of None is one that is there and not known.

    `boundary` and `session` are None where there is none. `guardrails` are the documents of service control policies by
    level, from the root of the organization down to the account; no level where none apply. `resource_guardrails` are
    the resource control policies of the account of the resource, in the same way. `resource` is None where there is no
    policy of the resource or none is known: then none is assumed, and where it has to be there, the answer is unknown;
    it is empty where it is known that there is none. `management_account` is that of the organization, which no
    guardrail limits.
    """

    identity: Documents = ()
    boundary: Documents | None = None
    session: Documents | None = None
    guardrails: Sequence[Documents] = ()
    resource_guardrails: Sequence[Documents] = ()
    resource: Documents | None = None
    management_account: str | None = None


@dataclass(frozen=True)
class Answer:
    """`reason` in a few words, and the statements that decided, in an order of their own: those that denied or allowed,
    or those of which it is not known whether they apply.
    """

    result: Result
    reason: str
    statements: tuple[Json, ...] = ()
