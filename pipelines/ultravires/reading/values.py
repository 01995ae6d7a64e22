"""Typed reads from JSON that nobody has checked: a value of the wrong type is a missing value, never an
exception.
"""

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LAST_MICROS = (_LAST - _EPOCH) // _MICROSECOND
_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE64_ID = re.compile(r"[A-Za-z0-9+/_-]{22}(?:==)?|[A-Za-z0-9+/_-]{11}=?")
"""Of 16 or 8 bytes."""
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PARTS_OF_TRACEPARENT = 4
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_FIRST_YEAR, _LAST_YEAR = 2006, 2100
FIRST_LOGGED = (datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_LOGGED = (datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_MOST_SECONDS, _MOST_MILLIS, _MOST_MICROS = 10**11, 10**14, 10**17
"""A number below is of this unit. As seconds the first is the year 5138, as milliseconds it is 1973."""
_MOST_DIGITS = 20
_LONGEST_TIME = 80
_HALF_A_DAY = 12
_LAST_SECOND = 59
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f\t", " "))
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d|\d{8}[Tt]\d{6}", re.ASCII)
_YEAR = re.compile(r"\s*(?:([+-]?\d{4,6})[-/]\d\d?[-/]\d\d?|\d\d?/\d\d?/(\d{1,6}))(?!\d)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[eE]\+?\d{1,2})?", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?", re.ASCII)
_DOTNET = re.compile(r"^/Date\((\d{1,17})(?:[+-]\d{4})?\)/$", re.ASCII)
"""What Windows PowerShell makes of a time in `ConvertTo-Json`; the offset is only where it was written."""
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,12}))?)?"
_HALF = r"(?: ?(?P<half>[AaPp][Mm]))?"
_ZONE_NAME = r"(?: [A-Z]{1,5}| [+-]\d\d(?:\d\d)?| \([A-Za-z .]{1,60}\))?"
"""Behind an offset, which is what counts: `CEST` and `(Coordinated Universal Time)`."""
_ZONE = rf"(?: ?(?P<zone>(?:(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?{_ZONE_NAME}|[Zz]|UTC|GMT)(?: m=\S+)?))?"
_TIME = _CLOCK + _HALF + _ZONE
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? +)?"
_MONTH = r"(?P<month>(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?)"
_WRITTEN = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"(?P<year>\d{{4}})[-/](?P<month>\d{{1,2}})[-/](?P<day>\d{{1,2}})[Tt ] *{_TIME}",
        rf"(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}}),? +{_TIME}",
        rf"{_WEEKDAY}{_MONTH} +(?P<day>\d{{1,2}}),? +(?P<year>\d{{4}})(?:,| @| at)? +{_TIME}",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[ /-]{_MONTH}[ /-](?P<year>\d{{4}})(?::|,? +){_TIME}",
        rf"{_WEEKDAY}{_MONTH} +(?P<day>\d{{1,2}}) {_CLOCK}{_ZONE} (?P<year>\d{{4}})",
    )
)


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


def micros(value: Any) -> int | None:
    """A time as vendors write it to microseconds since 1970: the one reader of times for all sources.

    ISO 8601 and the other forms of `micros_of_text`; a number, also in a text, is seconds, milliseconds, microseconds
    or nanoseconds since 1970, by its magnitude. None where the value is no time or lies outside the years 1970 to 9999.
    """
    if type(value) is str:
        return micros_of_text(value)
    if type(value) is int:
        return _micros_of_number(value)
    if type(value) is float and isfinite(value):
        return _micros_of_number(Decimal(str(value)))
    return None


def is_possible(moment: int) -> bool:
    """Whether something can have been logged then: in the years 2006 (before any of these logs) to 2100."""
    return FIRST_LOGGED <= moment < LAST_LOGGED


def moment_of_first(written: Sequence[Any]) -> int | None:
    """The first of these times at which something can have been logged; else the first of the others, 0 where it is no
    moment for us, such as the year 1 or a negative number; None where none is a time.
    """
    impossible = None
    for value in written:
        moment = micros(value)
        if moment is not None and is_possible(moment):
            return moment
        if impossible is None and (moment is not None or _is_written_time(value)):
            impossible = moment or 0
    return impossible


def _is_written_time(value: Any) -> bool:
    """Whether a value that is no moment for us was meant as one: a number, or the date of a year that nobody logged."""
    if type(value) is str:
        if dated := _YEAR.match(value):
            return not _FIRST_YEAR <= int(dated[1] or dated[2]) <= _LAST_YEAR
        return bool(value.strip("0") and _NUMBER.fullmatch(value))
    return type(value) in (int, float) and value != 0


