"""OTLP as JSON: `{"resourceSpans": [...]}` and `{"resourceLogs": [...]}` to single spans and log records.

Encoding: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. One export holds many records that
share a resource; each leaves here as an export of its own, so that its `raw` can be read again.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

import msgspec
from msgspec import UNSET

from ultravires.formats.otlp_protobuf_files import LOG_RECORDS, NOTHING, SPANS, is_protobuf, protobuf_records
from ultravires.reading.events import Frame
from ultravires.reading.framing import json_records, peek
from ultravires.reading.mending import UNDECODABLE, decode_inner, decode_mended, noted_marks
from ultravires.reading.options import Options
from ultravires.reading.plain_records import (
    Part,
    Record,
    RepeatedItems,
    Text,
    Whole,
    plain_reader,
)
from ultravires.reading.splitting import reason_of
from ultravires.reading.values import integer, label, mapping, sequence, text

_MAX_DEPTH = 50
_HERE = "the record"
_PLAIN = frozenset({"stringValue", "boolValue", "doubleValue", "bytesValue"})
_PLAIN_TYPES = (str, bool, int, float)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Scope(msgspec.Struct, rename="camel"):
    scope: msgspec.Raw = msgspec.Raw(b"{}")
    spans: list[msgspec.Raw] | None = None
    log_records: list[msgspec.Raw] | None = None


class _Library(msgspec.Struct, rename="camel"):
    """What a scope was called until 2022."""

    scope: msgspec.Raw = msgspec.field(name="instrumentationLibrary", default=msgspec.Raw(b"{}"))
    spans: list[msgspec.Raw] | None = None
    log_records: list[msgspec.Raw] | None = None
    logs: list[msgspec.Raw] | None = None


class _Resource(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    scope_spans: list[_Scope] | None = None
    scope_logs: list[_Scope] | None = None
    instrumentation_library_spans: list[_Library] | None = None
    instrumentation_library_logs: list[_Library] | None = None


class Export(msgspec.Struct, rename="camel"):
    """One line of the Collector's file exporter, its records still undecoded."""

    resource_spans: list[_Resource] | None = None
    resource_logs: list[_Resource] | None = None
    resource_metrics: msgspec.Raw = msgspec.Raw()


class OtlpRecord(Record, gc=False):
    """A span or a log record with the attributes that apply to it; the nearest of equal names counts."""

    body: dict[str, Any]
    attributes: dict[str, Any]
    is_log: bool

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """The one span or log record of an export made by `otlp_records`; an empty span where it holds neither."""
        for names in (SPANS, LOG_RECORDS):
            outer, middle, inner = names
            if outer not in value:
                continue
            resource = mapping(next(iter(sequence(value[outer])), None))
            scope = mapping(next(iter(sequence(resource.get(middle))), None))
            if bodies := sequence(scope.get(inner)):
                body = mapping(bodies[0])
                around = _around.attributes(resource.get("resource"), scope.get("scope"))
                return cls(body, around | attributes_of(body.get("attributes")), names is LOG_RECORDS)
        return cls({}, {}, False)


class _Span(Record, rename="camel", gc=False):
    """A span, its fields in the order in which the Collector writes them."""

    trace_id: Text = UNSET
    span_id: Text = UNSET
    trace_state: Text = UNSET
    parent_span_id: Text = UNSET
    flags: Whole = UNSET
    name: Text = UNSET
    kind: Whole = UNSET
    start_time_unix_nano: Text = UNSET
    end_time_unix_nano: Text = UNSET
    attributes: RepeatedItems = UNSET
    dropped_attributes_count: Whole = UNSET
    events: Whole = UNSET
    dropped_events_count: Whole = UNSET
    links: Whole = UNSET
    dropped_links_count: Whole = UNSET
    status: Whole = UNSET


class _LogRecord(Record, rename="camel", gc=False):
    """A log record, its fields in the order in which the Collector writes them."""

    time_unix_nano: Text = UNSET
    observed_time_unix_nano: Text = UNSET
    severity_number: Whole = UNSET
    severity_text: Text = UNSET
    event_name: Text = UNSET
    body: Whole = UNSET
    attributes: RepeatedItems = UNSET
    dropped_attributes_count: Whole = UNSET
    flags: Whole = UNSET
    trace_id: Text = UNSET
    span_id: Text = UNSET


class _InPieces(NamedTuple):
    """An export of which some records were broken; both by the bytes that stand for such a record in `export`."""

    export: Export
    mended: dict[bytes, tuple[bytes, tuple[str, ...]]]
    """The record as it was, and what was mended in it."""
    refused: dict[bytes, tuple[bytes, str]]
    """The record as it was, and the reason."""


