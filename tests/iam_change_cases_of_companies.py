"""Calls of Identity Center and Organizations that change who may do what, and the grants that they say."""

from typing import Any

from iam_change_cases import ACCOUNT, AWS_ADMIN, OPEN_TEXT, OPENED, OWN, SAID, SET, TEXT, Case
from ultravires.reading.grants import given, gone, made, taken, unwritten, whole, written

Json = dict[str, Any]

# https://docs.aws.amazon.com/singlesignon/latest/userguide/logging-using-cloudtrail.html and its API reference
_USER, _GROUP, _OTHER = "117b5560-c041-70cf-2973-8b2ec16f4d4e", "d1cb25d0-b061-705c-90da-b2b62e4f01f8", "444455556666"
_IN_SET = {"instanceArn": "arn:aws:sso:::instance/ssoins-1", "permissionSetArn": SET}
_ASSIGNED = _IN_SET | {"targetId": _OTHER, "targetType": "AWS_ACCOUNT", "principalType": "USER", "principalId": _USER}
_REFERENCE = {"customerManagedPolicyReference": {"name": "own", "path": "/team/"}}
_ANYWHERE = "arn:aws:iam::*:policy/team/own"
_CREATED = {"accountAssignmentCreationStatus": {"status": "IN_PROGRESS", "requestId": "1"}}
_FAILED = {"accountAssignmentCreationStatus": {"status": "FAILED", "failureReason": "no such account"}}
_INLINE = f"{SET}#inline"
_IDENTITIES = [
    Case("sso:CreateAccountAssignment", _ASSIGNED, _CREATED, [given("member", _USER, SET, scope=_OTHER)]),
    Case("sso:CreateAccountAssignment", _ASSIGNED, _FAILED, []),
    Case("sso:CreateAccountAssignment", _ASSIGNED | {"principalId": "AROA****"}, _CREATED, []),
    Case("sso:DeleteAccountAssignment", _ASSIGNED, None, [taken("member", _USER, SET, scope=_OTHER)]),
    Case(
        "sso:AttachManagedPolicyToPermissionSet",
        _IN_SET | {"managedPolicyArn": AWS_ADMIN},
        None,
        [given("attached", SET, AWS_ADMIN)],
    ),
    Case(
        "sso:DetachManagedPolicyFromPermissionSet",
        _IN_SET | {"managedPolicyArn": AWS_ADMIN},
        None,
        [taken("attached", SET, AWS_ADMIN)],
    ),
    Case(
        "sso:AttachCustomerManagedPolicyReferenceToPermissionSet",
        _IN_SET | _REFERENCE,
        None,
        [given("attached", SET, _ANYWHERE)],
    ),
    Case(
        "sso:DetachCustomerManagedPolicyReferenceFromPermissionSet",
        _IN_SET | _REFERENCE,
        None,
        [taken("attached", SET, _ANYWHERE)],
    ),
    Case(
        "sso:PutInlinePolicyToPermissionSet",
        _IN_SET | {"inlinePolicy": TEXT},
        None,
        [written(_INLINE, SAID), given("attached", SET, _INLINE)],
    ),
    Case(
        "sso:DeleteInlinePolicyFromPermissionSet",
        _IN_SET,
        None,
        [taken("attached", SET, _INLINE), unwritten(_INLINE)],
    ),
    Case(
        "sso:PutPermissionsBoundaryToPermissionSet",
        _IN_SET | {"permissionsBoundary": {"managedPolicyArn": OWN}},
        None,
        [whole("boundary", holder=SET), given("boundary", SET, OWN)],
    ),
    Case(
        "sso:PutPermissionsBoundaryToPermissionSet",
        _IN_SET | {"permissionsBoundary": _REFERENCE},
        None,
        [whole("boundary", holder=SET), given("boundary", SET, _ANYWHERE)],
    ),
    Case("sso:DeletePermissionsBoundaryFromPermissionSet", _IN_SET, None, [taken("boundary", SET)]),
    Case("sso:CreatePermissionSet", {"name": "Admins"}, {"permissionSet": {"permissionSetArn": SET}}, [made(SET)]),
    Case("sso:DeletePermissionSet", _IN_SET, None, [gone(SET)]),
    Case(
        "identitystore:CreateGroupMembership",
        {"identityStoreId": "d-1", "groupId": _GROUP, "memberId": {"userId": _USER}},
        {"membershipId": "m-1", "identityStoreId": "d-1"},
        [given("member", _USER, _GROUP, binding="m-1")],
    ),
    Case(
        "identitystore:DeleteGroupMembership",
        {"identityStoreId": "d-1", "membershipId": "m-1"},
        None,
        [taken("member", binding="m-1")],
    ),
    Case(
        "sso-directory:AddMemberToGroup",
        {"groupId": _GROUP, "member": {"memberId": _USER}},
        None,
        [given("member", _USER, _GROUP)],
    ),
    Case(
        "sso-directory:RemoveMemberFromGroup",
        {"groupId": _GROUP, "member": {"memberId": _USER}},
        None,
        [taken("member", _USER, _GROUP)],
    ),
    Case("identitystore:CreateUser", {"identityStoreId": "d-1"}, {"userId": _USER}, [made(_USER)]),
    Case("identitystore:CreateGroup", {"identityStoreId": "d-1"}, {"groupId": _GROUP}, [made(_GROUP)]),
    Case("identitystore:DeleteUser", {"userId": _USER}, None, [gone(_USER)]),
    Case("identitystore:DeleteGroup", {"groupId": _GROUP}, None, [gone(_GROUP)]),
    Case("sso-directory:CreateUser", {"identityStoreId": "d-1"}, {"user": {"userId": _USER}}, [made(_USER)]),
    Case("sso-directory:CreateGroup", {"displayName": "x"}, {"group": {"groupId": _GROUP}}, [made(_GROUP)]),
    Case("sso-directory:DeleteUser", {"userId": _USER}, None, [gone(_USER)]),
    Case("sso-directory:DeleteGroup", {"groupId": _GROUP}, None, [gone(_GROUP)]),
]

# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html and its API reference
_UNIT, _POLICY, _ROOT = "ou-a1b2-22222222", "p-11111111", "r-a1b2"
_TARGET = {"policyId": _POLICY, "targetId": _UNIT}


def _answered(kind: str) -> Json:
    return {"policy": {"policySummary": {"id": _POLICY, "type": kind}}}


_SCP, _RCP, _TAGS = (_answered(f"{kind}_POLICY") for kind in ("SERVICE_CONTROL", "RESOURCE_CONTROL", "TAG"))
_NEW = {"id": "car-1", "accountName": "****", "accountId": _OTHER}
_COMPANY = [
    Case("organizations:AttachPolicy", _TARGET, None, [given("guardrail", _UNIT, _POLICY)]),
    Case("organizations:DetachPolicy", _TARGET, None, [taken("guardrail", _UNIT, _POLICY)]),
    Case(
        "organizations:CreatePolicy",
        {"name": "x", "type": "SERVICE_CONTROL_POLICY", "content": TEXT},
        _SCP,
        [made(_POLICY), written(_POLICY, SAID)],
    ),
    Case(
        "organizations:CreatePolicy",
        {"name": "x", "content": OPEN_TEXT},
        _RCP,
        [made(_POLICY), written(_POLICY, OPENED, kind="resource")],
    ),
    Case("organizations:CreatePolicy", {"name": "x", "type": "TAG_POLICY", "content": '{"tags": {}}'}, _TAGS, []),
    Case("organizations:UpdatePolicy", {"policyId": _POLICY, "content": TEXT}, _SCP, [written(_POLICY, SAID)]),
    Case("organizations:UpdatePolicy", {"policyId": _POLICY, "content": "{"}, None, [written(_POLICY, None)]),
    Case(
        "organizations:UpdatePolicy",
        {"policyId": _POLICY, "content": OPEN_TEXT},
        None,
        [written(_POLICY, OPENED, kind="resource")],
    ),
    Case("organizations:UpdatePolicy", {"policyId": _POLICY, "name": "y"}, _SCP, []),
    Case("organizations:UpdatePolicy", {"policyId": _POLICY, "content": '{"tags": {}}'}, _TAGS, []),
    Case("organizations:DeletePolicy", {"policyId": _POLICY}, None, [gone(_POLICY)]),
    Case("organizations:CreateAccount", {}, {"createAccountStatus": {"state": "IN_PROGRESS", "id": "car-1"}}, []),
    Case("organizations:CreateAccount", {}, {"createAccountStatus": _NEW | {"state": "SUCCEEDED"}}, [made(_OTHER)]),
    Case(
        "organizations:CreateAccountResult",
        None,
        None,
        [made(_OTHER)],
        {"serviceEventDetails": {"createAccountStatus": _NEW | {"state": "SUCCEEDED"}}},
    ),
    Case(
        "organizations:CreateAccountResult",
        None,
        None,
        [],
        {"serviceEventDetails": {"createAccountStatus": _NEW | {"state": "FAILED"}}},
    ),
    Case(
        "organizations:MoveAccount",
        {"accountId": _OTHER, "sourceParentId": _ROOT, "destinationParentId": _UNIT},
        None,
        [whole("within", holder=_OTHER), given("within", _OTHER, _UNIT)],
    ),
    Case("organizations:RemoveAccountFromOrganization", {"accountId": _OTHER}, None, [taken("within", _OTHER)]),
    Case("organizations:LeaveOrganization", None, None, [taken("within", ACCOUNT)]),
    Case(
        "organizations:CreateOrganizationalUnit",
        {"parentId": _ROOT, "name": "x"},
        {"organizationalUnit": {"id": _UNIT}},
        [made(_UNIT), given("within", _UNIT, _ROOT)],
    ),
    Case("organizations:DeleteOrganizationalUnit", {"organizationalUnitId": _UNIT}, None, [gone(_UNIT)]),
]
OF_COMPANIES = [*_IDENTITIES, *_COMPANY]
