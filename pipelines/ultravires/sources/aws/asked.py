"""What a call asks for, as its effects look at it: settings that it turns on or off, lists in either form of
CloudTrail, networks and keys. Members of requests are read as `changes.py` reads them.
"""

import ipaddress
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import integer, mapping, sequence, text, truth
from ultravires.sources.aws.changes import Change, member

Effects = Callable[[Change], list[Json]]
MOST_ITEMS = 500
_LONGEST_NETWORK = 64
_PARTS_OF_ARN = 5


def weakens(what: Literal["weakens_evidence", "weakens_guard"], is_weaker: bool) -> list[Json]:
    """The effect, or that there is none."""
    return [effect(what)] if is_weaker else [no_effect(what)]


def exposes_to_all(is_open: bool) -> list[Json]:
    """Open to everybody, or to nobody more."""
    return [effect("exposes", target="public")] if is_open else [no_effect("exposes")]


def exposes_to(names: list[str]) -> list[Json]:
    """Open to the accounts or principals of these names, `all` and `*` being everybody; of none it is not open to more.
    Whether an account is of the organisation is asked of all logs together.
    """
    if not names:
        return [no_effect("exposes")]
    if any(name in ("all", "*") for name in names):
        return [effect("exposes", target="public")]
    return [effect("exposes", target="identity", uids=names)]


def items(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list, also of one that a service writes as `{"items": [...]}`, and one that stands alone."""
    if type(value) is list:
        return map(mapping, islice(value, MOST_ITEMS))
    held = mapping(value)
    if "items" in held:
        return map(mapping, islice(sequence(held["items"]), MOST_ITEMS))
    return iter([held] if held else [])


def names_in(value: Any) -> list[str]:
    """The strings of a list, or the one that stands alone."""
    listed = value[:MOST_ITEMS] if type(value) is list else [value]
    return [found for each in listed if (found := text(each))]


def is_off(members: dict[str, Any], *names: str) -> bool:
    """Whether one of these settings is turned off."""
    return any(truth(member(members, name)) is False for name in names)


def is_on(members: dict[str, Any], name: str) -> bool:
    """Whether the setting is turned on."""
    return truth(member(members, name)) is True


def number(members: dict[str, Any], name: str) -> int | None:
    """A whole number among members."""
    return integer(member(members, name))


def is_everywhere(network: Any) -> bool:
    """Whether a network is the whole internet, whatever address stands before its length of none."""
    name = text(network)
    if name is None or len(name) > _LONGEST_NETWORK:
        return False
    try:
        return ipaddress.ip_network(name, strict=False).prefixlen == 0
    except ValueError:
        return False


def is_of_another(arn: Any, account: str | None) -> bool:
    """Whether an ARN is of something in another account than the call."""
    name = text(arn)
    if name is None or not name.startswith("arn:"):
        return False
    parts = name.split(":", _PARTS_OF_ARN)
    owner = parts[4] if len(parts) > _PARTS_OF_ARN else ""
    return bool(owner and account and owner != account)