def _is_whole(value: str) -> bool:
    return value.isdigit() and value.isascii() and len(value) <= _MOST_DIGITS


def _micros_of_number(number: int | Decimal) -> int | None:
    """Of numbers that are times of this century no unit reaches into the range of the next one."""
    if number < _MOST_SECONDS:
        return checked_micros(int(number * 1_000_000))
    if number < _MOST_MILLIS:
        return checked_micros(int(number * 1_000))
    return checked_micros(int(number) if number < _MOST_MICROS else int(number) // 1_000)


@lru_cache(maxsize=65536)
def micros_of_text(value: str) -> int | None:
    """A date with a time to microseconds since 1970, None where the text is none; no zone means UTC.

    ISO 8601 with `T` or a space between and any fraction, and what else vendors write: month/day/year (Azure, Windows),
    English names of months (RFC 2822, access logs, `date`, AWS's `Jul 30, 2024, 9:31:21 PM`), a zone behind a space,
    a number, also with a fraction or in .NET's `/Date(...)/`.
    """
    if _is_whole(value):
        return _micros_of_number(int(value))
    if _ISO.match(value):
        moment = _micros_of_iso(value)
        if moment is not None:
            return moment
    if len(value) > _LONGEST_TIME:
        return None
    plain = _DOTNET.sub(r"\1", value.translate(_BLANKS).strip())
    if _NUMBER.fullmatch(plain):
        return _micros_of_number(Decimal(plain))
    for form in _WRITTEN:
        if match := form.fullmatch(plain):
            return _micros_of_parts(match.groupdict())
    return None


def _micros_of_iso(value: str) -> int | None:
    try:
        moment = datetime.fromisoformat(value.replace("t", "T").replace("z", "Z"))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return checked_micros((moment - _EPOCH) // _MICROSECOND)
    except (ValueError, OverflowError):
        return None


def _micros_of_parts(parts: dict[str, str | None]) -> int | None:
    """The named groups of one of the written forms."""
    month, hour = parts["month"] or "", int(parts["hour"] or 0)
    half = (parts.get("half") or "").upper()
    if half:
        if not 1 <= hour <= _HALF_A_DAY:
            return None
        hour = hour % _HALF_A_DAY + (_HALF_A_DAY if half == "PM" else 0)
    fraction = (parts.get("fraction") or "")[:6].ljust(6, "0")
    offset = _offset_of(parts.get("zone") or "")
    second = int(parts.get("second") or 0)
    try:
        moment = datetime(
            int(parts["year"] or 0),
            int(month) if month.isdigit() else _MONTHS[month[:3].title()],
            int(parts["day"] or 0),
            hour,
            int(parts["minute"] or 0),
            min(second, _LAST_SECOND),
            int(fraction),
            tzinfo=UTC,
        )
        leap = timedelta(seconds=1 if second > _LAST_SECOND else 0)
        return checked_micros((moment + leap - offset - _EPOCH) // _MICROSECOND)
    except (KeyError, ValueError, OverflowError):
        return None


def _offset_of(zone: str) -> timedelta:
    """`+02:00`, `-0700`; every other zone that the forms let pass is UTC."""
    match = _OFFSET.search(zone)
    if match is None:
        return timedelta()
    length = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return -length if match[1] == "-" else length


def checked_micros(micros: int) -> int | None:
    """The same number where it is a moment after 1970 and before the year 10000; 0 is how formats write
    `unset`.
    """
    return micros if 0 < micros <= LAST_MICROS else None


def hex_id(value: Any) -> str | None:
    """A trace or span id as lower-case hex; None where it is absent or all zeros, which means invalid.

    Exporters that write protobuf's own JSON have it in base64.
    """
    if type(value) is not str or not value:
        return None
    identifier: str | None = value
    if not _HEX.fullmatch(value):
        identifier = _hex_of_base64(value)
    return identifier.lower() if identifier and identifier.strip("0") else None


def _hex_of_base64(value: str) -> str | None:
    if not _BASE64_ID.fullmatch(value):
        return None
    data = value.translate(_FROM_URL_SAFE).rstrip("=")
    return b64decode(data + "=" * (-len(data) % 4)).hex()


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
    """JSON with sorted keys and no spaces: equal values, equal bytes; also of a text that holds half a character."""
    try:
        return msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
