"""What the readers of OCSF share: its times, its status, its JSON inside strings, and what stayed in `unmapped`."""

from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.mending import UNDECODABLE, decode_inner
from ultravires.reading.values import integer, iso, mapping, micros, text

_PER_MILLI = 1_000
_PER_SECOND = 1_000_000
_STATUSES = {1: True, 2: False}
_CAPTIONS = {"success": True, "failure": False}
_LONGEST_PATH = 8


def at(value: Any, *names: str) -> Any:
    """The member at this path; None where something on the way is no object."""
    for name in names:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def moment_of(record: dict[str, Any], name: str = "time") -> int | None:
    """Microseconds since 1970 of `<name>` (milliseconds) and `<name>_dt` (RFC 3339).

    The second one may be finer and is taken where it is the same millisecond, or the same second of a mapping that
    wrote seconds where milliseconds belong. Where they differ, `<name>` counts: it is the required one and has no zone
    to be mistaken in.
    """
    written: Any = record.get(name)
    exact, coarse = micros(record.get(f"{name}_dt")), micros(written)
    if exact is None or coarse is None:
        return coarse if exact is None else exact
    is_of_seconds = type(written) in (int, float) and coarse == written * _PER_SECOND
    return exact if 0 <= exact - coarse < (_PER_SECOND if is_of_seconds else _PER_MILLI) else coarse


def own_time(record: dict[str, Any]) -> str | None:
    """The time of a log that is finer than milliseconds, as its vendor wrote it; None where the mapping cut it.

    `metadata.original_time` is the vendor's own text. Any other time is whole only where it is finer than milliseconds
    itself, or a full second, as some of these logs write them.
    """
    moment = moment_of(record)
    if moment is None:
        return None
    written = at(record, "metadata", "original_time")
    found = micros(written)
    if found is not None and 0 <= found - moment // _PER_MILLI * _PER_MILLI < _PER_MILLI:
        return text(written)
    return time_text(record) if moment % _PER_MILLI or not moment % _PER_SECOND else None


def has_succeeded(record: dict[str, Any]) -> bool | None:
    """What `status_id` or the caption in `status` says; None for unknown and other. Either may say that it failed."""
    caption = (text(record.get("status")) or "").lower()
    said = (_STATUSES.get(integer(record.get("status_id")) or 0), _CAPTIONS.get(caption))
    return False if False in said else (True in said) or None


def original_id(record: dict[str, Any]) -> str | None:
    """The vendor's id: `metadata.original_event_uid`, else `metadata.uid` where that only names no group of events."""
    metadata = mapping(record.get("metadata"))
    uid = text(metadata.get("uid"))
    return text(metadata.get("original_event_uid")) or (uid if uid != metadata.get("correlation_uid") else None)


def first_resource(record: dict[str, Any]) -> dict[str, Any]:
    """The first of `resources`, which some mappings write as one object; an empty one where there is none."""
    listed = record.get("resources")
    return mapping(listed[0] if type(listed) is list and listed else listed)


def time_text(record: dict[str, Any], name: str = "time") -> str | None:
    """`moment_of` as a text that native readers read; their own, where the record kept it."""
    moment, written = moment_of(record, name), record.get(f"{name}_dt")
    if moment is None:
        return None
    return written if type(written) is str and micros(written) == moment else _iso(moment)


_iso = lru_cache(maxsize=65536)(iso)


def decoded(value: Any) -> Any:
    """What OCSF calls JSON data: an object, or the text of one; other text stays as it is."""
    if type(value) is not str:
        return value
    if value[:1] not in ("{", "["):
        return value or None
    try:
        return decode_inner(value.encode(), msgspec.json.decode)
    except UNDECODABLE:
        return value


def restore(native: dict[str, Any], unmapped: Any, whole: tuple[str, ...] = ()) -> None:
    """Put what a mapping left over back into the vendor's record, where nothing stands yet.

    Names are paths with dots (`userIdentity.inScopeOf.credentialsIssuedTo`); behind a prefix in `whole` the rest is one
    name, dots and all. `[]` at the end is an array with this one value.
    """
    for name, value in mapping(unmapped).items():
        if value is None or value == "":
            continue
        way, last = _path(name, whole)
        if len(way) < _LONGEST_PATH:
            _put(native, way, last, value)


@lru_cache(maxsize=8192)
def _path(name: str, whole: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    for prefix in whole:
        if name.startswith(prefix):
            return tuple(prefix[:-1].split(".")), name[len(prefix) :]
    *way, last = name.split(".")
    return tuple(way), last


def _put(target: dict[str, Any], way: tuple[str, ...], last: str, value: Any) -> None:
    for name in way:
        inner = target.setdefault(name, {})
        if type(inner) is not dict:
            return
        target = inner
    if last.endswith("[]"):
        target.setdefault(last[:-2], [value])
    elif type(value) is dict and type(target.get(last)) is dict:
        for name, member in value.items():
            target[last].setdefault(name, member)
    else:
        target.setdefault(last, decoded(value))


def arn_in(*values: Any) -> str | None:
    """The first of these that is an ARN."""
    return next((found for value in values if (found := text(value)) and found.startswith("arn:")), None)
