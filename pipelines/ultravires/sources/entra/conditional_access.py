"""Whether a policy of conditional access protects less than it did, by what it was and what it is now.

https://learn.microsoft.com/en-us/graph/api/resources/conditionalaccesspolicy
"""

from typing import Any

from ultravires.reading.object_fields import opened
from ultravires.reading.values import mapping, sequence, text

Json = dict[str, Any]
_MOST_ITEMS = 5_000
_EXCLUDED = (
    ("users", "excludeUsers"),
    ("users", "excludeGroups"),
    ("users", "excludeRoles"),
    ("users", "excludeGuestsOrExternalUsers"),
    ("applications", "excludeApplications"),
    ("locations", "excludeLocations"),
    ("platforms", "excludePlatforms"),
    ("clientApplications", "excludeServicePrincipals"),
)
_INCLUDED = (
    ("users", "includeUsers"),
    ("users", "includeGroups"),
    ("users", "includeRoles"),
    ("applications", "includeApplications"),
    ("locations", "includeLocations"),
    ("platforms", "includePlatforms"),
    ("clientApplications", "includeServicePrincipals"),
)
_EVERYTHING = "all"


def is_weaker(before: str | None, after: str | None) -> bool | None:
    """Of two policies as JSON in a text, None where they cannot be read. One that was not in force protected nobody;
    `after` is None of a policy that is deleted.
    """
    old, new = opened(before), opened(after)
    if not old or (after is not None and not new):
        return None
    if not _is_in_force(old):
        return False
    if after is None or not _is_in_force(new):
        return True
    grows = any(_items(new, path) - _items(old, path) for path in _EXCLUDED)
    return grows or any(_shrinks(_items(old, path), _items(new, path)) for path in _INCLUDED) or _asks_less(old, new)


def _is_in_force(policy: Json) -> bool:
    return (text(policy.get("state")) or "enabled").lower() == "enabled"


def _items(policy: Json, path: tuple[str, str]) -> set[str]:
    """The texts listed at a condition; an object there, such as that of guests, counts as one."""
    value = mapping(mapping(policy.get("conditions")).get(path[0])).get(path[1])
    if isinstance(value, dict) and value:
        return {path[1]}
    return {each.lower() for each in sequence(value)[:_MOST_ITEMS] if type(each) is str}


def _shrinks(old: set[str], new: set[str]) -> bool:
    return bool(old - new) and _EVERYTHING not in new


def _asks_less(old: Json, new: Json) -> bool:
    """A control is no longer asked for, or one of several is enough where all were."""
    before, after = (mapping(policy.get("grantControls")) for policy in (old, new))
    controls, kept = _controls(before), _controls(after)
    was_all, is_any = (text(each.get("operator")) for each in (before, after))
    is_loosened = len(kept) > 1 and was_all == "AND" and is_any == "OR"
    return bool(controls - kept) or is_loosened or bool(_session(old) - _session(new))


def _controls(granted: Json) -> set[str]:
    listed = [*sequence(granted.get("builtInControls")), *sequence(granted.get("customAuthenticationFactors"))]
    strength = {"authenticationStrength"} if mapping(granted.get("authenticationStrength")) else set()
    return {str(each).lower() for each in listed[:_MOST_ITEMS] if type(each) in (str, int)} | strength


def _session(policy: Json) -> set[str]:
    controls = mapping(policy.get("sessionControls"))
    return {name for name, value in list(controls.items())[:_MOST_ITEMS] if value}
