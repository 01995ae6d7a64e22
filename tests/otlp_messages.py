"""OTLP messages built with the published package, their JSON in its words, and random ones."""

import base64
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

TRACE_ID = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
START = 1_791_194_402_000_000_000
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_LISTS = frozenset({"arrayValue", "kvlistValue"})
_NOT_READ = frozenset(
    {
        "droppedAttributesCount",
        "droppedEventsCount",
        "droppedLinksCount",
        "entityRefs",
        "events",
        "flags",
        "links",
        "schemaUrl",
    }
)


def any_value(value: Any) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}
    return AnyValue(**{kinds[type(value)]: value})


def pairs(named: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in named.items()]


def traces(*spans: Span, resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    """An export of these spans, with everything that is not read, too."""
    scope = InstrumentationScope(name="harbour.tracer", version="2", attributes=pairs({"scope.kind": "agents"}))
    of_scope = ScopeSpans(scope=scope, spans=spans, schema_url="https://opentelemetry.io/schemas/1.40.0")
    about = Resource(attributes=pairs(resource or {"service.name": "runner"}), dropped_attributes_count=3)
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=about, scope_spans=[of_scope])])


def logs(*records: LogRecord, resource: dict[str, Any] | None = None) -> ExportLogsServiceRequest:
    about = Resource(attributes=pairs(resource or {"service.name": "codex_cli_rs"}))
    of_scope = ScopeLogs(scope=InstrumentationScope(name="codex"), log_records=records)
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=about, scope_logs=[of_scope])])


def as_json(export: Message) -> dict[str, Any]:
    """What the package makes of an export, but with ids in hex, with the values of an empty list, as OTLP JSON is read
    here, and without what the sources do not read.
    """
    found: dict[str, Any] = _as_read(MessageToDict(export, use_integers_for_enums=True))
    return found


def _as_read(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _member(name, inner) for name, inner in value.items() if name not in _NOT_READ}


def _member(name: str, inner: Any) -> Any:
    if name in _IDS:
        return base64.b64decode(inner).hex()
    return {"values": []} if name in _LISTS and not inner else _as_read(inner)


SPAN = Span(
    trace_id=TRACE_ID,
    span_id=(2).to_bytes(8),
    trace_state="a=b",
    parent_span_id=(1).to_bytes(8),
    name="execute_tool read_object",
    kind=Span.SPAN_KIND_INTERNAL,
    start_time_unix_nano=START,
    end_time_unix_nano=START + 500_000_000,
    attributes=pairs(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "read_object",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.agent.id": "agent-invoices",
            "flag": True,
            "off": False,
            "count": -7,
            "big": 1 << 62,
            "zero": 0,
            "ratio": 0.25,
            "data": b"\x00\xff",
            "list": ["x", 300],
            "map": {"inner": "é"},
            "gen_ai.tool.call.arguments": {"key": "in/a.csv"},
        }
    ),
    events=[Span.Event(time_unix_nano=1, name="exception")],
    links=[Span.Link(trace_id=b"\1" * 16, span_id=b"\2" * 8)],
    dropped_attributes_count=3,
    status=Status(message="nope", code=Status.STATUS_CODE_ERROR),
    flags=257,
)
"""A failed tool call with every kind of attribute value."""

CHAT = Span(
    trace_id=TRACE_ID,
    span_id=(3).to_bytes(8),
    name="chat",
    start_time_unix_nano=START,
    end_time_unix_nano=START + 1,
    attributes=pairs({"gen_ai.operation.name": "chat"}),
)

LOG_RECORD = LogRecord(
    time_unix_nano=START + 1_000_000_000,
    observed_time_unix_nano=START + 1_100_000_000,
    severity_number=9,
    severity_text="INFO",
    body=any_value("codex.tool_decision"),
    attributes=pairs(
        {
            "event.name": "codex.tool_decision",
            "conversation.id": "conv-1",
            "call_id": "call_9",
            "tool_name": "shell",
            "decision": "approved",
            "source": "user",
            "user.email": "mira@example.org",
        }
    ),
    trace_id=TRACE_ID,
    span_id=(2).to_bytes(8),
    flags=1,
    event_name="codex.tool_decision",
)
"""An answered prompt."""

OBSERVED_ONLY = LogRecord()
OBSERVED_ONLY.CopyFrom(LOG_RECORD)
OBSERVED_ONLY.ClearField("time_unix_nano")

TRACES = traces(SPAN, CHAT)
LOGS = logs(LOG_RECORD, OBSERVED_ONLY)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_KEYS = st.text("abc.é", min_size=1, max_size=5)
_PLAIN = (
    _TEXTS
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=20)
)
_VALUES = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=8
)
_NAMED = st.dictionaries(_KEYS, _VALUES, max_size=4)
_PAIRS = _NAMED.map(pairs)
_NANOSECONDS = st.integers(START, (1 << 64) - 1)
_SPANS = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_span_id=st.binary(max_size=8),
    trace_state=_TEXTS,
    name=_TEXTS,
    kind=st.integers(0, 9),
    start_time_unix_nano=_NANOSECONDS,
    end_time_unix_nano=_NANOSECONDS,
    attributes=_PAIRS,
    events=st.lists(st.builds(Span.Event, name=_TEXTS, attributes=_PAIRS), max_size=2),
    status=st.none() | st.builds(Status, message=_TEXTS, code=st.integers(0, 2)),
    flags=st.integers(0, (1 << 32) - 1),
)
_LOG_RECORDS = st.builds(
    LogRecord,
    time_unix_nano=_NANOSECONDS,
    observed_time_unix_nano=_NANOSECONDS,
    severity_number=st.integers(0, 24),
    severity_text=_TEXTS,
    body=st.none() | _VALUES.map(any_value),
    attributes=_PAIRS,
    trace_id=st.binary(max_size=16),
    event_name=_TEXTS,
)
EXPORTS = st.builds(traces, _SPANS, _SPANS, resource=_NAMED) | st.builds(
    logs, _LOG_RECORDS, _LOG_RECORDS, resource=_NAMED
)
"""Random exports of two records each."""
