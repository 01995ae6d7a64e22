"""Records whose objects were taken apart: `userIdentity.arn` in place of a member `arn` of an object `userIdentity`.

Searches that print a table, data frames and Elastic's Discover write them so. A source that looks for the object finds
none, and an act would be nobody's.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

DOTTED_NAMES = "names with dots"
"""The layer of what was put together again."""
_ADDRESS = re.compile(r"(?:^|\.)(?=https?://)")
"""Claims of a token are named by addresses, whose dots are their own."""
_IN_A_LIST = re.compile(r"(?<=\w)(?:\[(\d{1,4})\]|\{\})")
_FIRST = "0"
_DEEPEST = 30
"""No log has objects so deep, and names of a million dots are somebody's who wants a reader to fall."""


def has_objects_apart(names: frozenset[str], objects: Iterable[str]) -> bool:
    """Whether a record with these members has some of one of these objects (dotted paths), and not the object itself.
    A name with a dot may be a log's own, as Teleport's `addr.remote` is.
    """
    begins = {name.partition(".")[0] for name in names if "." in name}
    return bool(begins) and not begins.isdisjoint({path.partition(".")[0] for path in objects} - names)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """A member `actor.id` as the member `id` of the member `actor`, where both can be, and `target.0.id`,
    `target[0].id` and `target{}.id` as that of the first in a list. What flattens objects leaves none but empty ones,
    so that a name with a dot before an object that holds something is a name of its own.
    """
    record: dict[str, Any] = {}
    lists: list[tuple[dict[str, Any], str]] = []
    for written, value in flat.items():
        is_whole = bool(value) and isinstance(value, dict)
        parts = [written] if is_whole or written.count(".") > _DEEPEST else _parts(written)
        inside: dict[str, Any] | None = record
        for part, following in pairwise(parts):
            if inside is not None and following == _FIRST and part not in inside:
                lists.append((inside, part))
            inner = inside.setdefault(part, {}) if inside is not None else None
            inside = inner if isinstance(inner, dict) else None
        if inside is None or parts[-1] in inside:
            record[written] = value
        else:
            inside[parts[-1]] = value
    for holder, name in reversed(lists):
        holder[name] = _as_list(holder[name])
    return record


def _as_list(numbered: dict[str, Any]) -> Any:
    """Members that are named 0, 1 and so on, in this order; what has others is an object."""
    names = [str(number) for number in range(len(numbered))]
    return [numbered[name] for name in names] if numbered.keys() == set(names) else numbered


def _parts(written: str) -> list[str]:
    outer, *address = _ADDRESS.split(written, maxsplit=1)
    if not outer and address:
        return address
    return [*_IN_A_LIST.sub(lambda found: f".{found[1] or _FIRST}", outer).split("."), *address]
