"""OTLP's Protocol Buffers messages to the shape of OTLP JSON, so that everything after sees one.

The protobuf library decodes them by the published definitions (https://github.com/open-telemetry/opentelemetry-proto),
reduced to the fields that the sources read: a span's events and links are skipped undecoded.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import Edition, FeatureSet, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from ultravires.formats.protobuf_wire import NOT_OTLP
from ultravires.reading.events import NotParsed
from ultravires.reading.mending import text_of

_MOST_NESTED = 50
_FILES = (common_pb2, resource_pb2, trace_pb2, logs_pb2)

Decode = Callable[[bytes], dict[str, Any]]
"""The bytes of one message to its members in OTLP JSON. Raises NotParsed with the reason."""


def _text(value: str | bytes) -> str:
    """The library leaves text that is not UTF-8 as bytes."""
    return value if isinstance(value, str) else text_of(value)


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _number(value: float) -> float | str:
    """JSON has no infinity."""
    return value if isfinite(value) else str(value)


def _key_values(pairs: Iterable[Any], depth: int = _MOST_NESTED) -> list[dict[str, Any]]:
    return [{"key": _text(pair.key), "value": _any_value(pair.value, depth - 1)} for pair in pairs]


def _any_value(value: Any, depth: int = _MOST_NESTED) -> dict[str, Any]:
    if depth <= 0:
        raise NotParsed("nested too deeply")
    kind = value.WhichOneof("value")
    if plain := _PLAIN.get(kind):
        name, written = plain
        return {name: written(getattr(value, kind))}
    if kind == "array_value":
        items = _array(value.array_value).values
        return {"arrayValue": {"values": [_any_value(item, depth - 1) for item in items]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _key_values(_kvlist(value.kvlist_value).values, depth - 1)}}
    return {}


def _members(message: Any) -> dict[str, Any]:
    """Attributes come last, as `raw` has always had them."""
    found = {field.json_name: _MEMBERS[field.name](value) for field, value in message.ListFields()}
    if attributes := found.pop("attributes", None):
        found["attributes"] = attributes
    return found


_PLAIN: dict[str | None, tuple[str, Callable[[Any], Any]]] = {
    "string_value": ("stringValue", _text),
    "bool_value": ("boolValue", bool),
    "int_value": ("intValue", str),
    "double_value": ("doubleValue", _number),
    "bytes_value": ("bytesValue", _base64),
}
_LISTS = frozenset({"array_value", "kvlist_value"})
_MEMBERS: dict[str, Callable[[Any], Any]] = {
    "trace_id": bytes.hex,
    "span_id": bytes.hex,
    "parent_span_id": bytes.hex,
    "trace_state": _text,
    "name": _text,
    "version": _text,
    "kind": int,
    "start_time_unix_nano": str,
    "end_time_unix_nano": str,
    "time_unix_nano": str,
    "observed_time_unix_nano": str,
    "severity_number": int,
    "severity_text": _text,
    "event_name": _text,
    "body": _any_value,
    "attributes": _key_values,
    "status": _members,
    "message": _text,
    "code": int,
}
_READ = frozenset({*_MEMBERS, *_PLAIN, *_LISTS, "key", "value", "values"})


def _as_read(published: FileDescriptor) -> FileDescriptorProto:
    """The definitions without the fields that nobody reads, changed where the library would hide what a record holds.

    A zero that was written is told from a field that was not. Text is checked in `_text` and depth in `_any_value`,
    whose lists stay bytes until then, because the library's own refusal names no reason.
    """
    found = FileDescriptorProto()
    published.CopyToProto(found)
    found.syntax, found.edition = "editions", Edition.EDITION_2023
    found.options.features.utf8_validation = FeatureSet.NONE
    for message in found.message_type:
        kept = [field for field in message.field if field.name in _READ]
        del message.field[:]
        message.field.extend(kept)
        for field in message.field:
            if field.name in _LISTS:
                field.type = FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
    return found


_pool = DescriptorPool()
for _file in _FILES:
    _pool.Add(_as_read(_file.DESCRIPTOR))


def _parser(name: str) -> Callable[[bytes], Any]:
    message: Any = GetMessageClass(_pool.FindMessageTypeByName(f"opentelemetry.proto.{name}"))
    parse: Callable[[bytes], Any] = message.FromString
    return parse


def _decoder(name: str) -> Decode:
    parse = _parser(name)

    def decode(data: bytes) -> dict[str, Any]:
        try:
            return _members(parse(data))
        except DecodeError as error:
            raise NotParsed(NOT_OTLP) from error

    return decode


_array, _kvlist = _parser("common.v1.ArrayValue"), _parser("common.v1.KeyValueList")
decode_resource = _decoder("resource.v1.Resource")
decode_scope = _decoder("common.v1.InstrumentationScope")
decode_span = _decoder("trace.v1.Span")
decode_log_record = _decoder("logs.v1.LogRecord")
