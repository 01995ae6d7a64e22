"""What access entries of EKS give an IAM principal in a cluster.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html (the answer shows the groups),
https://docs.aws.amazon.com/eks/latest/APIReference/API_AssociateAccessPolicy.html,
https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html

An entry makes its principal a member of groups, and of a user where it has a name of its own; an access policy is
attached in the whole cluster or in some namespaces. The entry joins them, and ends them with itself. Of the policies
the one that allows everything has a document; what the others allow is not known here.
"""

from typing import Any
from urllib.parse import unquote

from ultravires.reading.grants import Json, given, taken, whole, written
from ultravires.reading.values import text
from ultravires.sources.aws.asked import MOST_ITEMS, names_in
from ultravires.sources.aws.changes import Change, Grants, identifier, inner, member, regional_arn
from ultravires.sources.kubernetes.rbac_rules import statements_of

_EVERYTHING = "AmazonEKSClusterAdminPolicy"
_ALL = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
_TEMPLATE = "{{"
"""What a user name holds that is made anew for each session."""


def _entry(change: Change) -> tuple[str, str] | None:
    """Principal and entry. Where the principal is a part of the request's address, it is written as there."""
    answered = inner(change.response, "accessEntry")
    name = identifier(change.request, "principalArn") or identifier(answered, "principalArn")
    cluster = identifier(change.request, "clusterName", "name") or identifier(answered, "clusterName")
    place = regional_arn(change, "eks", f"cluster/{cluster}" if cluster else None)
    principal = unquote(name) if name else None
    if place is None or principal is None or not principal.startswith("arn:"):
        return None
    return principal, f"{place}/access-entry/{principal}"


def _written(change: Change) -> list[Json]:
    """The groups and the name that the entry has now; a change that speaks of neither leaves both."""
    found = _entry(change)
    groups, user = _said(change, "kubernetesGroups"), text(_said(change, "username"))
    if found is None or (groups is not None and type(groups) is not list):
        return []
    principal, entry = found
    if groups is None and (user is None or not _is_new(change)):
        return []
    names = [f"group:{name}" for name in names_in(groups or [])]
    if user and _TEMPLATE not in user and not user.startswith("arn:"):
        names.append(user)
    is_all = groups is None or len(groups) <= MOST_ITEMS
    ended = [whole("member", binding=entry)] if is_all else []
    return [*ended, *(given("member", principal, name, binding=entry) for name in names if name != principal)]


def _said(change: Change, name: str) -> Any:
    """As the answer has it, which shows all of the entry, else as it was asked for."""
    answered = member(inner(change.response, "accessEntry"), name)
    return member(change.request, name) if answered is None else answered


def _is_new(change: Change) -> bool:
    return member(change.request, "kubernetesGroups", "username", "type") is not None


def _removed(change: Change) -> list[Json]:
    found = _entry(change)
    return [taken("member", binding=found[1]), taken("attached", binding=found[1])] if found else []


def _associated(change: Change) -> list[Json]:
    """The scope that is given stands in place of the one that the policy had."""
    found, policy = _entry(change), identifier(change.request, "policyArn")
    scope = inner(change.request, "accessScope")
    kind = member(scope, "type")
    if found is None or policy is None or kind not in ("cluster", "namespace"):
        return []
    principal, entry = found
    policy = unquote(policy)
    said = statements_of(_ALL) if policy.rpartition("/")[2] == _EVERYTHING else None
    document = [written(policy, said)] if said else []
    spaces = names_in(member(scope, "namespaces")) if kind == "namespace" else []
    scopes = [None] if kind == "cluster" else [f"namespace/{name}" for name in spaces]
    return [
        *document,
        whole("attached", holder=principal, held=policy, binding=entry),
        *(given("attached", principal, policy, scope=each, binding=entry) for each in scopes),
    ]


def _disassociated(change: Change) -> list[Json]:
    found, policy = _entry(change), identifier(change.request, "policyArn")
    return [taken("attached", found[0], unquote(policy), binding=found[1])] if found and policy else []


CLUSTER_ACCESS: dict[str, Grants] = {
    "eks:CreateAccessEntry": _written,
    "eks:UpdateAccessEntry": _written,
    "eks:DeleteAccessEntry": _removed,
    "eks:AssociateAccessPolicy": _associated,
    "eks:DisassociateAccessPolicy": _disassociated,
}
"""Operation -> what a successful call of it changes."""
