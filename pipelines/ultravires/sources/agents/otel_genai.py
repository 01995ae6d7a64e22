"""OpenTelemetry traces and logs of AI agents: OTLP as JSON lines or protobuf, as the Collector's file exporter writes.

Spans by the GenAI and MCP conventions (https://github.com/open-telemetry/semantic-conventions-genai), their
older names, OpenLLMetry's and OpenInference's; AWS SDK client spans; log events of coding agents. Others are
read and left out.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ultravires.formats.otlp import OtlpRecord, otlp_records
from ultravires.formats.otlp_protobuf_files import is_protobuf
from ultravires.reading.events import Event, Frame, NoEvent, logged_at
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.plain_records import sees_all_fields
from ultravires.reading.source import Source
from ultravires.reading.values import hex_id, moment_of_first
from ultravires.sources.agents.coding_agents import coding_agent_event
from ultravires.sources.agents.genai_spans import span_event

_NAME = "otel_genai"
_NOTHING_IN_LOG = NoEvent("log record of no agent")
_NOTHING_IN_SPAN = NoEvent("span of no agent")
_WITHOUT_IDS = NoEvent("span without trace and span id")
_NOTHING_IN_EXPORT = NoEvent("export without spans and log records")
_EXPORTS = frozenset({"resourceSpans", "resourceLogs"})


def recognise(head: Head) -> bool:
    """One of the first objects has resourceSpans or resourceLogs, or the file begins with OTLP's protobuf messages."""
    return any(keys & _EXPORTS for keys in head.first_keys()) or is_protobuf(head.data)


def genai_records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The spans and log records of a file; plain ones are OtlpRecords already."""
    return otlp_records(chunks, options, takes_plain=sees_all_fields(_NAME, options))


def events(record: OtlpRecord, options: Options) -> Sequence[Event]:
    """One span or log record to at most one event: none where it is no agent's. Raises NotParsed without a
    time.
    """
    event_at = moment_of_first(_times_of(record))
    read = coding_agent_event if record.is_log else span_event
    event = read(record, event_at or 1, options)
    if event is None:
        return _NOTHING_IN_LOG if record.is_log else _nothing_in(record)
    logged_at(event_at)
    return [event]


def _nothing_in(record: OtlpRecord) -> NoEvent:
    if not record.body:
        return _NOTHING_IN_EXPORT
    has_ids = hex_id(record.body.get("traceId")) and hex_id(record.body.get("spanId"))
    return _NOTHING_IN_SPAN if has_ids else _WITHOUT_IDS


def _times_of(record: OtlpRecord) -> tuple[Any, ...]:
    """A span's start; a log record's time, else its event's own, else when it was observed (as the protocol
    says).
    """
    body = record.body
    if not record.is_log:
        return (body.get("startTimeUnixNano"),)
    return body.get("timeUnixNano"), record.attributes.get("event.timestamp"), body.get("observedTimeUnixNano")


SOURCE = Source(
    name=_NAME,
    log=_NAME,
    version=8,
    title="OpenTelemetry traces and logs of AI agents",
    reads="OTLP, JSON lines or protobuf: spans of agents, tools, models, AWS SDK clients; log records of coding agents",
    recognised_by="a member resourceSpans or resourceLogs; in protobuf, the first span's ids or the first log's time",
    grade="documentation",
    documentation="https://github.com/open-telemetry/semantic-conventions-genai",
    documented_at="2026-11-24",
    evidence_kinds=("tool_call",),
    voice="reported",
    system="agents",
    join_keys=(
        "trace",
        "span",
        "conversation",
        "prompt",
        "tool_call",
        "mcp_request",
        "decision",
        "approval",
        "ticket",
        "request",
    ),
    recognise=recognise,
    records=genai_records,
    record=OtlpRecord,
    events=events,
)
