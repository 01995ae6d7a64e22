"""Protocol Buffers on the wire: fields of a message by number and type, nothing more.

Encoding: https://protobuf.dev/programming-guides/encoding/. Groups, which no message here uses, are refused.
"""

from collections.abc import Iterator
from struct import Struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10
_LAST_FIELD = (1 << 29) - 1
_U64, _U32 = Struct("<Q"), Struct("<I")

Field = tuple[int, int, int, int]
"""Number, wire type, and the value: a number and 0, or where its bytes start and end."""


class WireError(ValueError):
    """Bytes that are no Protocol Buffers message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that starts at `at`, and where it ends. Raises WireError where it does not end."""
    value = shift = 0
    for position in range(at, min(at + _MOST_VARINT_BYTES, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + 1
        shift += 7
    raise WireError("a number without an end")


def fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of the message between `at` and `end` in order. Raises WireError where it is none."""
    while at < end:
        key = data[at]
        if key < 0x80:
            at += 1
        else:
            key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if not 0 < number <= _LAST_FIELD:
            raise WireError("a field without a number")
        if wire == BYTES:
            size, at = varint(data, at)
            if size > end - at:
                raise WireError("a field that is longer than its message")
            yield number, wire, at, at + size
            at += size
        elif wire == VARINT:
            value, at = varint(data, at)
            yield number, wire, value, 0
        elif wire == FIXED64:
            yield number, wire, _fixed(_U64, data, at, end), 0
            at += 8
        elif wire == FIXED32:
            yield number, wire, _fixed(_U32, data, at, end), 0
            at += 4
        else:
            raise WireError("a wire type that nothing here uses")
    if at > end:
        raise WireError("a field that is longer than its message")


def _fixed(kind: Struct, data: bytes, at: int, end: int) -> int:
    if at + kind.size > end:
        raise WireError("a field that is longer than its message")
    return int(kind.unpack_from(data, at)[0])
