"""Files of OTLP protobuf: how they are known, and how they fall into exports.

A file holds ExportTraceServiceRequest or ExportLogsServiceRequest messages: bare (one, or several one after the other,
which is the same message), or each behind its size in 4 bytes, as the Collector's file exporter writes `format: proto`.
"""

from collections.abc import Iterator
from struct import Struct

from ultravires.formats.otlp_protobuf import NOT_OTLP, kind_of_record, records_of_export
from ultravires.formats.protobuf_wire import BYTES, WireError, varint
from ultravires.reading.source import Frame, Options
from ultravires.reading.splitting import broken

_SIZE = Struct(">I")
_FIELD_1 = 0x0A
_PATH = (1, 2, 2)
"""The fields that lead to the first record: resource spans, scope spans, span; and likewise for logs."""
_ENDS_EARLY = "record ends early"
_KEPT = 1 << 16
_MOST_PREFIX = 11


def is_protobuf(head: bytes) -> bool:
    """Whether a file that begins so is OTLP as protobuf: its first span has ids, its first log record a time."""
    return _first_kind(head, 0) is not None or is_sized(head)


def is_sized(head: bytes) -> bool:
    """Whether each message stands behind its size."""
    return len(head) > _SIZE.size and head[0] != _FIELD_1 and _first_kind(head, _SIZE.size) is not None


def _first_kind(head: bytes, at: int) -> tuple[str, str, str] | None:
    """What the first record is; the head may end anywhere behind its first fields."""
    place: int | None = at
    try:
        for wanted in _PATH:
            place = _skip_to(head, place, wanted) if place is not None else None
    except WireError:
        return None
    return None if place is None else kind_of_record(head[place : place + 32])


def _skip_to(head: bytes, at: int, wanted: int) -> int | None:
    """Where the content of the first field `wanted` starts, behind at most fields of lower numbers."""
    while at < len(head):
        key, at = varint(head, at)
        if key & 7 != BYTES or not 0 < key >> 3 <= wanted:
            return None
        size, at = varint(head, at)
        if key >> 3 == wanted:
            return at if size else None
        at += size
    return None


def protobuf_records(chunks: Iterator[bytes], options: Options, head: bytes) -> Iterator[Frame]:
    """A file of protobuf exports to one frame a span or log record; what is broken becomes a frame with its reason."""
    parts = _sized(chunks, options.max_record_bytes) if is_sized(head) else _bare(chunks, options.max_record_bytes)
    for offset, message, reason in parts:
        if reason:
            yield broken(offset, message, reason)
            continue
        yield from records_of_export(message, offset)


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
        except WireError:
            size = behind = 0
        if not behind:
            yield at, reader.take(_KEPT), NOT_OTLP
            return
        if size > limit:
            yield at, reader.take(_KEPT), f"record is longer than {limit} bytes"
            return
        message = reader.take(behind + size)
        yield at, message, _ENDS_EARLY if len(message) < behind + size else None


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
