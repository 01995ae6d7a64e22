"""Spans as an agent's instrumentation makes them, and the OTLP JSON lines of the Collector's file exporter."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from ultravires.simulator.cast import Agent
from ultravires.simulator.moments import to_nanoseconds

Json = dict[str, Any]
_CLIENT, _INTERNAL = 3, 1


def value_of(value: object) -> Json:
    """A Python value as OTLP's AnyValue; 64-bit integers travel as strings."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_of(item) for item in value]}}
    return {"stringValue": str(value)}


def _attributes(pairs: Json) -> list[Json]:
    return [{"key": key, "value": value_of(value)} for key, value in pairs.items() if value is not None]


def span(
    trace: str,
    uid: str,
    parent: str,
    name: str,
    *,
    started: int,
    ended: int,
    attributes: Json,
    is_client: bool = False,
) -> Json:
    """One span; times in milliseconds of the agent's own clock."""
    return {
        "traceId": trace,
        "spanId": uid,
        "parentSpanId": parent,
        "flags": 256,
        "name": name,
        "kind": _CLIENT if is_client else _INTERNAL,
        "startTimeUnixNano": to_nanoseconds(started, 184_302),
        "endTimeUnixNano": to_nanoseconds(ended, 611_057),
        "attributes": _attributes(attributes),
        "status": {},
    }


def export_line(agent: Agent, spans: Sequence[Json]) -> bytes:
    """One line of the file exporter: spans of one process under its resource and scope."""
    resource = {
        "service.name": agent.uid,
        "service.version": "3.4.1",
        "host.name": f"runner-{agent.host_ip.replace('.', '-')}",
        "telemetry.sdk.language": "python",
    }
    scope = {"openinference": "openinference.instrumentation", "mcp": "mcp.client"}.get(agent.dialect, "agent.runtime")
    entry = {
        "resource": {"attributes": _attributes(resource)},
        "scopeSpans": [{"scope": {"name": scope, "version": "0.61.0"}, "spans": list(spans)}],
    }
    return json.dumps({"resourceSpans": [entry]}, separators=(",", ":")).encode()


def run_attributes(agent: Agent, conversation: str, human: str | None, ticket: str | None) -> Json:
    """Of the root span: the agent, the conversation, and who asked where a person did."""
    asked = {"user.id": human, "gen_ai.input.messages": _message(agent.task)} if human else {}
    stated = {"ticket.id": ticket} if agent.states_ticket else {}
    if agent.dialect == "openinference":
        return {"openinference.span.kind": "AGENT", "agent.name": agent.uid, "session.id": conversation}
    return _agent(agent, conversation) | {"gen_ai.operation.name": "invoke_agent"} | asked | stated


def _message(text: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}], separators=(",", ":"))


def _agent(agent: Agent, conversation: str) -> Json:
    vendor = {"gen_ai.system": "acme.models"} if agent.dialect == "older" else {"gen_ai.provider.name": "acme.models"}
    return vendor | {
        "gen_ai.agent.id": agent.uid,
        "gen_ai.agent.name": agent.uid,
        "gen_ai.conversation.id": conversation,
    }


def chat_attributes(agent: Agent, conversation: str, rng: Random) -> Json:
    used_in, used_out = rng.randrange(400, 9000), rng.randrange(20, 900)
    if agent.dialect == "openinference":
        return {
            "openinference.span.kind": "LLM",
            "llm.model_name": agent.model,
            "llm.token_count.prompt": used_in,
            "llm.token_count.completion": used_out,
            "session.id": conversation,
        }
    return _agent(agent, conversation) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": agent.model,
        "gen_ai.usage.input_tokens": used_in,
        "gen_ai.usage.output_tokens": used_out,
    }


def tool_attributes(
    agent: Agent, conversation: str, tool: str, call_id: str, *, arguments: Json, decision_id: str | None
) -> Json:
    """Of one tool call. Older instrumentation leaves the arguments out; OpenInference has no call id on the span."""
    text = json.dumps(arguments)
    if agent.dialect == "openinference":
        return {
            "openinference.span.kind": "TOOL",
            "tool.name": tool,
            "input.value": text,
            "input.mime_type": "application/json",
            "session.id": conversation,
            "opa.decision_id": decision_id,
        }
    named = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.id": call_id,
    }
    base = _agent(agent, conversation) | named
    if agent.dialect == "older":
        return base
    base |= {"gen_ai.tool.type": "function", "gen_ai.tool.call.arguments": text}
    if agent.dialect == "mcp":
        request = call_id.removeprefix("call_")
        base |= {
            "mcp.method.name": "tools/call",
            "mcp.protocol.version": "2025-11-25",
            "jsonrpc.request.id": request,
        }
    return base


def sdk_attributes(record: Json) -> Json:
    """Of the AWS SDK's client span: which request it sent, from which account."""
    return {
        "rpc.system": "aws-api",
        "rpc.service": record["eventSource"].partition(".")[0],
        "rpc.method": record["eventName"],
        "aws.request_id": record["requestID"],
        "cloud.account.id": record["recipientAccountId"],
        "cloud.region": record["awsRegion"],
        "http.response.status_code": 403 if record.get("errorCode") else 200,
    }
