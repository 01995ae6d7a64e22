"""Typed reads from JSON that nobody has checked: a value of the wrong type is a missing value, never an
exception.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LAST_MICROS = (_LAST - _EPOCH) // _MICROSECOND
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")
_HEX = re.compile(r"[0-9a-fA-F]+")
_ENGLISH = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}),? (\d{1,2}):(\d\d):(\d\d) ([AP])M")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PARTS_OF_TRACEPARENT = 4
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}


def text(value: Any) -> str | None:
    """The value where it is a string with something in it, else None."""
    return value if type(value) is str and value else None


def label(value: Any) -> str | None:
    """Like `text`, and a whole number becomes its digits: ids are written both ways."""
    return str(value) if type(value) is int else text(value)


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The value where it is a JSON array, else an empty one."""
    return value if type(value) is list else []


def texts(value: Any) -> list[str]:
    """The non-empty strings of a JSON array; a lone string counts as an array of one."""
    if type(value) is str:
        return [value] if value else []
    return [item for item in sequence(value) if type(item) is str and item]


def truth(value: Any) -> bool | None:
    """JSON true and false, also written as the strings that some vendors use."""
    if type(value) is bool:
        return value
    return {"true": True, "false": False}.get(value.lower()) if type(value) is str else None


def integer(value: Any) -> int | None:
    """A whole number, also written as a string of at most 20 digits (OTLP writes 64-bit numbers so)."""
    if type(value) is int:
        return value
    if type(value) is str and len(value) <= 20 and value.isascii() and value.isdigit():
        return int(value)
    return None


@lru_cache(maxsize=65536)
def micros_of_text(value: str) -> int | None:
    """ISO 8601 date and time (`T` or a space between, any fraction, no zone means UTC) to microseconds since
    1970.

    None where the text is not such a time or lies outside the years 1970 to 9999.
    """
    if not _DATE_AND_TIME.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value.replace("t", "T").replace("z", "Z"))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return checked_micros((moment - _EPOCH) // _MICROSECOND)
    except (ValueError, OverflowError):
        return None


def checked_micros(micros: int) -> int | None:
    """The same number where it is a moment after 1970 and before the year 10000; 0 is how formats write
    `unset`.
    """
    return micros if 0 < micros <= LAST_MICROS else None


def micros(value: Any) -> int | None:
    """An ISO 8601 text to microseconds since 1970, else None."""
    return micros_of_text(value) if type(value) is str else None


def micros_of_nanos(value: Any) -> int | None:
    """Nanoseconds since 1970 as a number or a string of digits (OTLP) to microseconds."""
    nanos = integer(value)
    return None if nanos is None else checked_micros(nanos // 1000)


def micros_of_expiry(value: Any) -> int | None:
    """How AWS writes an expiration: ISO, `Jul 30, 2024, 9:31:21 PM`, or (milli)seconds since 1970."""
    number = integer(value)
    if number is not None:
        return checked_micros(number * (1000 if number > 100_000_000_000 else 1_000_000))
    return _micros_of_written_expiry(value) if type(value) is str else None


@lru_cache(maxsize=4096)
def _micros_of_written_expiry(value: str) -> int | None:
    match = _ENGLISH.fullmatch(value.replace("\u202f", " "))
    return _micros_of_english(match) if match else micros_of_text(value)


def _micros_of_english(match: re.Match[str]) -> int | None:
    month, day, year, hour, minute, second, half = match.groups()
    hour_of_day = int(hour) % 12 + (12 if half == "P" else 0)
    try:
        moment = datetime(int(year), _MONTHS[month], int(day), hour_of_day, int(minute), int(second), tzinfo=UTC)
    except (KeyError, ValueError):
        return None
    return checked_micros((moment - _EPOCH) // _MICROSECOND)


def hex_id(value: Any) -> str | None:
    """A trace or span id as lower-case hex; None where it is absent or all zeros, which means invalid."""
    identifier = text(value)
    is_valid = identifier and _HEX.fullmatch(identifier) and identifier.strip("0")
    return identifier.lower() if identifier and is_valid else None


def trace_context(value: Any) -> tuple[str, str] | None:
    """(trace id, span id) of a `traceparent`, which is whoever made the request:
    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    parts = value.split("-", _PARTS_OF_TRACEPARENT) if type(value) is str else []
    if len(parts) < _PARTS_OF_TRACEPARENT:
        return None
    trace, span = hex_id(parts[1]), hex_id(parts[2])
    return (trace, span) if trace and span else None


def iso(moment: int) -> str:
    """Microseconds since 1970 to `2026-11-24T02:54:13.000000Z`."""
    second, rest = divmod(moment, 1_000_000)
    return f"{_iso_of_second(second)}.{rest:06d}Z"


# Logs tell of many events in one second, and writing out a date takes ten times as long as looking it up.
@lru_cache(maxsize=65536)
def _iso_of_second(second: int) -> str:
    return (_NAIVE_EPOCH + timedelta(seconds=second)).isoformat()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return msgspec.json.encode(value, order="sorted")
