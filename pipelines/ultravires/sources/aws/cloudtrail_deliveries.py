"""The ways in which CloudTrail's records arrive besides S3: inside CloudWatch Logs, EventBridge, `lookup-events` and
CloudTrail Lake answers. Each is taken off here, so that the record inside is the same as the one in S3.

CloudWatch Logs subscriptions:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
EventBridge: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
CloudTrail Lake: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetQueryResults.html
"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from ultravires.reading.events import Frame
from ultravires.reading.framing import json_records, peek
from ultravires.reading.head import Head, values_at
from ultravires.reading.mending import UNDECODABLE, decode_inner, noted_marks
from ultravires.reading.options import Options
from ultravires.reading.origins import CLOUDWATCH, note_place, stated
from ultravires.reading.plain_records import plainly
from ultravires.reading.splitting import BLANK, broken, decode_object, reason_of
from ultravires.reading.values import mapping, text
from ultravires.sources.aws.cloudtrail_records import OBJECTS, SOURCE_NAME, CloudTrailRecord

_ARRAYS = ("Records", "logEvents", "events", "Events")
"""S3 and trails; CloudWatch Logs subscriptions; `aws logs` answers; `aws cloudtrail lookup-events`."""
_TEXT_MEMBERS = ("message", "CloudTrailEvent")
_ESCAPED = tuple(re.compile(rb'\\"%s\\"\s*:' % name) for name in (b"eventVersion", b"eventSource", b"awsRegion"))
_VIA_CLOUDTRAIL = "via CloudTrail"
_LAKE_ROWS = "QueryResultRows"
_LAKE_COLUMNS = re.compile(rb'"(eventID|eventTime|eventSource|eventName|userIdentity)"\s*:', re.IGNORECASE)
_ENOUGH_COLUMNS = 3
_SCANNER = json.JSONDecoder(parse_int=str, parse_float=str)


class _LakePage(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name=_LAKE_ROWS, default_factory=list)


_PAGE = msgspec.json.Decoder(_LakePage)
_CELLS = msgspec.json.Decoder(list[dict[str, Any]])


def is_delivery(head: Head) -> bool:
    """Whether the file starts with CloudTrail's records in one of these wrappings."""
    return _is_text_wrapped(head) or _is_from_event_bridge(head) or is_lake_answer(head)


def _is_text_wrapped(head: Head) -> bool:
    is_wrapped = (
        head.holds("messageType", "logGroup", "logEvents")
        or head.holds("message", "timestamp", arrays=("events",))
        or head.holds("CloudTrailEvent", arrays=("Events",))
        or head.holds("CloudTrailEvent", "EventId")
    )
    return is_wrapped and all(name.search(head.data) for name in _ESCAPED)


def _is_from_event_bridge(head: Head) -> bool:
    is_envelope = head.holds("detail-type", "source", "detail")
    return is_envelope and any(value.endswith(_VIA_CLOUDTRAIL) for value in values_at(head, "detail-type"))


def is_lake_answer(head: Head) -> bool:
    """Whether the file starts as an answer of CloudTrail Lake that selects events."""
    if not head.holds(_LAKE_ROWS):
        return False
    return len({name.lower() for name in _LAKE_COLUMNS.findall(head.data)}) >= _ENOUGH_COLUMNS


def delivered_records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The records of a file in whatever wrapping; a value is the record inside."""
    beginning, chunks = peek(chunks)
    if is_lake_answer(Head(beginning)):
        return _lake_records(chunks, options)
    read = plainly(CloudTrailRecord, SOURCE_NAME, options, decode, OBJECTS)
    return json_records(chunks, options, arrays=_ARRAYS, decode=read)


def decode(data: bytes) -> dict[str, Any]:
    """One element of a file to CloudTrail's record inside it; raises as `decode_object` does."""
    value: dict[str, Any] = decode_object(data)
    return value if "eventVersion" in value else _unwrapped(value)


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    kind = text(value.get("detail-type"))
    if kind and kind.endswith(_VIA_CLOUDTRAIL) and (detail := mapping(value.get("detail"))):
        note_place(stated("eventbridge", text(value.get("source"))))
        return detail
    for name in _TEXT_MEMBERS:
        inner = text(value.get(name))
        if inner and inner.lstrip().startswith("{"):
            if name == "message":
                note_place(CLOUDWATCH)
            # an escape doubles at every level, so that a record cannot be wrapped often
            return mapping(decode_inner(inner.encode(), decode))
    return value


