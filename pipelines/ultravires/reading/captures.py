"""When a snapshot was taken: an export of what is so seldom says when it was so.

What stands outside of it says so in this order: a time in the name of the file (`gaad-2026-10-01T0600Z.json`), one
line in a file beside it that has its name and `.captured`, `captured_at` of its place under `origins:` in
ultravires.yaml. Then a field of the export itself. A day alone (`gaad-2026-10-01.json`) says from when until when it
may have been. Where nothing says it, the newest date inside is a lower bound: it was taken then or later. Never when
the file was written, for copying changes that.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from ultravires.reading.events import NotParsed, event_time
from ultravires.reading.locations import SIDECAR
from ultravires.reading.options import Options
from ultravires.reading.values import is_possible, iso, mapping, micros, micros_of_text, text

NO_TIME = (
    "no time: nothing says when the export was taken; name the file after it (export-2026-10-01T0600Z.json), write the "
    f"time into a file beside it ({SIDECAR} behind its name) or captured_at under origins"
)
NAME, BESIDE, ORIGINS, FIELD, LOWER_BOUND = "name", "sidecar", "origins", "field", "lower_bound"
_DAY = 86_400_000_000
_IN_NAME = re.compile(
    r"(?<![0-9])(?P<day>20\d\d-\d\d-\d\d|20\d{6})"
    r"(?:[Tt_ ](?P<hour>\d\d)[-:.]?(?P<minute>\d\d)(?:[-:.]?(?P<second>\d\d))?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?"
    r"(?![0-9A-Za-z]))?(?![0-9])",
    re.ASCII,
)
_DAY_ALONE = re.compile(r"20\d\d-\d\d-\d\d", re.ASCII)


class Capture(NamedTuple):
    """When a snapshot was taken (microseconds since 1970), and what says so; `until` where it may have been later."""

    at: int
    by: str
    until: int | None = None


def stated_outside(options: Options, source: str) -> Capture | None:
    """What the file's name, the file beside it or `origins` say; a day only where none of them has the time."""
    in_name = _of_name(options.path)
    stated = (
        in_name,
        _of_text(options.captured, BESIDE),
        _of_text(options.origins.captured_at(options.path, source), ORIGINS),
    )
    exact = (capture for capture in stated if capture is not None and capture.until is None)
    return next(exact, None) or next((capture for capture in stated if capture is not None), None)


def stated_inside(value: Any) -> Capture | None:
    """What a field of the export says."""
    return _of_text(text(value), FIELD)


def at_least(newest: int | None, day: Capture | None) -> Capture | None:
    """What is known where nothing says the time: within the `day`, and not before the `newest` date inside."""
    if day is not None and day.until is not None:
        is_within = newest is not None and day.at <= newest < day.until
        return day._replace(at=newest) if is_within and newest is not None else day
    return None if newest is None else Capture(newest, LOWER_BOUND)


def newest_of(written: Iterable[Any], newest: int | None) -> int | None:
    """The newest of these times and of what was the newest before."""
    moments = (micros(value) for value in written)
    return max((moment for moment in (newest, *moments) if moment is not None and is_possible(moment)), default=None)


def as_members(capture: Capture | None) -> dict[str, str]:
    """A capture as it is written into the record that is kept; nothing where none is known."""
    if capture is None:
        return {}
    until = {} if capture.until is None else {"until": iso(capture.until)}
    return {"at": iso(capture.at), "by": capture.by, **until}


def of_members(members: Any) -> Capture:
    """The capture that `as_members` wrote. Raises NotParsed where there is none, or one that cannot be."""
    said = mapping(members)
    if "at" not in said:
        raise NotParsed(NO_TIME)
    by = text(said.get("by"))
    is_known = by in (NAME, BESIDE, ORIGINS, FIELD)
    return Capture(event_time(said["at"]), by if by and is_known else LOWER_BOUND, micros(said.get("until")))


def _of_name(path: str) -> Capture | None:
    """The one time in the name of the file, or of the archive that it lies in."""
    for name in reversed([part.rpartition("/")[2] for part in path.split("!")]):
        found = {capture for match in _IN_NAME.finditer(name) if (capture := _of_match(match)) is not None}
        if len(found) == 1:
            return found.pop()
    return None


def _of_match(match: re.Match[str]) -> Capture | None:
    digits = match["day"].replace("-", "")
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    if match["hour"] is None:
        return _of_day(day, NAME)
    clock = f"{match['hour']}:{match['minute']}:{match['second'] or '00'}"
    return _at(micros_of_text(f"{day}T{clock}{(match['zone'] or 'Z').upper()}"), NAME)


def _of_text(said: str | None, by: str) -> Capture | None:
    """A time as text; one without a zone is UTC, as everywhere."""
    stripped = said.strip() if said else ""
    if _DAY_ALONE.fullmatch(stripped):
        return _of_day(stripped, by)
    return _at(micros_of_text(stripped), by)


def _of_day(day: str, by: str) -> Capture | None:
    capture = _at(micros_of_text(f"{day}T00:00:00Z"), by)
    return None if capture is None else capture._replace(until=capture.at + _DAY)


def _at(moment: int | None, by: str) -> Capture | None:
    return Capture(moment, by) if moment is not None and is_possible(moment) else None
