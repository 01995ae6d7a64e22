"""What a record of Microsoft's directory says of a change, whichever log tells of it: its targets and its properties.

https://learn.microsoft.com/en-us/graph/api/resources/targetresource
"""

from typing import Any

import msgspec

from ultravires.reading.grants import Json
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.azure.exports import filled

_MOST = 500
"""So many targets and properties of a record are looked at; Microsoft writes fewer."""
_MOST_OF_A_VALUE = 200_000
HOLDERS = ("User", "ServicePrincipal", "Group")
"""Types of those who may hold something."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What a record says of a change: who and what was its target (type, object id), and the properties that were and
    are now. `initiator` is who did it, `address` the name with which that person signs in.
    """

    targets: list[tuple[str, str]]
    old: dict[str, str]
    new: dict[str, str]
    details: dict[str, str]
    initiator: str | None = None
    service: str | None = None
    category: str | None = None
    address: str | None = None

    def said(self, name: str) -> str | None:
        """A property, as it is or was."""
        return self.new.get(name) or self.old.get(name)

    def ids(self, *types: str) -> list[str]:
        """The targets of these types."""
        return [uid for kind, uid in self.targets if kind in types]


def change_of(audit: Json, details: dict[str, str], initiator: str | None) -> Change:
    """A directoryAudit."""
    targets = [mapping(target) for target in sequence(audit.get("targetResources"))[:_MOST]]
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for target in targets:
        add_properties(target.get("modifiedProperties"), ("displayName", "oldValue", "newValue"), old, new)
    named = ((filled(target.get("type") or target.get("Type")), filled(target.get("id"))) for target in targets)
    return Change(
        targets=[(kind, uid) for kind, uid in named if kind and uid],
        old=old,
        new=new,
        details=details,
        initiator=initiator,
        service=text(audit.get("loggedByService")),
        category=text(audit.get("category")),
        address=text(mapping(mapping(audit.get("initiatedBy")).get("user")).get("userPrincipalName")),
    )


def add_properties(listed: Any, names: tuple[str, str, str], old: dict[str, str], new: dict[str, str]) -> None:
    """Properties by their names, the first of repeated ones; values are JSON in a text: `"62e90394-..."`."""
    name, before, after = names
    for each in map(mapping, sequence(listed)[:_MOST]):
        if key := text(each.get(name)):
            for held, values in ((each.get(before), old), (each.get(after), new)):
                value = filled(held.strip('" ')) if type(held) is str and len(held) <= _MOST_OF_A_VALUE else None
                if value and key not in values:
                    values[key] = value
