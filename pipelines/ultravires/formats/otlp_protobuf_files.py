"""Files of OTLP protobuf: how they are known, and how they fall into exports, and exports into records.

A file holds ExportTraceServiceRequest or ExportLogsServiceRequest messages: bare (one, or several one after the other,
which is the same message), or each behind its size in 4 bytes, as the Collector's file exporter writes `format: proto`.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any

from ultravires.formats.protobuf_wire import BYTES, FIXED64, NOT_OTLP, fields, varint
from ultravires.reading.events import Frame, NotParsed
from ultravires.reading.mending import noted_marks
from ultravires.reading.options import Options
from ultravires.reading.splitting import broken

Names = tuple[str, str, str]
SPANS: Names = ("resourceSpans", "scopeSpans", "spans")
LOG_RECORDS: Names = ("resourceLogs", "scopeLogs", "logRecords")
"""The members of OTLP JSON on the way to a record."""
NOTHING: dict[str, Any] = {"resourceMetrics": []}
"""What an export without spans and logs is read as: metrics, which are left out."""
_SIZE, _TIME = Struct(">I"), Struct("<Q")
_FIELD_1 = 0x0A
_RESOURCES, _SCOPES, _RECORDS = (1,), (2, 1000), (2,)
_PATH = (_RESOURCES, _SCOPES, _RECORDS)
"""The fields that lead to the first record: resource spans, scope spans, span; and likewise for logs. Scopes were
instrumentation libraries until 2022, in a field of their own.
"""
_TRACE_ID, _SPAN_ID = 16, 8
_EARLIEST = 10**18
"""Nanoseconds in September 2001: a time below is none."""
_BEHIND_ANY_HEAD = 1 << 65
_ENDS_EARLY = "record ends early"
_KEPT = 1 << 16
_MOST_PREFIX = 11


def is_protobuf(head: bytes) -> bool:
    """Whether a file that begins so is OTLP as protobuf: its first span has ids, its first log record a time."""
    return _first_kind(head, 0) is not None or is_sized(head)


def is_sized(head: bytes) -> bool:
    """Whether each message stands behind its size."""
    return len(head) > _SIZE.size and head[0] != _FIELD_1 and _first_kind(head, _SIZE.size) is not None


def _first_kind(head: bytes, at: int) -> Names | None:
    """What the first record is; the head may end anywhere behind its first fields."""
    try:
        for wanted in _PATH:
            at = _content_of(wanted, head, at)
    except NotParsed:
        return None
    return _kind_by_start(head[at : at + 32])


def _content_of(wanted: tuple[int, ...], head: bytes, at: int) -> int:
    """Where the content of the first wanted field starts, behind at most lower fields. Raises NotParsed."""
    for number, wire, start, stop in fields(head, at, _BEHIND_ANY_HEAD):
        if number in wanted and wire == BYTES and stop > start:
            return start
        if number >= wanted[-1] or wire != BYTES:
            break
    raise NotParsed(NOT_OTLP)


def _kind_by_start(data: bytes) -> Names | None:
    """Spans or logs, by the first field of a record: a span's 16-byte trace id or a log record's plausible time."""
    if len(data) < 10:
        return None
    if data[0] == 0x0A and data[1] == _TRACE_ID:
        behind = 2 + _TRACE_ID
        return SPANS if data[behind : behind + 2] == bytes((0x12, _SPAN_ID)) else None
    if data[0] in (0x09, 0x59) and _TIME.unpack_from(data, 1)[0] > _EARLIEST:
        return LOG_RECORDS
    return None


def _kind_by_times(data: bytes) -> Names | None:
    """For a record whose first field is another: log records have times in 1 and 11, spans in 7 and 8."""
    times = {number for number, wire, _, _ in fields(data, 0, len(data)) if wire == FIXED64}
    return LOG_RECORDS if times & {1, 11} else SPANS if times & {7, 8} else None


def protobuf_records(chunks: Iterator[bytes], options: Options, head: bytes) -> Iterator[Frame]:
    """A file of protobuf exports to one frame a span or log record; what is broken becomes a frame with its reason."""
    parts = _sized(chunks, options.max_record_bytes) if is_sized(head) else _bare(chunks, options.max_record_bytes)
    for offset, message, reason in parts:
        if reason:
            yield broken(offset, message, reason)
            continue
        try:
            yield from _records(message, offset)
        except NotParsed as error:
            yield broken(offset, message, str(error))


def _sized(chunks: Iterator[bytes], limit: int) -> Iterator[tuple[int, bytes, str | None]]:
    reader = _Reader(chunks)
    while prefix := reader.take(_SIZE.size):
        at = reader.offset
        size = _SIZE.unpack(prefix)[0] if len(prefix) == _SIZE.size else 0
        if len(prefix) < _SIZE.size or size > limit:
            reason = f"record is longer than {limit} bytes" if size > limit else _ENDS_EARLY
            yield at - len(prefix), prefix + reader.take(_KEPT), reason
            return
        message = reader.take(size)
        yield at, message, _ENDS_EARLY if len(message) < size else None


def _bare(chunks: Iterator[bytes], limit: int) -> Iterator[tuple[int, bytes, str | None]]:
    """The resources of an export one by one: each is a field 1, and so an export of its own."""
    reader = _Reader(chunks)
    while start := reader.peek(_MOST_PREFIX):
        at = reader.offset
        try:
            size, behind = varint(start, 1) if start[0] == _FIELD_1 else (0, 0)
        except NotParsed:
            size = behind = 0
        if not behind:
            yield at, reader.take(_KEPT), NOT_OTLP
            return
        if size > limit:
            yield at, reader.take(_KEPT), f"record is longer than {limit} bytes"
            return
        message = reader.take(behind + size)
        yield at, message, _ENDS_EARLY if len(message) < behind + size else None


def _records(data: bytes, offset: int) -> Iterator[Frame]:
    """The records of one export. Raises NotParsed from where it is broken."""
    # loaded here, so that only those who meet a file of protobuf wait for its library
    from ultravires.formats.otlp_protobuf import decode_resource, decode_scope

    n_records = 0
    for number, wire, at, end in fields(data, 0, len(data)):
        if number != 1 or wire != BYTES:
            continue
        resource, scopes = _parts(data, at, end, _SCOPES)
        of_resource = decode_resource(data[slice(*resource)])
        marks_of_resource = noted_marks()
        for scope_at, scope_end in scopes:
            scope, records = _parts(data, scope_at, scope_end, _RECORDS)
            of_scope = decode_scope(data[slice(*scope)])
            marks = (*marks_of_resource, *noted_marks())
            for record_at, record_end in records:
                n_records += 1
                frame = _frame(data[record_at:record_end], offset + record_at, of_resource, of_scope)
                yield frame._replace(mended=(*marks, *frame.mended)) if marks else frame
    if not n_records:
        yield Frame(offset, data, dict(NOTHING))


def _parts(data: bytes, at: int, end: int, wanted: tuple[int, ...]) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Where field 1 stands, which says what the rest belongs to, and the wanted fields."""
    of, inner = (0, 0), []
    for number, wire, start, stop in fields(data, at, end):
        if wire == BYTES and number == 1:
            of = (start, stop)
        elif wire == BYTES and number in wanted:
            inner.append((start, stop))
    return of, inner


def _frame(data: bytes, offset: int, resource: dict[str, Any], scope: dict[str, Any]) -> Frame:
    from ultravires.formats.otlp_protobuf import decode_log_record, decode_span

    try:
        names = _kind_by_start(data) or _kind_by_times(data)
        if names is None:
            return Frame(offset, data, dict(NOTHING))
        body = (decode_span if names is SPANS else decode_log_record)(data)
    except NotParsed as error:
        return Frame(offset, data, None, str(error))
    value = {names[0]: [{"resource": resource, names[1]: [{"scope": scope, names[2]: [body]}]}]}
    return Frame(offset, data, value, None, None, noted_marks())


class _Reader:
    """Takes bytes from chunks; `offset` is how many were taken."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._waiting = bytearray()
        self.offset = 0

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        while len(self._waiting) < size and (chunk := next(self._chunks, None)) is not None:
            self._waiting += chunk
        return bytes(self._waiting[:size])

    def take(self, size: int) -> bytes:
        data = self.peek(size)
        del self._waiting[: len(data)]
        self.offset += len(data)
        return data
