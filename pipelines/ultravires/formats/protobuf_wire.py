"""Where the fields of a Protocol Buffers message lie in its bytes, which the protobuf library does not tell.

Encoding: https://protobuf.dev/programming-guides/encoding/. Groups, which no message here uses, are refused.
"""

from collections.abc import Iterator

from ultravires.reading.events import NotParsed

NOT_OTLP = "not OTLP protobuf"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}
_MOST_VARINT_BYTES = 10
_LAST_FIELD = (1 << 29) - 1


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that starts at `at`, and where it ends. Raises NotParsed where it does not end."""
    value = shift = 0
    for position in range(at, min(at + _MOST_VARINT_BYTES, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + 1
        shift += 7
    raise NotParsed(NOT_OTLP)


def fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, start and end of each field between `at` and `end`. Raises NotParsed where one is broken."""
    while at < end:
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == BYTES:
            size, at = varint(data, at)
        else:
            size = varint(data, at)[1] - at if wire == VARINT else _SIZES.get(wire, end)
        if not 0 < number <= _LAST_FIELD or size > end - at:
            raise NotParsed(NOT_OTLP)
        yield number, wire, at, at + size
        at += size
