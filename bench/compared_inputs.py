"""What two versions are given to read when their homes are compared: the repository's samples, and data of others."""

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]

UNPACKED = Path(tempfile.gettempdir()) / "ultravires-compared-inputs"
"""Where records taken out of their wrapping are written: of every build the same path, content and time."""
_UNPACKED_AT = 1_790_000_000
_FIRST_RUN_AT = datetime(2026, 10, 1, tzinfo=UTC)
_PARTS = ("aws_cloudtrail", "otel_genai", "opa_decisions", "approvals")
"""Folders of data/samples in the order in which one home gets them, a run each. With the approvals last, chains get
other roots, and alerts are updated."""


@dataclass(frozen=True)
class Input:
    """What one home is made of: the home's name, the folders of logs, one run for each, and its configuration."""

    name: str
    folders: tuple[Path, ...]
    config: Path | None = None


def inputs(root: Path, shared: Path, unpacked: Path) -> Iterator[Input]:
    """Every input there is below `root` and `shared`; writes the unpacked records into `unpacked`."""
    data = root / "data"
    for name in ("samples", "investigation"):
        yield Input(name, (data / name,), data / name / "ultravires.yaml")
    yield Input("samples-in_parts", tuple(data / "samples" / name for name in _PARTS), data / "samples/ultravires.yaml")
    for folder in sorted(path for path in (data / "sources").iterdir() if path.is_dir()):
        yield Input(f"source-{folder.name}", (folder,))
    yield Input("shared", (shared,))  # as it lies there: wrapped records are nobody's log, and that is compared, too
    yield Input("shared-stratus_cloudtrail", (shared / "stratus_cloudtrail",))
    for name, files in (
        ("panther_tests", _by_log_type(shared / "panther_tests.jsonl.gz")),
        ("traildiscover_cloudtrail", _events(shared / "traildiscover_cloudtrail.jsonl.gz")),
        ("tau_airline_traces", _agent_runs(shared / "tau_airline_traces.jsonl.gz")),
        ("agentdyn_shopping_traces", _agent_runs(shared / "agentdyn_shopping_traces.jsonl.gz")),
    ):
        yield Input(f"shared-{name}", (_written(unpacked / name, files),))


def _lines_of(path: Path) -> Iterator[Json]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _by_log_type(path: Path) -> dict[str, list[Json]]:
    """The tests' events, a file for each type of log."""
    found: dict[str, list[Json]] = {}
    for line in _lines_of(path):
        found.setdefault(f"{line['log_type']}.jsonl", []).append(line["event"])
    return found


def _events(path: Path) -> dict[str, list[Json]]:
    return {"events.jsonl": [line["event"] for line in _lines_of(path)]}


def _agent_runs(path: Path) -> dict[str, list[Json]]:
    """Each run as a trace in OTLP's JSON. No time of a call is known: run n starts n minutes after the first, and its
    call k k seconds after that.
    """
    return {"spans.jsonl": [_trace(run, number) for number, run in enumerate(_lines_of(path))]}


def _trace(run: Json, number: int) -> Json:
    at = _FIRST_RUN_AT + timedelta(minutes=number)
    agent = str(run.get("pipeline") or run["ds"])
    trace = hashlib.sha256(f"{run['ds']} {run['id']}".encode()).hexdigest()[:32]
    about = {"gen_ai.agent.name": agent, "gen_ai.conversation.id": str(run["id"])}
    asked = [{"role": "user", "parts": [{"type": "text", "content": run["prompt"]}]}]
    request = {"gen_ai.operation.name": "invoke_agent", "user.id": "user", "gen_ai.input.messages": json.dumps(asked)}
    root = _span(trace, 0, at, len(run["calls"]) + 1, about | request, is_error=False)
    calls = [
        _span(
            trace,
            k,
            at + timedelta(seconds=k),
            1,
            about
            | {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": str(call["function"]),
                "gen_ai.tool.call.id": str(call["id"]),
                "gen_ai.tool.call.arguments": _as_text(call["args"]),
                "gen_ai.tool.call.result": _as_text(call["result"]),
            },
            is_error=call["error"] is not None,
        )
        for k, call in enumerate(run["calls"], start=1)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": agent}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": [root, *calls]}]}]}


def _span(trace: str, number: int, at: datetime, seconds: int, texts: dict[str, str], *, is_error: bool) -> Json:
    started = int(at.timestamp())
    return {
        "traceId": trace,
        "spanId": f"{number + 1:016x}",
        "parentSpanId": "" if number == 0 else f"{1:016x}",
        "name": texts["gen_ai.operation.name"],
        "startTimeUnixNano": f"{started}000000000",
        "endTimeUnixNano": f"{started + seconds}000000000",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in texts.items()],
        "status": {"code": 2} if is_error else {},
    }


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _written(folder: Path, files: dict[str, list[Json]]) -> Path:
    """Write newline JSON into `folder`, unless it stands there already; every file gets the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in files.items():
        path, text = folder / name, "".join(f"{json.dumps(record)}\n" for record in records)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        os.utime(path, (_UNPACKED_AT, _UNPACKED_AT))
    return folder
