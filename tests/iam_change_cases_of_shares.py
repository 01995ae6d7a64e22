"""Calls of EKS and of Resource Access Manager that give somebody something, and the grants that they say."""

from typing import Any
from urllib.parse import quote

from iam_change_cases import READER, Case, arn
from ultravires.reading.grants import given, gone, made, statement, taken, whole, written

Json = dict[str, Any]
CLUSTER = arn("eks", "cluster/blue")
ENTRY = f"{CLUSTER}/access-entry/{READER}"
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"

# https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html; what is a part of the address of a
# request is written as there
_NAMED = {"name": "blue", "principalArn": READER}
_IN_ADDRESS = {"name": "blue", "principalArn": quote(READER, safe="")}
_ANSWERED = {"accessEntry": {"clusterName": "blue", "principalArn": READER, "kubernetesGroups": ["ops", "dev"]}}
_EVERYTHING = [
    statement("allow", ["k8s:*:*"], not_resources=["/*"]),
    statement("allow", ["k8s:nonresource:*"], ["*"]),
]
_WHOLE = whole("member", binding=ENTRY)
_OF_GROUPS = [given("member", READER, f"group:{name}", binding=ENTRY) for name in ("ops", "dev")]
_OF_POLICY = whole("attached", holder=READER, held=VIEW, binding=ENTRY)
_ENTRIES = [
    Case("eks:CreateAccessEntry", _NAMED | {"kubernetesGroups": ["ops", "dev"]}, None, [_WHOLE, *_OF_GROUPS]),
    Case("eks:CreateAccessEntry", _NAMED | {"type": "STANDARD"}, _ANSWERED, [_WHOLE, *_OF_GROUPS]),
    Case(
        "eks:CreateAccessEntry",
        _NAMED | {"username": "robot", "kubernetesGroups": []},
        None,
        [_WHOLE, given("member", READER, "robot", binding=ENTRY)],
    ),
    Case(
        "eks:CreateAccessEntry", _NAMED | {"username": "role:{{SessionName}}", "kubernetesGroups": []}, None, [_WHOLE]
    ),
    Case("eks:CreateAccessEntry", _NAMED | {"kubernetesGroups": "ops"}, None, []),
    Case("eks:CreateAccessEntry", {"name": "blue", "kubernetesGroups": ["ops"]}, None, []),
    Case("eks:UpdateAccessEntry", _IN_ADDRESS | {"kubernetesGroups": []}, None, [_WHOLE]),
    Case("eks:UpdateAccessEntry", _IN_ADDRESS | {"clientRequestToken": "t"}, None, []),
    Case(
        "eks:DeleteAccessEntry", _IN_ADDRESS, None, [taken("member", binding=ENTRY), taken("attached", binding=ENTRY)]
    ),
    Case(
        "eks:AssociateAccessPolicy",
        _IN_ADDRESS | {"policyArn": ADMIN, "accessScope": {"type": "cluster", "namespaces": []}},
        None,
        [
            written(ADMIN, _EVERYTHING),
            whole("attached", holder=READER, held=ADMIN, binding=ENTRY),
            given("attached", READER, ADMIN, binding=ENTRY),
        ],
    ),
    Case(
        "eks:AssociateAccessPolicy",
        _IN_ADDRESS | {"policyArn": VIEW, "accessScope": {"type": "namespace", "namespaces": ["pay", "ship"]}},
        None,
        [
            _OF_POLICY,
            *(given("attached", READER, VIEW, scope=f"namespace/{name}", binding=ENTRY) for name in ("pay", "ship")),
        ],
    ),
    Case("eks:AssociateAccessPolicy", _IN_ADDRESS | {"policyArn": VIEW}, None, []),
    Case(
        "eks:DisassociateAccessPolicy",
        _IN_ADDRESS | {"policyArn": VIEW},
        None,
        [taken("attached", READER, VIEW, binding=ENTRY)],
    ),
]

# https://docs.aws.amazon.com/ram/latest/APIReference/API_CreateResourceShare.html
SHARE = arn("ram", "resource-share/7ab63972")
SUBNET = arn("ec2", "subnet/subnet-1")
_UNIT = "arn:aws:organizations::999988887777:ou/o-1/ou-ab12-cd34"
_SHARED = {"principals": ["444455556666", _UNIT, READER], "resourceArns": [SUBNET]}
_HOLDERS = ("444455556666", "ou-ab12-cd34", READER)
_IN_SHARE = [given("attached", SHARE, SUBNET), *(given("member", each, SHARE) for each in _HOLDERS)]
_SHARES = [
    Case(
        "ram:CreateResourceShare",
        _SHARED | {"name": "net"},
        {"resourceShare": {"resourceShareArn": SHARE, "name": "net"}},
        [made(SHARE), *_IN_SHARE],
    ),
    Case("ram:CreateResourceShare", _SHARED | {"name": "net"}, None, []),
    Case("ram:AssociateResourceShare", _SHARED | {"resourceShareArn": SHARE}, None, _IN_SHARE),
    Case("ram:AssociateResourceShare", {"resourceShareArn": SHARE, "resourceArns": ["subnet-1"]}, None, []),
    Case(
        "ram:DisassociateResourceShare",
        _SHARED | {"resourceShareArn": SHARE},
        None,
        [taken("attached", SHARE, SUBNET), *(taken("member", each, SHARE) for each in _HOLDERS)],
    ),
    Case("ram:DeleteResourceShare", {"resourceShareArn": SHARE}, None, [gone(SHARE)]),
]

OF_SHARES = [*_ENTRIES, *_SHARES]
