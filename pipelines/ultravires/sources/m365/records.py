"""How records of the Microsoft 365 unified audit log lie in their exports: as JSON, or as JSON in a cell or a member.

The Management Activity API answers arrays of records. Purview's search exports CSV with the record in the cell
`AuditData`, Search-UnifiedAuditLog the same as a member of JSON, and Microsoft Graph an object in `auditData`.
https://learn.microsoft.com/en-us/purview/audit-log-export-records
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from ultravires.formats.csv_rows import csv_records, header_of
from ultravires.reading.events import Frame
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.mending import UNDECODABLE, decode_inner, noted_marks
from ultravires.reading.options import Options
from ultravires.reading.splitting import decode_object

ARRAYS = ("value",)
_TYPICAL = ("CreationTime", "Operation", "OrganizationId", "RecordType")
_CELLS = ("AuditData", "auditData")
_BEFORE = b"\xef\xbb\xbf \t\r\n"


def recognise(head: Head) -> bool:
    """Records by the members that all of them have, or what holds one as `AuditData`."""
    if not head.is_object:
        return "AuditData" in header_of(head.data)
    holds_record = any(name.encode() in head.data for name in _TYPICAL[:1])
    found = head.first_keys(*ARRAYS)
    return any(names.issuperset(_TYPICAL) or (holds_record and not names.isdisjoint(_CELLS)) for names in found)


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """JSON in any of its shapes; what does not start like JSON is CSV."""
    start = b""
    while not start.lstrip(_BEFORE) and (chunk := next(chunks, None)) is not None:
        start += chunk
    whole = chain([start], chunks)
    if start.lstrip(_BEFORE)[:1] in (b"{", b"["):
        yield from json_records(whole, options, arrays=ARRAYS, decode=_decode)
        return
    for frame in csv_records(whole, options):
        yield frame if frame.value is None else frame._replace(value=unwrapped(frame.value), mended=noted_marks())


def _decode(data: bytes) -> Any:
    return unwrapped(decode_object(data))


def unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """The record that an export holds in a cell or a member; as it is where it holds none that can be decoded."""
    for name in _CELLS:
        held = value.get(name)
        if type(held) is dict:
            return held
        if type(held) is str and held:
            try:
                return dict(decode_inner(held.encode(), decode_object))
            except UNDECODABLE:
                return value
    return value


def is_undecoded(record: dict[str, Any]) -> bool:
    """Whether a row is left as it was, for the JSON in it is cut off or damaged."""
    return "CreationTime" not in record and any(record.get(name) for name in _CELLS)
