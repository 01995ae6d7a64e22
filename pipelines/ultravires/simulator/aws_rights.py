"""Calls of IAM that change who may do what: what they ask, and what IAM answers.

A target names what the call acts on, one name after the other: `role/loader policy/loader-base`. A policy of AWS's own
is `aws:policy/SecurityAudit`. Shapes follow the IAM API reference; the values are our own.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ultravires.simulator.cast import Call, Role

Json = dict[str, Any]
Statement = tuple[str, ...]
"""The actions that one statement allows, on everything."""


@dataclass(frozen=True)
class Change:
    """One call with what it asks for and what is answered, beyond what every call of its kind has."""

    call: Call
    parameters: Json
    answer: Json | None = None


def arn_of(account: str, name: str) -> str:
    """`role/loader` of an account, or `aws:policy/SecurityAudit`."""
    return f"arn:aws:iam::{name}" if name.startswith("aws:") else f"arn:aws:iam::{account}:{name}"


def patterns_of(account: str, target: str) -> list[str]:
    """ARN patterns of all that a target names."""
    return [arn_of(account, name.replace("{n}", "*")) for name in target.split()]


def document_of(statements: Sequence[Statement], resources: str = "*") -> str:
    """A policy as its writer sends it: JSON in a string."""
    said = [{"Effect": "Allow", "Action": list(actions), "Resource": resources} for actions in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": said}, separators=(",", ":"))


def _name(target: str, place: int = 0) -> str:
    return target.split()[place].partition("/")[2]


def _role(account: str, target: str) -> Json:
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]}, separators=(",", ":"))
    return {"roleName": _name(target), "assumeRolePolicyDocument": document}


def _attached(account: str, target: str) -> Json:
    return {"roleName": _name(target), "policyArn": arn_of(account, target.split()[1])}


def _bounded(account: str, target: str) -> Json:
    return {"roleName": _name(target), "permissionsBoundary": arn_of(account, target.split()[1])}


def _policy(account: str, target: str) -> Json:
    return {"policyName": _name(target), "policyDocument": document_of([("logs:GetLogEvents",)])}


def _version(account: str, target: str) -> Json:
    document = document_of([("logs:GetLogEvents",)])
    return {"policyArn": arn_of(account, target), "policyDocument": document, "setAsDefault": True}


def _group_policy(account: str, target: str) -> Json:
    document = document_of([("logs:GetLogEvents",)])
    return {"groupName": _name(target), "policyName": "ticketed-read", "policyDocument": document}


def _joined(account: str, target: str) -> Json:
    return {"groupName": _name(target), "userName": _name(target, 1)}


RIGHTS: dict[str, Callable[[str, str], Json]] = {
    "iam:CreateRole": _role,
    "iam:AttachRolePolicy": _attached,
    "iam:PutRolePermissionsBoundary": _bounded,
    "iam:DeleteRolePermissionsBoundary": lambda account, target: {"roleName": _name(target)},
    "iam:CreatePolicy": _policy,
    "iam:CreatePolicyVersion": _version,
    "iam:CreateGroup": lambda account, target: {"groupName": _name(target)},
    "iam:PutGroupPolicy": _group_policy,
    "iam:AddUserToGroup": _joined,
}
"""Action -> (account, target) -> requestParameters."""


def new_role(role: Role) -> Change:
    return Change(Call("iam:CreateRole", f"role/{role.name}"), {}, {"role": {"arn": role.arn, "roleName": role.name}})


def attach(role: Role, policy: str) -> Change:
    return Change(Call("iam:AttachRolePolicy", f"role/{role.name} {policy}"), {})


def put_inline(role: Role, name: str, *statements: Statement) -> Change:
    return Change(Call("iam:PutRolePolicy", role.name), {"policyName": name, "policyDocument": document_of(statements)})


def bound(role: Role, policy: str) -> Change:
    return Change(Call("iam:PutRolePermissionsBoundary", f"role/{role.name} {policy}"), {})


def unbound(role: Role) -> Change:
    return Change(Call("iam:DeleteRolePermissionsBoundary", f"role/{role.name}"), {})


def new_policy(account: str, policy: str, *statements: Statement) -> Change:
    answer = {"policy": {"arn": arn_of(account, policy), "defaultVersionId": "v1", "policyName": _name(policy)}}
    return Change(Call("iam:CreatePolicy", policy), {"policyDocument": document_of(statements)}, answer)


def new_version(policy: str, version: str, *statements: Statement) -> Change:
    answer = {"policyVersion": {"versionId": version, "isDefaultVersion": True}}
    return Change(Call("iam:CreatePolicyVersion", policy), {"policyDocument": document_of(statements)}, answer)


def new_group(group: str) -> Change:
    return Change(Call("iam:CreateGroup", group), {})


def put_group_inline(group: str, name: str, *statements: Statement) -> Change:
    parameters = {"policyName": name, "policyDocument": document_of(statements)}
    return Change(Call("iam:PutGroupPolicy", group), parameters)


def of_key(operation: str, user: str, key: str, **parameters: str) -> Change:
    """What is done to an access key: DeleteAccessKey, or UpdateAccessKey with its status."""
    return Change(Call(f"iam:{operation}", user), {"accessKeyId": key, **parameters})


def join(group: str, user: str) -> Change:
    return Change(Call("iam:AddUserToGroup", f"{group} {user}"), {})
