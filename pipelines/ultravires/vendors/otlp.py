"""OTLP as JSON: `{"resourceSpans": [...]}` and `{"resourceLogs": [...]}` to single spans and log records.

Encoding: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. One export holds many records that
share a resource; each leaves here as an export of its own, so that its `raw` can be read again.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.framing import json_records, peek
from ultravires.reading.source import Frame, Options
from ultravires.reading.splitting import reason_of
from ultravires.reading.values import integer, label, mapping, sequence, text
from ultravires.vendors.otlp_protobuf_files import is_protobuf, protobuf_records

_MAX_DEPTH = 50
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


class Record(NamedTuple):
    """A span or a log record with the attributes that apply to it; the nearest of equal names counts."""

    body: dict[str, Any]
    attributes: dict[str, Any]
    is_log: bool


_EXPORT = msgspec.json.Decoder(Export)


def otlp_records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """A file of OTLP exports, as JSON or as protobuf, to one frame a span or log record."""
    head, chunks = peek(chunks)
    if is_protobuf(head):
        yield from protobuf_records(chunks, options, head)
        return
    for frame in json_records(chunks, options, decode=_EXPORT.decode):
        if frame.reason is None:
            yield from _of_export(frame)
        else:
            yield frame


def _of_export(frame: Frame) -> Iterator[Frame]:
    export: Export = frame.value
    n_records = 0
    for one in _frames(export, frame.offset):
        n_records += 1
        yield one
    if not n_records and (export.resource_spans is None and export.resource_logs is None):
        is_metrics = bytes(export.resource_metrics) != b""
        yield (
            frame._replace(value={"resourceMetrics": []})
            if is_metrics
            else frame._replace(value=None, reason="not an OTLP export")
        )


def _frames(export: Export, offset: int) -> Iterator[Frame]:
    for resource in export.resource_spans or ():
        for scope in resource.scope_spans or ():
            for raw in scope.spans or ():
                yield _frame(offset, raw, resource, scope, ("resourceSpans", "scopeSpans", "spans"))
    for resource in export.resource_logs or ():
        for scope in resource.scope_logs or ():
            for raw in scope.log_records or ():
                yield _frame(offset, raw, resource, scope, ("resourceLogs", "scopeLogs", "logRecords"))


def _frame(offset: int, raw: msgspec.Raw, resource: _Resource, scope: _Scope, names: tuple[str, str, str]) -> Frame:
    data = bytes(raw)
    try:
        inner = {"scope": _context(scope.scope), names[2]: [_decode(data)]}
        value = {names[0]: [{"resource": _context(resource.resource), names[1]: [inner]}]}
        return Frame(offset, data, value)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Frame(offset, data, None, reason_of(error, data))


def _context(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)


def record_of(value: dict[str, Any]) -> Record | None:
    """The one span or log record of an export made by `otlp_records`; None where it holds neither."""
    for outer, middle, inner in (
        ("resourceSpans", "scopeSpans", "spans"),
        ("resourceLogs", "scopeLogs", "logRecords"),
    ):
        resource = mapping(next(iter(sequence(value.get(outer))), None))
        scope = mapping(next(iter(sequence(resource.get(middle))), None))
        if bodies := sequence(scope.get(inner)):
            body = mapping(bodies[0])
            layers = (mapping(resource.get("resource")), mapping(scope.get("scope")), body)
            attributes = {k: v for layer in layers for k, v in attributes_of(layer.get("attributes")).items()}
            return Record(body, attributes, inner == "logRecords")
    return None


def attributes_of(pairs: Any) -> dict[str, Any]:
    """A list of `{key, value: AnyValue}` to a dict."""
    members = (mapping(pair) for pair in sequence(pairs))
    return {key: any_value(pair.get("value")) for pair in members if (key := text(pair.get("key")))}


def any_value(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """An AnyValue to the plain value; 64-bit numbers come as strings; None for what is empty, unknown or too
    deep.
    """
    wrapper = mapping(value)
    if not wrapper or depth <= 0:
        return None
    kind, inner = next(iter(wrapper.items()))
    if kind == "intValue":
        return integer(inner)
    if kind == "arrayValue":
        return [any_value(item, depth - 1) for item in sequence(mapping(inner).get("values"))]
    if kind == "kvlistValue":
        pairs = (mapping(pair) for pair in sequence(mapping(inner).get("values")))
        return {key: any_value(p.get("value"), depth - 1) for p in pairs if (key := text(p.get("key")))}
    is_plain = kind in ("stringValue", "boolValue", "doubleValue", "bytesValue")
    return inner if is_plain and type(inner) in (str, bool, int, float) else None


def first_of(attributes: dict[str, Any], *names: str) -> str | None:
    """The first of these attributes that holds an id or a name."""
    return next((found for name in names if (found := label(attributes.get(name)))), None)


def decoded(value: Any) -> Any:
    """JSON written inside a string, decoded; other strings and values as they are."""
    if type(value) is not str or value[:1] not in ("{", "["):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return value
