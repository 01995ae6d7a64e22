"""OTLP as Protocol Buffers to the shape of OTLP JSON, so that everything after sees one.

Messages: https://github.com/open-telemetry/opentelemetry-proto. Only what the sources read is decoded: resources,
scopes, spans and log records with their attributes; events, links and metrics are left where they are.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from math import isfinite
from struct import Struct
from typing import Any

from ultravires.formats.protobuf_wire import BYTES, FIXED64, VARINT, WireError, fields
from ultravires.reading.source import Frame
from ultravires.reading.splitting import broken

_DOUBLE, _U64 = Struct("<d"), Struct("<Q")
_MOST_NESTED = 50
_TRACE_ID, _SPAN_ID = 16, 8
_OF, _INNER = 1, 2
_KEY, _VALUE, _STRING = 0x0A, 0x12, 0x0A
"""The tags of a KeyValue's two fields, and of a text in its value."""
_SHORT, _LEAST = 0x7F, 6
_EARLIEST = 10**18
"""Nanoseconds in September 2001: a time below is none."""
SPANS = ("resourceSpans", "scopeSpans", "spans")
LOG_RECORDS = ("resourceLogs", "scopeLogs", "logRecords")
"""The members of OTLP JSON on the way to a record."""
NOT_OTLP = "not OTLP protobuf"
_NOTHING: dict[str, Any] = {"resourceMetrics": []}
"""What an export without spans and logs is read as: metrics, which are left out."""


class _TooDeep(Exception):
    """Values nested beyond the limit."""


def kind_of_record(data: bytes) -> tuple[str, str, str] | None:
    """Spans or logs, by the first field of a record: a span's 16-byte trace id or a log record's plausible time."""
    if len(data) < 10:
        return None
    if data[0] == 0x0A and data[1] == _TRACE_ID:
        behind = 2 + _TRACE_ID
        return SPANS if data[behind : behind + 2] == bytes((0x12, _SPAN_ID)) else None
    if data[0] in (0x09, 0x59) and _U64.unpack_from(data, 1)[0] > _EARLIEST:
        return LOG_RECORDS
    return None


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    return "nested too deeply" if isinstance(error, _TooDeep) else NOT_OTLP


def records_of_export(data: bytes, offset: int) -> Iterator[Frame]:
    """One export to one frame a span or log record, and one with the reason from where it is broken."""
    try:
        yield from _records(data, offset)
    except (WireError, _TooDeep, UnicodeDecodeError) as error:
        yield broken(offset, data, _why(error))


def _records(data: bytes, offset: int) -> Iterator[Frame]:
    n_records = 0
    for number, wire, at, end in fields(data, 0, len(data)):
        if number != 1 or wire != BYTES:
            continue
        resource, scopes = _parts(data, at, end)
        context = _of_resource(data, *resource)
        for scope_at, scope_end in scopes:
            scope, records = _parts(data, scope_at, scope_end)
            of_scope = _of_scope(data, *scope)
            for record_at, record_end in records:
                n_records += 1
                yield _frame(data[record_at:record_end], offset + record_at, context, of_scope)
    if not n_records:
        yield Frame(offset, data, dict(_NOTHING))


