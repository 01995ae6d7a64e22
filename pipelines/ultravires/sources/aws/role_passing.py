"""Which calls pass a role to a service. `iam:PassRole` is no event: the call that hands the role over needs it.

A call passes a role where a parameter that is named after a role or an instance profile holds the ARN of one, and the
call is neither a read nor one by which the caller takes the role itself.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

import re
from functools import lru_cache
from typing import Any

from ultravires.sources.aws.cloudtrail_records import Call
from ultravires.sources.aws.iam_resources import letters_of

ROLE_PASSING = "iam:PassRole"
_PASSED = re.compile(r"arn:[a-z-]+:iam::\d{12}:(role|instance-profile)/\S+")
_NAMED = ("role", "instanceprofile")
_TAKING_SERVICES = frozenset({"sts", "sso", "signin"})
_TAKING = ("Assume", "CreateSession", "GetCredentials")
"""How operations begin that give the caller a session of the role that they name."""
_BARE_NAMES = {
    "autoscaling:CreateLaunchConfiguration": "iamInstanceProfile",
    "ec2:AssociateIamInstanceProfile": "iamInstanceProfile",
    "ec2:ReplaceIamInstanceProfileAssociation": "iamInstanceProfile",
    "ec2:RequestSpotInstances": "iamInstanceProfile",
    "ec2:RunInstances": "iamInstanceProfile",
    "elasticmapreduce:RunJobFlow": "jobFlowRole",
    "glue:CreateCrawler": "role",
    "glue:CreateDevEndpoint": "roleArn",
    "glue:CreateJob": "role",
    "glue:UpdateCrawler": "role",
    "glue:UpdateJob": "role",
    "iam:AddRoleToInstanceProfile": "roleName",
    "ssm:CreateActivation": "iamRole",
}
"""Action -> the parameter in which it may name the role or instance profile without an ARN."""
_MOST_ROLES = 10
_MOST_DEPTH, _MOST_VALUES, _LONGEST_ARN, _LONGEST_NAME = 8, 200, 2_048, 64


def further_permissions(call: Call, request: Any, is_read_only: bool | None) -> list[str]:
    """What a call needs beside the permission it is named after: passing a role, where it hands one to a service."""
    if is_read_only or type(request) is not dict or call.service in _TAKING_SERVICES or call.name.startswith(_TAKING):
        return []
    return (
        [ROLE_PASSING] if _holds_role(request, _BARE_NAMES.get(call.action), is_named=False, depth=_MOST_DEPTH) else []
    )


def passed_roles(request: Any) -> list[str]:
    """The ARNs of the roles that a call which passes one hands over, each once, as its request names them. A role that
    is named without its ARN, or stands behind an instance profile, is not known.
    """
    found: dict[str, None] = {}
    waiting: list[tuple[Any, bool, int]] = [(request, False, _MOST_DEPTH)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            break
        value, is_named, depth = waiting.pop()
        if type(value) is str:
            if is_named and len(value) <= _LONGEST_ARN and ":role/" in value and _PASSED.fullmatch(value):
                found[value] = None
        elif depth and type(value) is list:
            waiting += [(item, is_named, depth - 1) for item in value[:_MOST_VALUES]]
        elif depth and type(value) is dict:
            waiting += [
                (held, is_named or _is_named_after_role(name[:_LONGEST_NAME]), depth - 1)
                for name, held in list(value.items())[:_MOST_VALUES]
            ]
    return sorted(found)[:_MOST_ROLES]


def _holds_role(value: Any, bare: str | None, *, is_named: bool, depth: int) -> bool:
    """Whether a value holds a role under a parameter named after one; `bare` is a parameter that needs no ARN."""
    if type(value) is str:
        return is_named and len(value) <= _LONGEST_ARN and _PASSED.fullmatch(value) is not None
    if not depth:
        return False
    if type(value) is list:
        return any(_holds_role(item, bare, is_named=is_named, depth=depth - 1) for item in value[:_MOST_VALUES])
    if type(value) is dict:
        for name, held in value.items():
            if _member_holds_role(name, held, bare, is_named, depth):
                return True
    return False


def _member_holds_role(name: str, held: Any, bare: str | None, is_named: bool, depth: int) -> bool:
    if not held or type(held) not in (str, list, dict):
        return False
    if name == bare:
        return True
    is_role = is_named or _is_named_after_role(name[:_LONGEST_NAME])
    return _holds_role(held, bare, is_named=is_role, depth=depth - 1)


@lru_cache(maxsize=4_096)
def _is_named_after_role(name: str) -> bool:
    letters = letters_of(name)
    return any(word in letters for word in _NAMED)
