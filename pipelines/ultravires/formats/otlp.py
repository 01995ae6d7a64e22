"""OTLP as JSON: `{"resourceSpans": [...]}` and `{"resourceLogs": [...]}` to single spans and log records.

Encoding: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. One export holds many records that
share a resource; each leaves here as an export of its own, so that its `raw` can be read again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import msgspec
from msgspec import UNSET

from ultravires.formats.otlp_protobuf_files import LOG_RECORDS, SPANS, is_protobuf, protobuf_records
from ultravires.reading.events import Frame
from ultravires.reading.framing import json_records, peek
from ultravires.reading.options import Options
from ultravires.reading.plain_records import (
    Record,
    RepeatedItems,
    Text,
    Whole,
    plain_reader,
    remembered,
)
from ultravires.reading.splitting import reason_of
from ultravires.reading.values import integer, label, mapping, sequence, text

_MAX_DEPTH = 50
_HERE = "the record"
_BROKEN = (msgspec.DecodeError, UnicodeError, RecursionError)
_PLAIN = frozenset({"stringValue", "boolValue", "doubleValue", "bytesValue"})
_PLAIN_TYPES = (str, bool, int, float)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Scope(msgspec.Struct, rename="camel"):
    scope: msgspec.Raw = msgspec.Raw(b"{}")
    spans: list[msgspec.Raw] | None = None
    log_records: list[msgspec.Raw] | None = None


class _Resource(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw(b"{}")
    scope_spans: list[_Scope] | None = None
    scope_logs: list[_Scope] | None = None


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


_EXPORT = msgspec.json.Decoder(Export)


def otlp_records(chunks: Iterator[bytes], options: Options, *, takes_plain: bool = False) -> Iterator[Frame]:
    """A file of OTLP exports, as JSON or as protobuf, to one frame a span or log record; plain ones, where they are
    taken, are OtlpRecords.
    """
    head, chunks = peek(chunks)
    if is_protobuf(head):
        yield from protobuf_records(chunks, options, head)
        return
    for frame in json_records(chunks, options, decode=_EXPORT.decode):
        if frame.reason is None:
            yield from _of_export(frame, takes_plain)
        else:
            yield frame


def _of_export(frame: Frame, takes_plain: bool) -> Iterator[Frame]:
    export: Export = frame.value
    n_records = 0
    for one in _frames(export, frame.offset, takes_plain):
        n_records += 1
        yield one
    if not n_records and (export.resource_spans is None and export.resource_logs is None):
        is_metrics = bytes(export.resource_metrics) != b""
        yield (
            frame._replace(value={"resourceMetrics": []})
            if is_metrics
            else frame._replace(value=None, reason="not an OTLP export")
        )


def _frames(export: Export, offset: int, takes_plain: bool) -> Iterator[Frame]:
    for resource in export.resource_spans or ():
        for scope in resource.scope_spans or ():
            read = plain_reader(_Span) if takes_plain else None
            yield from _of_scope(offset, (resource.resource, scope.scope), scope.spans or (), SPANS, read)
    for resource in export.resource_logs or ():
        for scope in resource.scope_logs or ():
            read = plain_reader(_LogRecord) if takes_plain else None
            yield from _of_scope(offset, (resource.resource, scope.scope), scope.log_records or (), LOG_RECORDS, read)


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
        resource, scope = map(msgspec.json.decode, around)
    except _BROKEN as error:
        for data in map(bytes, records):
            yield Frame(offset, data, None, reason_of(error, data))
        return
    outer, middle, inner = names
    attributes = _around.attributes(resource, scope)
    before, _, behind = msgspec.json.encode(
        {outer: [{"resource": resource, middle: [{"scope": scope, inner: [_HERE]}]}]}
    ).rpartition(msgspec.json.encode(_HERE))
    for data in map(bytes, records):
        plain = read(data) if read is not None else None
        if plain is not None:
            value = OtlpRecord(_body_of(plain), attributes | attributes_of(plain.attributes), names is LOG_RECORDS)
            yield Frame(offset, data, value, None, before + data + behind)
            continue
        try:
            body = _decode(data)
        except _BROKEN as error:
            yield Frame(offset, data, None, reason_of(error, data))
        else:
            yield Frame(offset, data, {outer: [{"resource": resource, middle: [{"scope": scope, inner: [body]}]}]})


def _body_of(plain: Record) -> dict[str, Any]:
    """The fields of a record as a dictionary has them."""
    values = zip(plain.__struct_encode_fields__, msgspec.structs.astuple(plain), strict=True)
    return {name: value for name, value in values if value is not UNSET}


@remembered
def _attribute(pair: Any) -> tuple[str | None, Any]:
    """The name and the plain value of one attribute; no name where it is none."""
    return (text(pair.get("key")), any_value(pair.get("value"))) if isinstance(pair, dict) else (None, None)


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
    return {key: value for key, value in map(_attribute, sequence(pairs)) if key}


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
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return value
