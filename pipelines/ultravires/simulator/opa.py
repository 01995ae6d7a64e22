"""Decision log records as Open Policy Agent writes them."""

from random import Random
from typing import Any

from ultravires.simulator import ids
from ultravires.simulator.moments import to_fraction

Json = dict[str, Any]


def decision_record(
    rng: Random, at: int, uid: str, request: Json, *, is_allowed: bool, trace: str, span: str, plain: bool
) -> Json:
    """One decision; `plain` answers true or false, else an object with reasons. `at` is OPA's own clock."""
    result: bool | Json = is_allowed
    if not plain:
        result = {
            "allow": is_allowed,
            "reasons": [] if is_allowed else ["argument outside the approved task"],
        }
    return {
        "labels": {"app": "tool-gateway", "id": "1f0c6f0a-8a43-4a7c-9d0e-5a1be4d1c2b7", "version": "1.9.0"},
        "decision_id": uid,
        "trace_id": trace,
        "span_id": span,
        "bundles": {"tools": {"revision": "2026-09-30.4"}},
        "path": "agents/tools/allow" if plain else "agents/tools/decision",
        "input": request,
        "result": result,
        "requested_by": f"10.20.250.{rng.randrange(2, 9)}:{rng.randrange(32768, 60999)}",
        "timestamp": to_fraction(at, rng.randrange(1_000_000)),
        "metrics": {
            "timer_rego_query_eval_ns": rng.randrange(60_000, 900_000),
            "timer_server_handler_ns": rng.randrange(200_000, 3_000_000),
        },
        "req_id": rng.randrange(1, 900_000),
    }


def decision_id(rng: Random) -> str:
    return ids.uuid(rng)