def is_control_message(message: Any) -> bool:
    """CloudWatch Logs tries out a destination by sending a line of its own."""
    message = text(message)
    return message is not None and message.startswith("CWL CONTROL MESSAGE")


def _lake_records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """Rows of one answer after the other. An answer has at most 1,000 rows, so the file is held whole."""
    held, size = [], 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > options.max_record_bytes:
            yield broken(0, held[0], f"record is longer than {options.max_record_bytes} bytes")
            return
    data = b"".join(held)
    for start, end in _documents(data):
        page = data[start:end]
        try:
            rows = decode_inner(page, _PAGE.decode).rows
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            yield broken(start, page, reason_of(error, page))
            continue
        yield from _rows(start, page, rows)


def _documents(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each object of a file of several starts and ends; the last one may be broken."""
    written = data.decode("latin-1")  # one character a byte, so that positions are byte offsets
    start = 0
    while start < len(data):
        if data[start : start + 1] in BLANK:
            start += 1
            continue
        try:
            end = _SCANNER.raw_decode(written, start)[1]
        except (ValueError, RecursionError):
            end = len(data)
        yield start, end
        start = end


def _rows(start: int, page: bytes, rows: list[msgspec.Raw]) -> Iterator[Frame]:
    position = 0
    for row in rows:
        data = bytes(row)
        position = page.find(data, position)
        offset = start + position
        position += len(data)
        try:
            cells = decode_inner(data, _CELLS.decode)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            yield Frame(offset, data, None, reason_of(error, data))
        else:
            record = _record_of_row(dict(chain.from_iterable(cell.items() for cell in cells)))
            yield Frame(offset, data, record, None, None, noted_marks())


def _record_of_row(columns: dict[str, Any]) -> dict[str, Any]:
    """A row to a record as in S3: names in CloudTrail's case, and values that hold JSON or a struct taken apart."""
    return {name: _cell(name, value) for written, value in columns.items() if (name := _named(written))}


def _named(name: str) -> str:
    return IN_CASE.get(name.lower(), name)


def _cell(name: str, value: Any) -> Any:
    if type(value) is not str or value[:1] not in ("{", "["):
        return None if value in ("", "null") else value
    try:
        return decode_inner(value.encode(), msgspec.json.decode)
    except UNDECODABLE:
        struct = struct_of(value) if name == "userIdentity" else None
        return value if struct is None else struct


def struct_of(written: str) -> dict[str, Any] | None:
    """`{type=AssumedRole, sessioncontext={...}}`, as Lake and Athena print a struct, to an object in CloudTrail's case.

    None unless it can be read in one way only: a name that occurs twice, or an odd brace, may be somebody's own
    text that pretends to be a member. Request parameters are all somebody's own text, and are never read so.
    """
    found, end = _struct_at(written, 0, 0)
    return found if end == len(written) else None


_MEMBER = re.compile(r"([a-z0-9_]+)=")
_PLAIN_END = re.compile(r", (?=[a-z0-9_]+=)|[{}]")
_DEEPEST_STRUCT = 6


def _struct_at(written: str, start: int, depth: int) -> tuple[dict[str, Any] | None, int]:
    found: dict[str, Any] = {}
    position = start + 1
    while depth < _DEEPEST_STRUCT and (member := _MEMBER.match(written, position)):
        name = _named(member[1])
        position = member.end()
        value: Any
        if written[position : position + 1] == "{":
            value, position = _struct_at(written, position, depth + 1)
        else:
            stop = _PLAIN_END.search(written, position)
            end = stop.start() if stop else len(written)
            value, position = written[position:end], end
            value = None if value in ("null", "") else value
        if name in found or position < 0:
            break
        found[name] = value
        if written[position : position + 1] == "}":
            return found, position + 1
        if written[position : position + 2] != ", ":
            break
        position += 2
    return None, -1


IN_CASE = {
    name.lower(): name
    for name in (
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
        "errorMessage",
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "requestID",
        "eventID",
        "readOnly",
        "resources",
        "eventType",
        "recipientAccountId",
        "sharedEventID",
        "vpcEndpointId",
        "eventCategory",
        "sessionCredentialFromConsole",
        "principalId",
        "accountId",
        "accessKeyId",
        "userName",
        "invokedBy",
        "sessionContext",
        "sessionIssuer",
        "sourceIdentity",
        "attributes",
        "creationDate",
        "mfaAuthenticated",
        "webIdFederationData",
        "federatedProvider",
        "identityProvider",
        "credentialId",
        "onBehalfOf",
        "userId",
        "identityStoreArn",
        "inScopeOf",
        "issuerType",
        "credentialsIssuedTo",
    )
}
