"""What calls of IAM Identity Center and its identity store change of who may do what.

https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html,
https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_Operations.html and
https://docs.aws.amazon.com/singlesignon/latest/userguide/logging-using-cloudtrail.html (event sources `sso`,
`sso-directory` and `identitystore`)

Users and groups are named by their id in the identity store, as `onBehalfOf` of an actor has it, accounts by their
number. Policies are attached to a permission set, so whoever is assigned to it is a member of it, within one account.
The role `AWSReservedSSO_<set>_<hash>` which comes of an assignment is made by a call of IAM in the other account: no
record relates it to the permission set by more than a name, and so it is not related here. A customer managed policy is
attached by name, to be found in each account: the account in its ARN is then `*`.
"""

from functools import partial

from ultravires.reading.grants import Json, given, gone, made, taken, unwritten, whole, written
from ultravires.sources.aws.changes import Change, Grants, arn_in, identifier, inner, member
from ultravires.sources.aws.policies import statements_of

_SET = "permissionSetArn"
_FAILED = "FAILED"


def _set_of(change: Change) -> str | None:
    return arn_in(change.request, _SET)


def _assignment(change: Change) -> tuple[str, str, str] | None:
    """Principal, permission set and account; None where one is missing or the answer says that it failed."""
    asked = change.request
    principal, chosen_set, account = identifier(asked, "principalId"), _set_of(change), identifier(asked, "targetId")
    for answer in ("accountAssignmentCreationStatus", "accountAssignmentDeletionStatus"):
        if member(inner(change.response, answer), "status") == _FAILED:
            return None
    return (principal, chosen_set, account) if principal and chosen_set and account else None


def _assigned(change: Change) -> list[Json]:
    found = _assignment(change)
    return [given("member", found[0], found[1], scope=found[2])] if found else []


def _unassigned(change: Change) -> list[Json]:
    found = _assignment(change)
    return [taken("member", found[0], found[1], scope=found[2])] if found else []


def _customer_managed(change: Change, members: dict[str, object]) -> str | None:
    reference = inner(members, "customerManagedPolicyReference")
    name, path = identifier(reference, "name"), (identifier(reference, "path") or "/").strip("/")
    return f"arn:{change.partition}:iam::*:policy/{path + '/' if path else ''}{name}" if name else None


def _managed(change: Change) -> str | None:
    return arn_in(change.request, "managedPolicyArn") or _customer_managed(change, change.request)


def _attached(change: Change) -> list[Json]:
    holder, policy = _set_of(change), _managed(change)
    return [given("attached", holder, policy)] if holder and policy else []


def _detached(change: Change) -> list[Json]:
    holder, policy = _set_of(change), _managed(change)
    return [taken("attached", holder, policy)] if holder and policy else []


def _inline_put(change: Change) -> list[Json]:
    holder = _set_of(change)
    if holder is None:
        return []
    held = f"{holder}#inline"
    return [written(held, statements_of(member(change.request, "inlinePolicy"))), given("attached", holder, held)]


def _inline_deleted(change: Change) -> list[Json]:
    holder = _set_of(change)
    return [taken("attached", holder, f"{holder}#inline"), unwritten(f"{holder}#inline")] if holder else []


def _bounded(change: Change) -> list[Json]:
    holder, asked = _set_of(change), inner(change.request, "permissionsBoundary")
    boundary = arn_in(asked, "managedPolicyArn") or _customer_managed(change, asked)
    return [whole("boundary", holder=holder), given("boundary", holder, boundary)] if holder and boundary else []


def _unbounded(change: Change) -> list[Json]:
    holder = _set_of(change)
    return [taken("boundary", holder)] if holder else []


def _set_made(change: Change) -> list[Json]:
    arn = arn_in(inner(change.response, "permissionSet"), _SET)
    return [made(arn)] if arn else []


def _set_deleted(change: Change) -> list[Json]:
    arn = _set_of(change)
    return [gone(arn)] if arn else []


def _joined(change: Change) -> list[Json]:
    """A member of a group; the answer's id of the membership is all that ends it later."""
    asked = change.request
    holder = identifier(inner(asked, "memberId"), "userId") or identifier(inner(asked, "member"), "memberId")
    group = identifier(asked, "groupId")
    binding = identifier(change.response, "membershipId")
    return [given("member", holder, group, binding=binding)] if holder and group else []


def _left(change: Change) -> list[Json]:
    asked = change.request
    if binding := identifier(asked, "membershipId"):
        return [taken("member", binding=binding)]
    holder, group = identifier(inner(asked, "member"), "memberId"), identifier(asked, "groupId")
    return [taken("member", holder, group)] if holder and group else []


def _made(kind: str, change: Change) -> list[Json]:
    """A new user or group: its id stands in the answer, of `sso-directory` inside of an object."""
    name = f"{kind}Id"
    uid = identifier(change.response, name) or identifier(inner(change.response, kind), name)
    return [made(uid)] if uid else []


def _deleted(kind: str, change: Change) -> list[Json]:
    uid = identifier(change.request, f"{kind}Id")
    return [gone(uid)] if uid else []


_IN_STORE: dict[str, Grants] = {
    "CreateUser": partial(_made, "user"),
    "CreateGroup": partial(_made, "group"),
    "DeleteUser": partial(_deleted, "user"),
    "DeleteGroup": partial(_deleted, "group"),
}
IDENTITY_CENTER: dict[str, Grants] = {
    "sso:CreateAccountAssignment": _assigned,
    "sso:DeleteAccountAssignment": _unassigned,
    "sso:AttachManagedPolicyToPermissionSet": _attached,
    "sso:DetachManagedPolicyFromPermissionSet": _detached,
    "sso:AttachCustomerManagedPolicyReferenceToPermissionSet": _attached,
    "sso:DetachCustomerManagedPolicyReferenceFromPermissionSet": _detached,
    "sso:PutInlinePolicyToPermissionSet": _inline_put,
    "sso:DeleteInlinePolicyFromPermissionSet": _inline_deleted,
    "sso:PutPermissionsBoundaryToPermissionSet": _bounded,
    "sso:DeletePermissionsBoundaryFromPermissionSet": _unbounded,
    "sso:CreatePermissionSet": _set_made,
    "sso:DeletePermissionSet": _set_deleted,
    "identitystore:CreateGroupMembership": _joined,
    "identitystore:DeleteGroupMembership": _left,
    "sso-directory:AddMemberToGroup": _joined,
    "sso-directory:RemoveMemberFromGroup": _left,
    **{
        f"{service}:{name}": change
        for service in ("identitystore", "sso-directory")
        for name, change in _IN_STORE.items()
    },
}
"""Operation -> what a successful call of it changes."""
