"""A call that changes who may do what, and how its members are read.

CloudTrail writes parameters in camelCase (`policyDocument`, `aRN`), some services as their API does (`PolicyDocument`).
A request of more than 100 KB is replaced by `{"omitted": true, ...}`:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html

Users, roles and groups are named by ARN. Most calls name them by name alone, which is unique in an account whatever the
path: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-friendly-names
So what a call changes of a named one is said of its ARN without a path, which is also what a session's ARN shows; the
call that makes one with a path says too that its whole ARN is a member of the other, and so has all that it has.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from ultravires.reading.grants import Json
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.aws.arns import partition_of
from ultravires.sources.aws.identities import MASKED

_MOST_MEMBERS, _LONGEST_ID = 500, 2_048
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""What stands for a value that a service keeps out of the log."""
_PATH = re.compile(r"(arn:[^:]+:iam::\d+:(?:user|role|group|instance-profile)/)(?:.*/)?([^/]+)")
_IS_ARN = "arn:"


class Change(NamedTuple):
    """One successful call: what was asked and answered, what stands beside, and where it happened."""

    request: dict[str, Any]
    response: dict[str, Any]
    further: dict[str, Any]
    """`additionalEventData`"""
    details: dict[str, Any]
    """`serviceEventDetails`, of what a service did later by itself"""
    listed: Any
    """`resources`"""
    account: str | None
    region: str | None

    @property
    def partition(self) -> str:
        """The partition in which it happened."""
        return partition_of(self.region)


Grants = Callable[[Change], list[Json]]


def member(members: dict[str, Any], *names: str) -> Any:
    """The first of these members that is there, in whatever letters its name is written; else None."""
    for name in names:
        if name in members:
            return members[name]
    wanted = [name.lower() for name in names]
    found = {key.lower(): key for key in islice(members, _MOST_MEMBERS) if key.lower() in wanted}
    return next((members[found[name]] for name in wanted if name in found), None)


def inner(members: dict[str, Any], *way: str) -> dict[str, Any]:
    """The object that lies so inside of another; an empty one where none does."""
    for name in way:
        members = mapping(member(members, name))
    return members


def identifier(members: dict[str, Any], *names: str) -> str | None:
    """A name, id or ARN among members; None where it is masked, for then many things share it."""
    found = text(member(members, *names))
    is_known = found is not None and len(found) <= _LONGEST_ID and MASKED not in found and found != _HIDDEN
    return found if is_known else None


def arn_in(members: dict[str, Any], *names: str) -> str | None:
    """An ARN among members."""
    found = identifier(members, *names)
    return found if found and found.startswith(_IS_ARN) else None


def iam_arn(change: Change, kind: str, name: str | None) -> str | None:
    """The ARN without a path of a user, role or group of the account, of its name."""
    return f"arn:{change.partition}:iam::{change.account}:{kind}/{name}" if name and change.account else None


def plain_arn(arn: str) -> str:
    """The ARN of a user, role or group without its path; any other ARN as it is."""
    match = _PATH.fullmatch(arn)
    return match[1] + match[2] if match else arn


def regional_arn(change: Change, service: str, resource: str | None, account: str | None = None) -> str | None:
    """The ARN of something in the region and account of the call, unless another account is said to own it."""
    owner = account or change.account
    known = resource and change.region and owner
    return f"arn:{change.partition}:{service}:{change.region}:{owner}:{resource}" if known else None


def listed_arn(change: Change, service: str) -> str | None:
    """The only ARN of a service among the resources that the record lists."""
    arns = [arn_in(item, "ARN") for item in sequence(change.listed)[:_MOST_MEMBERS] if type(item) is dict]
    found = {arn for arn in arns if arn and arn.split(":", 3)[2:3] == [service]}
    return found.pop() if len(found) == 1 else None
