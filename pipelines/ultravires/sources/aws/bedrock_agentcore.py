"""Amazon Bedrock AgentCore: spans of the log group `aws/spans`, and application logs of gateways and runtimes.

https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/observability-view.html. A span here is one JSON
object with its attributes as plain members; the names are OpenTelemetry's, so agents' spans are read as other traces'.
"""

import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from ultravires.formats.otlp import OtlpRecord
from ultravires.reading.events import Event, NoEvent, NotParsed, event_time, logged_at
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, micros, moment_of_first
from ultravires.sources.agents.genai_spans import span_event
from ultravires.sources.aws.agentcore_spans import application_event, gateway_span
from ultravires.sources.aws.cloudwatch import ENVELOPES, decode_message

_SPAN = ("traceId", "spanId", "startTimeUnixNano", "attributes")
_LOG = ("resource_arn", "event_timestamp")
_IN_MESSAGE = re.compile(rb'\\"(?:startTimeUnixNano|event_timestamp)\\"\s*:')
_PRODUCT = re.compile(rb"bedrock.agentcore|AWS::BedrockAgentCore", re.IGNORECASE)


def recognise(head: Head) -> bool:
    """Spans with plain attributes, or application logs with resource_arn and event_timestamp, that name the product."""
    is_bare = head.holds(*_SPAN) or head.holds(*_LOG)
    is_wrapped = head.holds("message", "timestamp", arrays=ENVELOPES) and _IN_MESSAGE.search(head.data) is not None
    return (is_bare or is_wrapped) and _PRODUCT.search(head.data) is not None


def events(record: dict[str, Any], options: Options) -> Iterable[Event]:
    """One span or application log record to its events, if it is an agent's. Raises NotParsed without a time."""
    if "spanId" in record and "startTimeUnixNano" in record:
        return _of_span(record, options)
    if "event_timestamp" in record:
        event = application_event(record, moment_of_first([record["event_timestamp"]]) or 1)
        if event is None:
            return NoEvent("application log of no tool call")
        event_time(record["event_timestamp"])
        return (event,)
    if "observedTimeUnixNano" in record or "timeUnixNano" in record:
        return NoEvent("log record of the agent's own program")
    raise NotParsed("no span and no application log of AgentCore")


def _of_span(body: dict[str, Any], options: Options) -> Iterable[Event]:
    resource = mapping(mapping(body.get("resource")).get("attributes"))
    record = OtlpRecord(body, {**resource, **mapping(body.get("attributes"))}, False)
    started_at = moment_of_first([body.get("startTimeUnixNano")])
    found = gateway_span(record, started_at or 1, micros(body.get("endTimeUnixNano")))
    if found is None:
        event = span_event(record, started_at or 1, options)
        found = [event] if event is not None and not _is_policys(body) else []
    if not found:
        return NoEvent("span of no agent")
    logged_at(started_at)
    return found


def _is_policys(body: dict[str, Any]) -> bool:
    """The policy engine's spans repeat what the gateway's own span says, without the tool."""
    name = body.get("name")
    return type(name) is str and name.startswith("AgentCore.Policy.")


SOURCE = Source(
    name="bedrock_agentcore",
    log="bedrock_agentcore",
    version=5,
    title="Amazon Bedrock AgentCore",
    reads="messages of the log group aws/spans, and application logs of gateways and runtimes",
    recognised_by="spans with plain attributes, or resource_arn and event_timestamp, that name bedrock-agentcore",
    grade="documentation",
    documentation="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/observability-gateway-metrics.html",
    documented_at="2026-11-25",
    evidence_kinds=("tool_call", "decision"),
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
    records=partial(json_records, arrays=ENVELOPES, decode=decode_message),
    events=events,
    objects=(
        "resource",
        "resource.attributes",
        "attributes",
        "status",
        "body",
    ),
    never_text=frozenset({"attributes"}),
)
