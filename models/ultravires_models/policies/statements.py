"""Whether one statement speaks of what is asked, and what documents of one kind say together.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultravires_models.policies.conditions import holds
from ultravires_models.policies.context import Context
from ultravires_models.policies.patterns import action_matches
from ultravires_models.policies.questions import Documents, Json
from ultravires_models.policies.truth import Truth, all_of, any_of, negate
from ultravires_models.policies.variables import matches_in

Members = Sequence[str] | None
"""The entries of a list of a statement; None where it has no such list."""

_DEPTH = 5
"""A statement has a condition, that operators, those keys, and they lists of values."""


class Unreadable(ValueError):
    """A member of a statement is not what a statement has there."""


@dataclass(frozen=True)
class Asked:
    """What a statement is held against. `without_resource` is what one says that names no resource: in a policy of a
    resource it is that resource, in another it is no policy that AWS takes.
    """

    action: str
    resource: str
    known: Context
    without_resource: Truth = None


@dataclass(frozen=True)
class Found:
    """A statement, and whether it applies."""

    statement: Json
    applies: Truth


@dataclass(frozen=True)
class Said:
    """What documents say together: whether one denies, whether one allows, and by which statements; `is_unread` where
    one of them could not be read.
    """

    denies: Truth
    allows: Truth
    denying: tuple[Found, ...] = ()
    allowing: tuple[Found, ...] = ()
    is_unread: bool = False


NOTHING = Said(denies=False, allows=False)
"""No document, or none that speaks of what is asked."""


def said(documents: Documents, applies: Callable[[Json], Truth]) -> Said:
    """What these documents say, where `applies` says whether a statement applies. One that cannot be read could deny
    and could allow.
    """
    is_unread = any(document is None or any(_effect(each) is None for each in document) for document in documents)
    unread = None if is_unread else False
    statements = [each for document in documents for each in document or ()]
    by_effect = {
        effect: tuple(
            found
            for each in statements
            if _effect(each) == effect and (found := Found(each, applies(each))).applies is not False
        )
        for effect in ("deny", "allow")
    }
    return Said(
        denies=any_of([*(each.applies for each in by_effect["deny"]), unread]),
        allows=any_of([*(each.applies for each in by_effect["allow"]), unread]),
        denying=by_effect["deny"],
        allowing=by_effect["allow"],
        is_unread=is_unread,
    )


def speaks_of(statement: Json, asked: Asked) -> Truth:
    """Whether action, resource and condition of a statement are those that are asked for. What cannot be read as a
    statement is not known.
    """
    try:
        return all_of(_parts(statement, asked))
    except Unreadable:
        return None


def members(statement: Json, name: str) -> Members:
    """A list of the statement."""
    found = statement.get(name)
    if found is None:
        return None
    if not isinstance(found, list | tuple) or any(type(each) is not str for each in found):
        raise Unreadable(name)
    return found


def listed(statement: Json, name: str, matches: Callable[[str], Truth], without: Truth) -> Truth:
    """Whether the list `name` has what is asked for and the list `not_<name>` does not. A list that is there and empty
    has nothing; `without` is said where neither is there.
    """
    ours, excluded = members(statement, name), members(statement, f"not_{name}")
    if ours is None and excluded is None:
        return without
    has = True if ours is None else any_of(map(matches, ours))
    return all_of([has, True if excluded is None else negate(any_of(map(matches, excluded)))])


def in_order(statements: Iterable[Json]) -> tuple[Json, ...]:
    """Each statement once, in an order that does not depend on how they came. Two that list the same are one, in
    whatever order they list it.
    """
    by_text: dict[str, tuple[str, Json]] = {}
    for each in statements:
        text, written = _text(each, is_sorted=True), _text(each, is_sorted=False)
        if text not in by_text or written < by_text[text][0]:
            by_text[text] = written, each
    return tuple(by_text[text][1] for text in sorted(by_text))


def _text(value: Any, *, is_sorted: bool) -> str:
    return json.dumps(_cut(value, _DEPTH, is_sorted), sort_keys=True, default=str)


def _cut(value: Any, depth: int, is_sorted: bool) -> Any:
    """The value as far down as statements go: what somebody nested deeper than that is no part of one."""
    if not isinstance(value, Mapping | list | tuple):
        return value
    if not depth:
        return type(value).__name__
    if isinstance(value, Mapping):
        return {str(name): _cut(each, depth - 1, is_sorted) for name, each in value.items()}
    found = [_cut(each, depth - 1, is_sorted) for each in value]
    return sorted(found, key=lambda each: json.dumps(each, sort_keys=True, default=str)) if is_sorted else found


def _parts(statement: Json, asked: Asked) -> Iterator[Truth]:
    yield listed(statement, "actions", lambda pattern: action_matches(pattern, asked.action), None)
    yield listed(
        statement,
        "resources",
        lambda pattern: matches_in(pattern, asked.resource, asked.known, "resource"),
        asked.without_resource,
    )
    yield holds(statement.get("condition"), asked.known)


def _effect(statement: Json) -> str | None:
    effect = statement.get("effect") if isinstance(statement, dict) else None
    return effect if effect in ("allow", "deny") else None
