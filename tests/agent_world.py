"""A small world of an agent: its spans, what a policy engine answers, what the cloud records, and one run over them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ultravires
from small_logs import DAY, assume, at, call, session, write_lines
from source_samples import attributes
from stories import Asked
from ultravires.runs.run import run_once

TRACE, OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319c"
ACCOUNT = "arn:aws:iam::111122223333:role/"
HELPER, THIEF = ACCOUNT + "helper", ACCOUNT + "thief"
CONFIG = {
    "identities": [
        {"id": "helper", "kind": "agent", "aliases": ["agent:helper", HELPER]},
        {"id": "thief", "kind": "agent", "aliases": ["agent:thief", THIEF]},
    ],
    "privileged_actions": ["tool:delete_user"],
}
DENY = {"result": {"allow": False}}


def nanos(minutes: float) -> int:
    return int(DAY.timestamp() + minutes * 60) * 10**9


def span(number: int, minutes: float, *, trace: str = TRACE, parent: int | None = None, **named: Any) -> dict[str, Any]:
    """A span of half a minute; `a__b` stands for the attribute `a.b`."""
    given = {name.replace("__", "."): value for name, value in named.items()}
    return {
        "traceId": trace,
        "spanId": f"{number:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": "a span",
        "startTimeUnixNano": str(nanos(minutes)),
        "endTimeUnixNano": str(nanos(minutes + 0.5)),
        "attributes": attributes(given),
    }


def person_asks(number: int, minutes: float, agent: str, **named: Any) -> dict[str, Any]:
    """A run of the agent that, as the agent tells, a person asked for."""
    given = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": agent, "user__email": "ana@example.org"}
    return span(number, minutes, **given, **named)


def tool(number: int, minutes: float, agent: str, name: str, **named: Any) -> dict[str, Any]:
    given = {"gen_ai__operation__name": "execute_tool", "gen_ai__agent__name": agent, "gen_ai__tool__name": name}
    return span(number, minutes, **given, **named)


def request(number: int, minutes: float, agent: str, event_id: str, parent: int, **named: Any) -> dict[str, Any]:
    """The call of AWS, by its request id, that the agent says it made."""
    given = {
        "rpc__system": "aws-api",
        "rpc__service": "IAM",
        "rpc__method": "PutRolePolicy",
        "gen_ai__agent__name": agent,
        "cloud__account__id": "111122223333",
        "aws__request_id": f"r-{event_id}",
    }
    return span(number, minutes, parent=parent, **given, **named)


def otlp(spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": list(spans)}]}]}]


def engine(decision_id: str, minutes: float, agent: str, name: str | None, **changes: Any) -> dict[str, Any]:
    """OPA's answer about the call `call_id`, which is allow where nothing else is said."""
    asked = {key: changes.pop(key) for key in ("approval_id", "ticket", "arguments") if key in changes}
    call_id, trace = changes.pop("call_id", "call_1"), changes.pop("trace", TRACE)
    return {
        "decision_id": decision_id,
        "labels": {"id": "opa-1"},
        "path": "agents/tools/allow",
        "timestamp": at(minutes),
        "trace_id": trace,
        "requested_by": "192.0.2.9:40000",
        "input": {
            "agent": {"id": f"agent:{agent}"},
            **({"tool": name} if name else {}),
            **({"tool_call_id": call_id} if call_id else {}),
            **asked,
        },
        "result": {"allow": True},
        **changes,
    }


def put_policy(event_id: str, minutes: float, role: str, key: str, **changes: Any) -> dict[str, Any]:
    parameters = {"roleName": "other", "policyName": "p"}
    return call(event_id, minutes, "iam:PutRolePolicy", session(role, key, **changes), requestParameters=parameters)


def take(event_id: str, minutes: float, issuer: dict[str, Any], role: str, key: str, **given: Any) -> dict[str, Any]:
    return assume(event_id, minutes, issuer, key, roleArn=role, **given)


class World(Asked):
    """One run over logs in the vendors' shapes, and what it says."""

    def __init__(self, folder: Path, *, config: Mapping[str, Any] = CONFIG, **logs: list[dict[str, Any]]) -> None:
        for name, records in logs.items():
            write_lines(folder / "logs" / f"{name}.jsonl", records)
        path = folder / "ultravires.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        self.home = folder / "home"
        run_once(folder / "logs", self.home, config=path, as_of=at(300))
        self._con: duckdb.DuckDBPyConnection | None = None

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Of what its one run has published: opening that takes longer than most questions."""
        self._con = self._con or ultravires.open(self.home)
        return self._con.execute(query).fetchall()
