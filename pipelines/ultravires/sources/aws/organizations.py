"""What calls of AWS Organizations change of who may do what.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_Operations.html and
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html (`CreateAccountResult`)

Accounts are named by their number, organizational units, roots and policies by their id: later calls name them so. A
service control policy says what identities below may do at most, of kind `permissions`; a resource control policy what
may be done to resources below, of kind `resource`. Policies of other types (tags, backups) limit no permission; the
call that attaches one does not say its type, so that it is a guardrail whose document no record writes. A new account
lies in the root, which its record does not name.
"""

from typing import Any

from ultravires.reading.grants import DocumentKind, Json, given, gone, made, taken, whole, written
from ultravires.sources.aws.changes import Change, Grants, identifier, inner, member
from ultravires.sources.aws.policies import statements_of

_KINDS: dict[str, DocumentKind] = {"SERVICE_CONTROL_POLICY": "permissions", "RESOURCE_CONTROL_POLICY": "resource"}


def _attached(change: Change) -> list[Json]:
    holder, policy = identifier(change.request, "targetId"), identifier(change.request, "policyId")
    return [given("guardrail", holder, policy)] if holder and policy else []


def _detached(change: Change) -> list[Json]:
    holder, policy = identifier(change.request, "targetId"), identifier(change.request, "policyId")
    return [taken("guardrail", holder, policy)] if holder and policy else []


def _summary(change: Change) -> dict[str, Any]:
    return inner(change.response, "policy", "policySummary")


def _policy_made(change: Change) -> list[Json]:
    policy = identifier(_summary(change), "id")
    kind = _KINDS.get(identifier(_summary(change), "type") or identifier(change.request, "type") or "")
    if policy is None or kind is None:
        return []
    return [made(policy), written(policy, statements_of(member(change.request, "content")), kind=kind)]


def _policy_written(change: Change) -> list[Json]:
    """New content; a call that only renames has none. Where no type is answered, statements that name principals are
    of a resource control policy.
    """
    policy, content = identifier(change.request, "policyId"), member(change.request, "content")
    if policy is None or content is None:
        return []
    statements, said = statements_of(content), identifier(_summary(change), "type")
    if said is None:
        is_of_resources = any("principals" in each for each in statements or ())
        said = "RESOURCE_CONTROL_POLICY" if is_of_resources else "SERVICE_CONTROL_POLICY"
    return [written(policy, statements, kind=_KINDS[said])] if said in _KINDS else []


def _policy_deleted(change: Change) -> list[Json]:
    policy = identifier(change.request, "policyId")
    return [gone(policy)] if policy else []


def _account_made(change: Change) -> list[Json]:
    """Accounts are made later than asked for: the number stands in what Organizations itself logs then."""
    for said in (change.details, change.response):
        status = inner(said, "createAccountStatus")
        account = identifier(status, "accountId")
        if account and member(status, "state") == "SUCCEEDED":
            return [made(account)]
    return []


def _account_moved(change: Change) -> list[Json]:
    account, parent = identifier(change.request, "accountId"), identifier(change.request, "destinationParentId")
    return [whole("within", holder=account), given("within", account, parent)] if account and parent else []


def _account_removed(change: Change) -> list[Json]:
    account = identifier(change.request, "accountId")
    return [taken("within", account)] if account else []


def _account_left(change: Change) -> list[Json]:
    return [taken("within", change.account)] if change.account else []


def _unit_made(change: Change) -> list[Json]:
    unit, parent = (
        identifier(inner(change.response, "organizationalUnit"), "id"),
        identifier(change.request, "parentId"),
    )
    if unit is None:
        return []
    return [made(unit), *([given("within", unit, parent)] if parent else [])]


def _unit_deleted(change: Change) -> list[Json]:
    unit = identifier(change.request, "organizationalUnitId")
    return [gone(unit)] if unit else []


ORGANIZATIONS: dict[str, Grants] = {
    "organizations:AttachPolicy": _attached,
    "organizations:DetachPolicy": _detached,
    "organizations:CreatePolicy": _policy_made,
    "organizations:UpdatePolicy": _policy_written,
    "organizations:DeletePolicy": _policy_deleted,
    "organizations:CreateAccount": _account_made,
    "organizations:CreateAccountResult": _account_made,
    "organizations:MoveAccount": _account_moved,
    "organizations:RemoveAccountFromOrganization": _account_removed,
    "organizations:LeaveOrganization": _account_left,
    "organizations:CreateOrganizationalUnit": _unit_made,
    "organizations:DeleteOrganizationalUnit": _unit_deleted,
}
"""Operation -> what a successful call of it changes."""
