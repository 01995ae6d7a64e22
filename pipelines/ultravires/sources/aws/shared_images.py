"""What calls change of who may use a snapshot or an image of EC2 beside the account that owns it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyImageAttribute.html

Each account or group that is let in is a statement of its own, the document `<snapshot or image>#<account or group>` of
kind `resource`. Image and snapshot are named as events name them as targets.
"""

from functools import partial
from typing import Any, NamedTuple

from ultravires.reading.grants import Json, statement, unwritten, written
from ultravires.reading.values import mapping, sequence
from ultravires.sources.aws.arns import curated_arn
from ultravires.sources.aws.changes import Change, Grants, identifier, inner, member

_MOST_LISTED = 1_000


class _Shared(NamedTuple):
    """The parameter that names the thing, the one that lists whom it is shared with, and what they may do with it."""

    name: str
    permission: str
    actions: tuple[str, ...]


_SNAPSHOT = _Shared("snapshotId", "createVolumePermission", ("ec2:CreateVolume", "ec2:CopySnapshot"))
_IMAGE = _Shared("imageId", "launchPermission", ("ec2:RunInstances",))


def _principals(permission: dict[str, Any], change: str) -> list[tuple[str, str]]:
    """(name, principal) of those that are let in or out."""
    held = member(permission, change)
    items = sequence(held if type(held) is list else member(mapping(held), "items"))
    found = []
    for item in map(mapping, items[:_MOST_LISTED]):
        account = identifier(item, "userId")
        if account:
            found.append((account, f"AWS:{account}"))
        elif member(item, "group") == "all":
            found.append(("all", "*"))
    return found


def _shared(shared: _Shared, change: Change) -> list[Json]:
    name = identifier(change.request, shared.name)
    arn = curated_arn("ec2", shared.name, name, change.region, change.account) if name else None
    if arn is None:
        return []
    permission = inner(change.request, shared.permission)
    added = [
        written(f"{arn}#{name}", [statement("allow", shared.actions, [arn], principals=[principal])], kind="resource")
        for name, principal in _principals(permission, "add")
    ]
    return added + [unwritten(f"{arn}#{name}", kind="resource") for name, _ in _principals(permission, "remove")]


SHARED_IMAGES: dict[str, Grants] = {
    "ec2:ModifySnapshotAttribute": partial(_shared, _SNAPSHOT),
    "ec2:ModifyImageAttribute": partial(_shared, _IMAGE),
}
"""Operation -> what a successful call of it changes."""
