"""What calls of AWS change of who may do what, as `detail["grants"]`: the table of all of them, and those of IAM.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html (requests and answers) and
https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html (how CloudTrail writes them)

An inline policy is held as `<holder>#<name of the policy>`. Left out, because the record cannot say it truly:
`UpdateUser` and `UpdateGroup` with a new name, after which the same holder is called by other names: to say that one is
gone and another made would take away what it still holds, which the record does not repeat. `DeletePolicyVersion`: only
a version that is not in force can be deleted, so nobody's power changes. `DeleteServiceLinkedRole` only submits a
deletion that may fail, and the policies of a service-linked role stand in no record.
"""

from functools import partial

from ultravires.reading.grants import Json, chosen, given, gone, made, taken, unwritten, whole, written
from ultravires.reading.values import truth
from ultravires.sources.aws.bucket_acls import BUCKET_ACLS
from ultravires.sources.aws.changes import Change, Grants, arn_in, iam_arn, identifier, inner, member, plain_arn
from ultravires.sources.aws.cluster_access import CLUSTER_ACCESS
from ultravires.sources.aws.identity_center import IDENTITY_CENTER
from ultravires.sources.aws.kms_grants import KMS_GRANTS
from ultravires.sources.aws.organizations import ORGANIZATIONS
from ultravires.sources.aws.permission_statements import PERMISSION_STATEMENTS
from ultravires.sources.aws.policies import statements_of
from ultravires.sources.aws.resource_policies import RESOURCE_POLICIES
from ultravires.sources.aws.resource_shares import RESOURCE_SHARES
from ultravires.sources.aws.shared_images import SHARED_IMAGES

_FIRST_VERSION = "v1"
_NAMES = {"user": "userName", "role": "roleName", "group": "groupName", "instance-profile": "instanceProfileName"}
_ANSWERED = {"instance-profile": "instanceProfile"}
_DOCUMENT, _TRUST = "policyDocument", "assumeRolePolicyDocument"


def _holder(change: Change, kind: str) -> str | None:
    return iam_arn(change, kind, identifier(change.request, _NAMES[kind]))


def _attached(kind: str, change: Change) -> list[Json]:
    holder, policy = _holder(change, kind), arn_in(change.request, "policyArn")
    return [given("attached", holder, policy)] if holder and policy else []


def _detached(kind: str, change: Change) -> list[Json]:
    holder, policy = _holder(change, kind), arn_in(change.request, "policyArn")
    return [taken("attached", holder, policy)] if holder and policy else []


def _inline_put(kind: str, change: Change) -> list[Json]:
    holder, name = _holder(change, kind), identifier(change.request, "policyName")
    if not holder or not name:
        return []
    held = f"{holder}#{name}"
    return [written(held, statements_of(member(change.request, _DOCUMENT))), given("attached", holder, held)]


def _inline_deleted(kind: str, change: Change) -> list[Json]:
    holder, name = _holder(change, kind), identifier(change.request, "policyName")
    if not holder or not name:
        return []
    held = f"{holder}#{name}"
    return [taken("attached", holder, held), unwritten(held)]


def _made(kind: str, change: Change) -> list[Json]:
    """A new one, with its boundary, and a role with its trust. A service-linked role is named in the answer alone."""
    answered = inner(change.response, _ANSWERED.get(kind, kind))
    name = _NAMES[kind]
    holder = iam_arn(change, kind, identifier(change.request, name) or identifier(answered, name))
    if holder is None:
        return []
    full = arn_in(answered, "arn")
    grants = [made(holder)]
    if full and full != holder and plain_arn(full) == holder:
        grants += [made(full), given("member", full, holder)]
    boundary = arn_in(change.request, "permissionsBoundary")
    boundary = boundary or arn_in(inner(answered, "permissionsBoundary"), "permissionsBoundaryArn")
    if boundary:
        grants.append(given("boundary", holder, boundary))
    if kind == "role":
        document = member(change.request, _TRUST) or member(answered, _TRUST)
        grants.append(written(holder, statements_of(document), kind="trust"))
    return grants


def _deleted(kind: str, change: Change) -> list[Json]:
    holder = _holder(change, kind)
    return [gone(holder)] if holder else []


def _trusted(change: Change) -> list[Json]:
    role = _holder(change, "role")
    return [written(role, statements_of(member(change.request, _DOCUMENT)), kind="trust")] if role else []


def _bounded(kind: str, change: Change) -> list[Json]:
    """A holder has one boundary: a new one replaces that which it had."""
    holder, boundary = _holder(change, kind), arn_in(change.request, "permissionsBoundary")
    return [whole("boundary", holder=holder), given("boundary", holder, boundary)] if holder and boundary else []


