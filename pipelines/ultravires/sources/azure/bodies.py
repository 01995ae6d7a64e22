"""The bodies of a request to Azure Resource Manager and of its answer, as the activity log keeps them: JSON in a text,
whose members are written in any case.

https://learn.microsoft.com/en-us/azure/azure-monitor/platform/activity-log-schema
"""

from typing import Any

from ultravires.reading.object_fields import opened
from ultravires.reading.values import mapping

Json = dict[str, Any]
_MOST_MEMBERS = 5_000
_NOW_FIRST = ("responsebody", "requestbody")
_ASKED_FIRST = ("requestbody", "responsebody")


def members_of(members: Json) -> Json:
    """The members by their names in lower case, of which there are few."""
    return {name.lower(): members[name] for name in list(members)[:_MOST_MEMBERS]}


def body_now(properties: Json) -> Json:
    """What the resource is now, else what was asked for; `properties` by names in lower case."""
    return _first(properties, _NOW_FIRST)


def body_asked(properties: Json) -> Json:
    """What was asked for, which is what this act changes; else what the resource is now."""
    return _first(properties, _ASKED_FIRST)


def within(members: Any, *path: str) -> Any:
    """What lies at a path of names in lower case, None where there is nothing."""
    for name in path:
        members = members_of(mapping(members)).get(name)
    return members


def _first(properties: Json, names: tuple[str, str]) -> Json:
    for name in names:
        if body := members_of(opened(properties.get(name))):
            return body
    return {}
