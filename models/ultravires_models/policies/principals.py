"""Whom the Principal of a statement names, and how far the grant reaches then.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from ultravires_models.policies.context import Context, Missing, context
from ultravires_models.policies.questions import IN_AN_ACCOUNT, Principal, PrincipalKind, Question
from ultravires_models.policies.truth import Truth, all_of, any_of

Reach = Literal["direct", "issuer", "account"]
REACHES: tuple[Reach, ...] = ("direct", "issuer", "account")
"""A statement may name the user or session itself, or everybody (`direct`); the role or user behind a session, whose
boundary and session policy then still limit it (`issuer`); or only its account, which then decides by its own policies.
"""
_TYPES: Mapping[PrincipalKind, str] = {
    "user": "User",
    "role": "AssumedRole",
    "session": "AssumedRole",
    "federated": "FederatedUser",
    "root": "Account",
}
_LISTED_WITH: Mapping[PrincipalKind, tuple[Reach, ...]] = {
    "user": ("direct", "account"),
    "role": ("issuer", "account"),
    "session": ("direct", "issuer", "account"),
    "federated": ("direct", "account"),
    "root": ("direct",),
}
"""How a NotPrincipal has to list a principal, so that a deny leaves it out."""
_SERVICE_LINKED_PATH = ":role/aws-service-role/"
_SERVICE_LINKED_NAME = "AWSServiceRoleFor"


def named(principals: Sequence[str], principal: Principal) -> dict[Reach, Truth]:
    """By reach, whether one of these (`*`, `AWS:<arn or account>`, `Service:<name>`...) is the principal."""
    found: dict[Reach, list[Truth]] = {reach: [] for reach in REACHES}
    for each in principals:
        reach, truth = _named(each, principal)
        found[reach].append(truth)
    return {reach: any_of(truths) for reach, truths in found.items()}


def excepted(not_principals: Sequence[str], principal: Principal, *, is_deny: bool, has_boundary: bool) -> Truth:
    """Whether a NotPrincipal leaves this principal out of what the statement says. A deny surely leaves one out only
    where its account is listed too, and of a session its role; and never one that has a permissions boundary.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
    """
    found = named(not_principals, principal)
    listed = any_of(found.values())
    if not is_deny or principal.kind not in IN_AN_ACCOUNT or listed is False:
        return listed
    if has_boundary and principal.kind != "root":
        return False
    return True if all_of(found[reach] for reach in _LISTED_WITH[principal.kind]) else None


def is_service_linked(principal: Principal) -> Truth:
    """Whether it is a role that belongs to a service, by the path of the role; a session shows only the role's name.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
    """
    if principal.kind not in ("role", "session"):
        return False
    role = principal.arn if principal.kind == "role" else principal.issuer
    if role is not None:
        return _SERVICE_LINKED_PATH in role
    return None if _role_name(principal.arn).startswith(_SERVICE_LINKED_NAME) else False


def context_of(question: Question) -> Context:
    """The context of the question, with what the principal itself tells of its keys.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principal-properties
    """
    principal = question.principal
    told: dict[str, str | bool | Missing] = {"aws:principalisawsservice": principal.kind == "service"}
    arn = principal.issuer if principal.kind == "session" else principal.arn
    if principal.kind in IN_AN_ACCOUNT:
        told["aws:principaltype"] = _TYPES[principal.kind]
        # every request has these two, whatever is known of them
        told |= {"aws:principalarn": arn or Missing.UNKNOWN}
        told |= {"aws:principalaccount": principal.account or Missing.UNKNOWN}
    absent = () if principal.kind == "user" else ("aws:username",)
    if principal.kind == "user":
        told["aws:username"] = principal.arn.rpartition("/")[2]
    given = {key.lower(): value for key, value in question.context.items() if type(key) is str}
    return context({**told, **given}, complete=question.complete, absent=absent)


def _named(entry: str, principal: Principal) -> tuple[Reach, Truth]:
    if entry == "*":
        return "direct", True
    kind, _, name = entry.partition(":")
    in_account = principal.kind in IN_AN_ACCOUNT
    if kind == "AWS":
        if name == "*":
            return "direct", True if in_account or principal.kind == "anonymous" else None
        return _of_account(name, principal) if in_account else ("direct", False)
    if kind == "CanonicalUser":
        return "account", None if in_account else False
    asks_as = {"Service": "service", "Federated": "provider"}.get(kind)
    return "direct", principal.kind == asks_as and principal.arn == name


def _of_account(name: str, principal: Principal) -> tuple[Reach, Truth]:
    account = name if name.isdigit() else _account_of_root(name)
    if account is not None:
        same = None if principal.account is None else principal.account == account
        return ("direct" if principal.kind == "root" else "account"), same
    if name == principal.arn:
        return ("issuer" if principal.kind == "role" else "direct"), True
    if ":assumed-role/" in name:
        # a role asks for some session, and this could be the one
        of_role = principal.kind == "role" and _is_role_of(principal.arn, name)
        return "direct", None if of_role else False
    if principal.kind == "session":
        is_role = name == principal.issuer if principal.issuer else _is_role_of(name, principal.arn)
        return "issuer", is_role
    return "issuer", principal.kind == "federated" and name == principal.issuer


def _account_of_root(name: str) -> str | None:
    parts = name.split(":")
    return parts[4] if len(parts) == 6 and parts[2] == "iam" and parts[5] == "root" else None


def _is_role_of(role: str, session: str) -> bool:
    """Names of roles are unique in an account, whatever their paths."""
    of_role, of_session = role.split(":"), session.split(":")
    return (
        len(of_role) == len(of_session) == 6
        and of_role[5].startswith("role/")
        and (of_role[1], of_role[4]) == (of_session[1], of_session[4])
        and of_role[5].rpartition("/")[2] == _role_name(session)
    )


def _role_name(session: str) -> str:
    """`Name` of `arn:aws:sts::<account>:assumed-role/Name/<session>`."""
    return "".join(session.partition(":assumed-role/")[2].split("/")[:1])