def _parts(data: bytes, at: int, end: int) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Where field 1 stands, which says what the rest belongs to, and the fields 2."""
    of, inner = (0, 0), []
    for number, wire, start, stop in fields(data, at, end):
        if wire == BYTES and number == _OF:
            of = (start, stop)
        elif wire == BYTES and number == _INNER:
            inner.append((start, stop))
    return of, inner


def _of_resource(data: bytes, at: int, end: int) -> dict[str, Any]:
    pairs = [
        _key_value(data, start, stop)
        for number, wire, start, stop in fields(data, at, end)
        if (number, wire) == (1, BYTES)
    ]
    return {"attributes": pairs} if pairs else {}


def _of_scope(data: bytes, at: int, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pairs = []
    for number, wire, start, stop in fields(data, at, end):
        if wire == BYTES and number in (1, 2):
            found["name" if number == 1 else "version"] = _text(data, start, stop)
        elif wire == BYTES and number == 3:
            pairs.append(_key_value(data, start, stop))
    return {**found, "attributes": pairs} if pairs else found


def _frame(data: bytes, offset: int, resource: dict[str, Any], scope: dict[str, Any]) -> Frame:
    try:
        names = kind_of_record(data) or _kind_by_fields(data)
        if names is None:
            return Frame(offset, data, dict(_NOTHING))
        body = _decoded(data, _SPAN_FIELDS if names is SPANS else _LOG_FIELDS)
    except (WireError, _TooDeep, UnicodeDecodeError) as error:
        return Frame(offset, data, None, _why(error))
    return Frame(offset, data, {names[0]: [{"resource": resource, names[1]: [{"scope": scope, names[2]: [body]}]}]})


def _kind_by_fields(data: bytes) -> tuple[str, str, str] | None:
    """For a record whose first field is another: log records have times in 1 and 11, spans in 7 and 8."""
    times = {number for number, wire, _, _ in fields(data, 0, len(data)) if wire == FIXED64}
    return LOG_RECORDS if times & {1, 11} else SPANS if times & {7, 8} else None


def _text(data: bytes, at: int, end: int) -> str:
    return data[at:end].decode()


def _hex(data: bytes, at: int, end: int) -> str:
    return data[at:end].hex()


def _status(data: bytes, at: int, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, wire, value, stop in fields(data, at, end):
        if number == 3 and wire == VARINT:
            found["code"] = value
        elif number == 2 and wire == BYTES:
            found["message"] = _text(data, value, stop)
    return found


def _key_value(data: bytes, at: int, end: int, depth: int = _MOST_NESTED) -> dict[str, Any]:
    return _short_text(data, at, end) or _any_key_value(data, at, end, depth)


def _short_text(data: bytes, at: int, end: int) -> dict[str, Any] | None:
    """A key and a text of less than 128 bytes each and nothing else, which most attributes are; None for others."""
    if end - at < _LEAST or data[at] != _KEY or (key_size := data[at + 1]) > _SHORT:
        return None
    value = at + 2 + key_size
    if value + 4 > end or data[value] != _VALUE or data[value + 1] != end - value - 2 or data[value + 1] > _SHORT:
        return None
    if data[value + 2] != _STRING or data[value + 3] != end - value - 4:
        return None
    return {"key": _text(data, at + 2, value), "value": {"stringValue": _text(data, value + 4, end)}}


def _any_key_value(data: bytes, at: int, end: int, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"key": "", "value": {}}
    for number, wire, start, stop in fields(data, at, end):
        if wire == BYTES and number == 1:
            found["key"] = _text(data, start, stop)
        elif wire == BYTES and number == 2:
            found["value"] = _any_value(data, start, stop, depth - 1)
    return found


def _any_value(data: bytes, at: int, end: int, depth: int = _MOST_NESTED) -> dict[str, Any]:
    if depth <= 0:
        raise _TooDeep
    found: dict[str, Any] = {}
    for number, wire, value, stop in fields(data, at, end):
        if number == 2 and wire == VARINT:
            found = {"boolValue": value != 0}
        elif number == 3 and wire == VARINT:
            found = {"intValue": str(value - (1 << 64) if value >> 63 else value)}
        elif number == 4 and wire == FIXED64:
            double = _DOUBLE.unpack(_U64.pack(value))[0]
            found = {"doubleValue": double if isfinite(double) else str(double)}
        elif wire == BYTES:
            found = _long_value(data, number, value, stop, depth)
    return found


def _long_value(data: bytes, number: int, at: int, end: int, depth: int) -> dict[str, Any]:
    if number == 1:
        return {"stringValue": _text(data, at, end)}
    if number == 7:
        return {"bytesValue": b64encode(data[at:end]).decode()}
    inside = [(start, stop) for inner, wire, start, stop in fields(data, at, end) if inner == 1 and wire == BYTES]
    if number == 5:
        return {"arrayValue": {"values": [_any_value(data, start, stop, depth - 1) for start, stop in inside]}}
    if number == 6:
        return {"kvlistValue": {"values": [_key_value(data, start, stop, depth - 1) for start, stop in inside]}}
    return {}


_LONG: dict[str, Callable[[bytes, int, int], Any]] = {
    "text": _text,
    "hex": _hex,
    "status": _status,
    "any": _any_value,
}
_SPAN_FIELDS = {
    1: ("traceId", "hex"),
    2: ("spanId", "hex"),
    3: ("traceState", "text"),
    4: ("parentSpanId", "hex"),
    5: ("name", "text"),
    6: ("kind", "number"),
    7: ("startTimeUnixNano", "digits"),
    8: ("endTimeUnixNano", "digits"),
    9: ("attributes", "attribute"),
    15: ("status", "status"),
}
_LOG_FIELDS = {
    1: ("timeUnixNano", "digits"),
    2: ("severityNumber", "number"),
    3: ("severityText", "text"),
    5: ("body", "any"),
    6: ("attributes", "attribute"),
    9: ("traceId", "hex"),
    10: ("spanId", "hex"),
    11: ("observedTimeUnixNano", "digits"),
    12: ("eventName", "text"),
}


def _decoded(data: bytes, known: dict[int, tuple[str, str]]) -> dict[str, Any]:
    """A span or log record with the members of OTLP JSON; fields of a wrong wire type are left out."""
    found: dict[str, Any] = {}
    attributes: list[dict[str, Any]] = []
    for number, wire, value, stop in fields(data, 0, len(data)):
        name, kind = known.get(number, ("", ""))
        if wire == BYTES:
            if kind == "attribute":
                attributes.append(_key_value(data, value, stop))
            elif decode := _LONG.get(kind):
                found[name] = decode(data, value, stop)
        elif kind == "digits" and wire == FIXED64:
            found[name] = str(value)
        elif kind == "number" and wire == VARINT:
            found[name] = value
    if attributes:
        found["attributes"] = attributes
    return found
