"""Records whose objects were taken apart: `userIdentity.arn` in place of a member `arn` of an object `userIdentity`.

Searches that print a table, data frames and Elastic's Discover write them so. A source that looks for the object finds
none, and an act would be nobody's.
"""

from collections.abc import Iterable
from typing import Any

DOTTED_NAMES = "names with dots"
"""The layer of what was put together again."""


def has_objects_apart(names: frozenset[str], objects: Iterable[str]) -> bool:
    """Whether a record with these members has some of one of these objects (dotted paths), and not the object itself.
    A name with a dot may be a log's own, as Teleport's `addr.remote` is.
    """
    begins = {name.partition(".")[0] for name in names if "." in name}
    return bool(begins) and not begins.isdisjoint({path.partition(".")[0] for path in objects} - names)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """A member `actor.id` as the member `id` of the member `actor`, where both can be. What flattens objects leaves
    none, so that a name with a dot before an object is a name of its own.
    """
    record: dict[str, Any] = {}
    for written, value in flat.items():
        *outer, name = [written] if isinstance(value, dict) else written.split(".")
        inside: dict[str, Any] | None = record
        for part in outer:
            inner = inside.setdefault(part, {}) if inside is not None else None
            inside = inner if isinstance(inner, dict) else None
        if inside is None or name in inside:
            record[written] = value
        else:
            inside[name] = value
    return record
