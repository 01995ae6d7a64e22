"""OTLP spans and OPA decisions as newline JSON, of realistic shape, for measurements."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from cloudtrail_files import REDELIVERED, START, uuid

Json = dict[str, Any]
FILE_BYTES = 12_000_000
TOOLS = (
    "search_orders",
    "refund_payment",
    "read_file",
    "run_query",
    "send_mail",
    "open_ticket",
    "deploy_service",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Names(NamedTuple):
    """What all spans of one agent run share; `root` is the span of the run itself."""

    agent: str
    trace: str
    root: str
    conversation: str


def write_spans(folder: Path, megabytes: float, seed: int) -> int:
    """Write OTLP JSON lines (20 to 60 spans a line), gzip level 6; returns bytes before compression."""
    return _write(folder, "spans", megabytes, seed, _span_line)


def write_decisions(folder: Path, megabytes: float, seed: int) -> int:
    """Write OPA decision log lines, gzip level 6; returns bytes before compression."""
    return _write(folder, "decisions", megabytes, seed, _decision_line)


def _write(folder: Path, name: str, megabytes: float, seed: int, line: Callable[[Random, datetime], Json]) -> int:
    rng = Random(seed)  # noqa: S311 - measurements, not secrets
    written, number, at, again = 0, 0, START, list[bytes]()
    target = megabytes * 1e6
    while written < target:
        lines, size = again, sum(map(len, again))
        while size < min(FILE_BYTES, target - written):
            at += timedelta(milliseconds=rng.randrange(200))
            lines.append(json.dumps(line(rng, at), separators=(",", ":")).encode())
            size += len(lines[-1]) + 1
        again = [kept for kept in lines if rng.random() < REDELIVERED]
        data = b"\n".join(lines) + b"\n"
        (folder / f"{name}-{number:04d}.jsonl.gz").write_bytes(gzip.compress(data, compresslevel=6, mtime=0))
        written, number = written + len(data), number + 1
    return written


def _span_line(rng: Random, at: datetime) -> Json:
    agent = f"agent-{rng.randrange(40):02d}"
    names = Names(agent, f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(64):016x}", uuid(rng))
    spans = [
        _span(rng, at + timedelta(milliseconds=40 * number), names, number=number)
        for number in range(rng.randrange(20, 60))
    ]
    resource = {
        "service.name": agent,
        "service.version": "3.4.1",
        "host.name": "runner-7",
        "telemetry.sdk.language": "python",
    }
    scope = {"scope": {"name": "agent.runtime", "version": "0.61.0"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]}


def _span(rng: Random, started: datetime, names: Names, *, number: int) -> Json:
    is_root, is_tool = number == 0, rng.random() < 0.6
    agent = names.agent
    kind = _run(agent) if is_root else _tool(rng, number) if is_tool else _chat(rng)
    named = {
        "gen_ai.agent.id": agent,
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": names.conversation,
    }
    return {
        "traceId": names.trace,
        "spanId": names.root if is_root else f"{rng.getrandbits(64):016x}",
        "parentSpanId": "" if is_root else names.root,
        "flags": 256,
        "name": " ".join(str(value) for value in list(kind.values())[:2]),
        "kind": 1,
        "startTimeUnixNano": _nanos(started),
        "endTimeUnixNano": _nanos(started + timedelta(milliseconds=rng.randrange(5, 900))),
        "attributes": _attributes({"gen_ai.provider.name": "acme.models"} | named | kind),
        "status": {"code": 2, "message": "timeout"} if rng.random() < 0.03 else {},
    }


def _run(agent: str) -> Json:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.request.model": "acme-large",
        "enduser.id": f"{agent}@acme.test",
    }


def _chat(rng: Random) -> Json:
    used = {
        "gen_ai.usage.input_tokens": rng.randrange(400, 9000),
        "gen_ai.usage.output_tokens": rng.randrange(20, 900),
    }
    return {"gen_ai.operation.name": "chat", "gen_ai.request.model": "acme-large", **used}


def _tool(rng: Random, number: int) -> Json:
    arguments = {
        "order": rng.randrange(10**6),
        "reason": "customer asked",
        "tags": ["a", "b"],
        "limit": rng.randrange(50),
    }
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": rng.choice(TOOLS),
        "gen_ai.tool.call.id": f"call_{number}",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": json.dumps(arguments),
        "gen_ai.tool.call.result": json.dumps({"status": "ok", "rows": rng.randrange(90), "id": uuid(rng)}),
    }


def _attributes(pairs: Json) -> list[Json]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in pairs.items()
    ]


def _nanos(at: datetime) -> str:
    return str((at - EPOCH) // timedelta(microseconds=1) * 1_000 + 611)


def _decision_line(rng: Random, at: datetime) -> Json:
    is_allowed, agent = rng.random() < 0.93, f"agent-{rng.randrange(40):02d}"
    arguments = {
        "order": rng.randrange(10**6),
        "reason": "customer asked",
        "amount": rng.randrange(9_000) / 100,
    }
    return {
        "labels": {"app": "tool-gateway", "id": "1f0c6f0a-8a43-4a7c-9d0e-5a1be4d1c2b7", "version": "1.9.0"},
        "decision_id": uuid(rng),
        "trace_id": f"{rng.getrandbits(128):032x}",
        "span_id": f"{rng.getrandbits(64):016x}",
        "bundles": {"tools": {"revision": "2026-09-30.4"}},
        "path": "agents/tools/decision",
        "input": {
            "agent": {"id": agent, "groups": ["support", "eu"]},
            "action": "execute_tool",
            "tool": {"name": rng.choice(TOOLS), "arguments": arguments},
            "tool_call_id": f"call_{rng.randrange(60)}",
            "ticket": f"OPS-{rng.randrange(9_000)}",
        },
        "result": {
            "allow": is_allowed,
            "reasons": [] if is_allowed else ["amount over the limit of the approved task"],
        },
        "requested_by": f"10.20.250.{rng.randrange(2, 9)}:{rng.randrange(32768, 60999)}",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "metrics": {
            "timer_rego_query_eval_ns": rng.randrange(60_000, 900_000),
            "timer_server_handler_ns": rng.randrange(10**6),
        },
        "req_id": rng.randrange(1, 900_000),
    }