_EXPORT = msgspec.json.Decoder(Export)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_RECORDS = re.compile(rb'"(?:spans|logRecords|logs)"\s*+:\s*+\Z')
_LONGEST_NAME = 40
_DEPTH_OF_RECORDS = 6
"""Of the array of spans: export, resources, resource, scopes, scope, spans."""
_MOST_BYTES_IN_PIECES = 16 << 20


def otlp_records(chunks: Iterator[bytes], options: Options, *, takes_plain: bool = False) -> Iterator[Frame]:
    """A file of OTLP exports, as JSON or as protobuf, to one frame a span or log record; plain ones, where they are
    taken, are OtlpRecords.
    """
    head, chunks = peek(chunks)
    if is_protobuf(head):
        yield from protobuf_records(chunks, options, head)
        return
    for frame in json_records(chunks, options, decode=_decode_export):
        if frame.reason is None:
            yield from _of_export(frame, takes_plain)
        else:
            yield frame


def _decode_export(data: bytes) -> Export | _InPieces:
    """An export, also where some of its records are broken; raises as msgspec does where more is."""
    try:
        return _EXPORT.decode(data)
    except UNDECODABLE:
        found = _in_pieces(data) if len(data) <= _MOST_BYTES_IN_PIECES else None
        if found is None:
            raise
        return found


def _in_pieces(data: bytes) -> _InPieces | None:
    """The export with each broken record replaced by what it is mended to, or by a text that stands for it."""
    parts: list[bytes] = []
    mended: dict[bytes, tuple[bytes, tuple[str, ...]]] = {}
    refused: dict[bytes, tuple[bytes, str]] = {}
    end = 0
    for start, stop in _records_in(data):
        record = data[start:stop]
        try:
            _decode(record)
            continue
        except UNDECODABLE as error:
            better = decode_mended(record, _decode)
            if better is None:
                written = msgspec.json.encode(f"broken record {len(refused)}")
                refused[written] = record, reason_of(error, record)
            else:
                written, marks = better[1]
                mended[written] = record, marks
        parts += (data[end:start], written)
        end = stop
    if not parts:
        return None
    parts.append(data[end:])
    try:
        return _InPieces(_EXPORT.decode(b"".join(parts)), mended, refused)
    except UNDECODABLE:
        return None


