"""What shares of AWS RAM give to accounts, units of the organization, roles and users: the resources in the share.

https://docs.aws.amazon.com/ram/latest/APIReference/API_CreateResourceShare.html,
https://docs.aws.amazon.com/ram/latest/APIReference/API_AssociateResourceShare.html,
https://docs.aws.amazon.com/ram/latest/APIReference/API_DisassociateResourceShare.html

Whoever is named is a member of the share, and the share has its resources. What may be done with one its permission
says, which no record shows, so that it is held and not known. Another account has to accept a share within twelve
hours or seven days; that stands in its own log, and here it is given when it is offered.
"""

from ultravires.reading.grants import Json, given, gone, made, taken
from ultravires.sources.aws.asked import names_in
from ultravires.sources.aws.changes import Change, Grants, arn_in, inner, member

_ORGANIZATIONS = ":organizations:"


def _holder(principal: str) -> str:
    """Units and organizations are named by their id, as where policies are attached to them."""
    return principal.rpartition("/")[2] if _ORGANIZATIONS in principal else principal


def _principals(change: Change) -> list[str]:
    return [_holder(name) for name in dict.fromkeys(names_in(member(change.request, "principals")))]


def _resources(change: Change) -> list[str]:
    named = dict.fromkeys(names_in(member(change.request, "resourceArns")))
    return [name for name in named if name.startswith("arn:")]


def _put_into(share: str, change: Change) -> list[Json]:
    held = [given("attached", share, resource) for resource in _resources(change)]
    return held + [given("member", holder, share) for holder in _principals(change)]


def _created(change: Change) -> list[Json]:
    """Only the answer has the share's ARN."""
    share = arn_in(inner(change.response, "resourceShare"), "resourceShareArn")
    return [made(share), *_put_into(share, change)] if share else []


def _associated(change: Change) -> list[Json]:
    share = arn_in(change.request, "resourceShareArn")
    return _put_into(share, change) if share else []


def _disassociated(change: Change) -> list[Json]:
    share = arn_in(change.request, "resourceShareArn")
    if share is None:
        return []
    left = [taken("attached", share, resource) for resource in _resources(change)]
    return left + [taken("member", holder, share) for holder in _principals(change)]


def _deleted(change: Change) -> list[Json]:
    share = arn_in(change.request, "resourceShareArn")
    return [gone(share)] if share else []


RESOURCE_SHARES: dict[str, Grants] = {
    "ram:CreateResourceShare": _created,
    "ram:AssociateResourceShare": _associated,
    "ram:DisassociateResourceShare": _disassociated,
    "ram:DeleteResourceShare": _deleted,
}
"""Operation -> what a successful call of it changes."""