def _unbounded(kind: str, change: Change) -> list[Json]:
    holder = _holder(change, kind)
    return [taken("boundary", holder)] if holder else []


def _joined(kind: str, group: str, change: Change) -> list[Json]:
    holder, held = _holder(change, kind), _holder(change, group)
    return [given("member", holder, held)] if holder and held else []


def _left(kind: str, group: str, change: Change) -> list[Json]:
    holder, held = _holder(change, kind), _holder(change, group)
    return [taken("member", holder, held)] if holder and held else []


def _policy_made(change: Change) -> list[Json]:
    """A managed policy with its first version, which is in force. Without an answer its ARN is of its path and name."""
    answered = inner(change.response, "policy")
    arn = arn_in(answered, "arn") or _policy_arn(change)
    if arn is None:
        return []
    version = identifier(answered, "defaultVersionId") or _FIRST_VERSION
    return [made(arn), written(arn, statements_of(member(change.request, _DOCUMENT)), version=version)]


def _policy_arn(change: Change) -> str | None:
    name, path = identifier(change.request, "policyName"), identifier(change.request, "path") or "/"
    return iam_arn(change, "policy", path.strip("/") + "/" + name if path.strip("/") else name) if name else None


def _version_made(change: Change) -> list[Json]:
    """A version that is not in force counts once it is chosen, so without its id it never does."""
    answered = inner(change.response, "policyVersion")
    arn, version = arn_in(change.request, "policyArn"), identifier(answered, "versionId")
    is_chosen = truth(member(answered, "isDefaultVersion"))
    in_force = (truth(member(change.request, "setAsDefault")) if is_chosen is None else is_chosen) is True
    if arn is None or not (version or in_force):
        return []
    statements = statements_of(member(change.request, _DOCUMENT))
    return [written(arn, statements, version=version, in_force=in_force)]


def _version_chosen(change: Change) -> list[Json]:
    arn, version = arn_in(change.request, "policyArn"), identifier(change.request, "versionId")
    return [chosen(arn, version)] if arn and version else []


def _policy_deleted(change: Change) -> list[Json]:
    arn = arn_in(change.request, "policyArn")
    return [gone(arn)] if arn else []


_IAM: dict[str, Grants] = {
    "iam:CreatePolicy": _policy_made,
    "iam:CreatePolicyVersion": _version_made,
    "iam:SetDefaultPolicyVersion": _version_chosen,
    "iam:DeletePolicy": _policy_deleted,
    "iam:UpdateAssumeRolePolicy": _trusted,
    "iam:CreateServiceLinkedRole": partial(_made, "role"),
    "iam:AddUserToGroup": partial(_joined, "user", "group"),
    "iam:RemoveUserFromGroup": partial(_left, "user", "group"),
    "iam:AddRoleToInstanceProfile": partial(_joined, "instance-profile", "role"),
    "iam:RemoveRoleFromInstanceProfile": partial(_left, "instance-profile", "role"),
    "iam:CreateInstanceProfile": partial(_made, "instance-profile"),
    "iam:DeleteInstanceProfile": partial(_deleted, "instance-profile"),
}


def _of_kind(kind: str) -> dict[str, Grants]:
    """The calls that IAM has for each kind of holder; groups have no boundary."""
    name = kind.title()
    found: dict[str, Grants] = {
        f"iam:Create{name}": partial(_made, kind),
        f"iam:Delete{name}": partial(_deleted, kind),
        f"iam:Attach{name}Policy": partial(_attached, kind),
        f"iam:Detach{name}Policy": partial(_detached, kind),
        f"iam:Put{name}Policy": partial(_inline_put, kind),
        f"iam:Delete{name}Policy": partial(_inline_deleted, kind),
    }
    if kind != "group":
        found[f"iam:Put{name}PermissionsBoundary"] = partial(_bounded, kind)
        found[f"iam:Delete{name}PermissionsBoundary"] = partial(_unbounded, kind)
    return found


CHANGES: dict[str, Grants] = {
    **_IAM,
    **_of_kind("user"),
    **_of_kind("role"),
    **_of_kind("group"),
    **RESOURCE_POLICIES,
    **PERMISSION_STATEMENTS,
    **BUCKET_ACLS,
    **KMS_GRANTS,
    **SHARED_IMAGES,
    **IDENTITY_CENTER,
    **ORGANIZATIONS,
    **CLUSTER_ACCESS,
    **RESOURCE_SHARES,
}
"""`<service>:<operation>` -> what a successful call of it changes; no grants where its record does not say it."""