def _records_in(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each span or log record of an export starts and ends, by quotes and brackets alone."""
    depth = start = 0
    is_inside = False
    for match in _TOKEN.finditer(data):
        token, at = match.group(), match.start()
        if token in b"{[":
            depth += 1
            if depth == _DEPTH_OF_RECORDS and token == b"[":
                is_inside = _RECORDS.search(data, max(0, at - _LONGEST_NAME), at) is not None
            elif depth == _DEPTH_OF_RECORDS + 1:
                start = at
        elif token in b"}]":
            if depth == _DEPTH_OF_RECORDS + 1 and is_inside:
                yield start, match.end()
            elif depth == _DEPTH_OF_RECORDS:
                is_inside = False
            depth -= 1


def _of_export(frame: Frame, takes_plain: bool) -> Iterator[Frame]:
    pieces = frame.value if type(frame.value) is _InPieces else None
    export: Export = frame.value if pieces is None else pieces.export
    n_records = 0
    for one in _frames(export, frame.offset, takes_plain):
        n_records += 1
        found = one if pieces is None else _as_it_was(one, pieces)
        yield found._replace(mended=(*frame.mended, *found.mended)) if frame.mended else found
    if n_records:
        return
    if export.resource_spans is None and export.resource_logs is None and not bytes(export.resource_metrics):
        yield frame._replace(value=None, reason="not an OTLP export")
    else:
        yield frame._replace(value=dict(NOTHING))


def _as_it_was(frame: Frame, pieces: _InPieces) -> Frame:
    if frame.data in pieces.refused:
        data, reason = pieces.refused[frame.data]
        return frame._replace(data=data, value=None, reason=reason)
    if frame.data in pieces.mended:
        data, marks = pieces.mended[frame.data]
        return frame._replace(data=data, mended=marks)
    return frame


def _frames(export: Export, offset: int, takes_plain: bool) -> Iterator[Frame]:
    for resource in export.resource_spans or ():
        read = plain_reader(_Span) if takes_plain else None
        for scope in (*(resource.scope_spans or ()), *(resource.instrumentation_library_spans or ())):
            yield from _of_scope(offset, (resource.resource, scope.scope), scope.spans or (), SPANS, read)
    for resource in export.resource_logs or ():
        read = plain_reader(_LogRecord) if takes_plain else None
        for scope in resource.scope_logs or ():
            yield from _of_scope(offset, (resource.resource, scope.scope), scope.log_records or (), LOG_RECORDS, read)
        for library in resource.instrumentation_library_logs or ():
            records = library.log_records or library.logs or ()
            yield from _of_scope(offset, (resource.resource, library.scope), records, LOG_RECORDS, read)


def _of_scope(
    offset: int,
    around: tuple[msgspec.Raw, msgspec.Raw],
    records: Iterable[msgspec.Raw],
    names: tuple[str, str, str],
    read: Callable[[bytes], Any] | None,
) -> Iterator[Frame]:
    """The records of one scope; their values share what its resource and it, `around` them, say of them. `read` takes
    plain ones.
    """
    try:
        resource, scope = (decode_inner(bytes(part), msgspec.json.decode) for part in around)
    except UNDECODABLE as error:
        for data in map(bytes, records):
            yield Frame(offset, data, None, reason_of(error, data))
        return
    marks = noted_marks()
    outer, middle, inner = names
    attributes = _around.attributes(resource, scope)
    before, _, behind = msgspec.json.encode(
        {outer: [{"resource": resource, middle: [{"scope": scope, inner: [_HERE]}]}]}
    ).rpartition(msgspec.json.encode(_HERE))
    for data in map(bytes, records):
        plain = read(data) if read is not None else None
        if plain is not None:
            value = OtlpRecord(_body_of(plain), attributes | attributes_of(plain.attributes), names is LOG_RECORDS)
            yield Frame(offset, data, value, None, before + data + behind, marks)
            continue
        try:
            body = decode_inner(data, _decode)
        except UNDECODABLE as error:
            yield Frame(offset, data, None, reason_of(error, data))
        else:
            whole = {outer: [{"resource": resource, middle: [{"scope": scope, inner: [body]}]}]}
            yield Frame(offset, data, whole, None, None, (*marks, *noted_marks()))


def _body_of(plain: Record) -> dict[str, Any]:
    """The fields of a record as a dictionary has them."""
    values = zip(plain.__struct_encode_fields__, msgspec.structs.astuple(plain), strict=True)
    return {name: value for name, value in values if value is not UNSET}


def _attribute(pair: Any) -> tuple[str | None, Any]:
    """The name and the plain value of one attribute; no name where it is none."""
    return (text(pair.get("key")), any_value(pair.get("value"))) if isinstance(pair, dict) else (None, None)


_known_attribute = lru_cache(maxsize=4_096)(_attribute)
"""Of a Part. Asked for each attribute of each span, which is why `remembered` does not stand between."""


class _Around:
    """The attributes of the resource and the scope that were asked for last: the records of an export share them."""

    def __init__(self) -> None:
        self._of: tuple[Any, Any] = (None, None)
        self._attributes: dict[str, Any] = {}

    def attributes(self, resource: Any, scope: Any) -> dict[str, Any]:
        if resource is not self._of[0] or scope is not self._of[1]:
            self._of = resource, scope
            self._attributes = attributes_of(mapping(resource).get("attributes"))
            self._attributes |= attributes_of(mapping(scope).get("attributes"))
        return self._attributes


_around = _Around()


def attributes_of(pairs: Any) -> dict[str, Any]:
    """A list of `{key, value: AnyValue}` to a dict."""
    known = _known_attribute
    named = [known(pair) if type(pair) is Part else _attribute(pair) for pair in sequence(pairs)]
    return {key: value for key, value in named if key}


def any_value(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """An AnyValue to the plain value; 64-bit numbers come as strings; None for what is empty, unknown or too
    deep.
    """
    if type(value) is not dict or not value or depth <= 0:
        return None
    kind = next(iter(value))
    inner = value[kind]
    if kind in _PLAIN:
        return inner if type(inner) in _PLAIN_TYPES else None
    if kind == "intValue":
        return integer(inner)
    if kind == "arrayValue":
        return [any_value(item, depth - 1) for item in sequence(mapping(inner).get("values"))]
    if kind == "kvlistValue":
        pairs = (mapping(pair) for pair in sequence(mapping(inner).get("values")))
        return {key: any_value(p.get("value"), depth - 1) for p in pairs if (key := text(p.get("key")))}
    return None


def first_of(attributes: dict[str, Any], *names: str) -> str | None:
    """The first of these attributes that holds an id or a name."""
    for name in names:
        if name in attributes and (found := label(attributes[name])):
            return found
    return None


def decoded(value: Any) -> Any:
    """JSON written inside a string, decoded; other strings and values as they are."""
    if type(value) is not str or value[:1] not in ("{", "["):
        return value
    try:
        return decode_inner(value.encode(), msgspec.json.decode)
    except UNDECODABLE:
        return value
