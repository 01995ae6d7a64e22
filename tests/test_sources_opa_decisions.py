"""OPA decision logs: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, TRACE, decision, export, keys, only, quarantined, rows
from source_samples import span as make_span
from ultravires.reading.options import Options


def read(folder: Path, **members: Any) -> dict[str, Any]:
    return only("opa_decisions", decision(**members), folder)


def test_a_decision_with_who_asked_for_what(tmp_path: Path) -> None:
    """The natural places of the input are read without configuration."""
    row = read(tmp_path)
    expected = {
        "kind": "decision",
        "native_id": "dec-1",
        "decision_uid": "dec-1",
        "actor_uid": "agent-invoices",
        "action": "tool:read_object",
        "resource_uids": ["arn:aws:s3:::data/in/a.csv"],
        "outcome": "success",
        "approval_uid": "APR-1",
        "src_ip": "192.0.2.9",
    }
    assert {name: row[name] for name in expected} == expected
    assert row["event_at"].isoformat() == "2026-10-05T10:00:00.500000+00:00"
    assert keys(row) == {
        ("decision", "dec-1", "names"),
        ("approval", "APR-1", "uses"),
        ("ticket", "TCK-1", "uses"),
        ("tool_call", f"{TRACE}/call_1", "uses"),
        ("span", f"{TRACE}/{1:016x}", "uses"),
        ("trace", TRACE, "carries"),
    }
    assert row["detail"] == {
        "result": "allow",
        "is_human": False,
        "tool": "read_object",
        "arguments": {"bucket": "data", "key": "in/a.csv"},
    }


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (True, "success"),
        (False, "denied"),
        ({"allow": True}, "success"),
        ({"allowed": False}, "denied"),
        ({"decision": "permit"}, "success"),
        ({"decision": "DENY"}, "denied"),
        ({"allow": True, "deny": ["not on Sundays"]}, "denied"),
        ({"allow": True, "deny": []}, "success"),
        ({"allow": True, "allowed": False}, "denied"),
        ("allow", "success"),
        ("maybe", "unknown"),
        ({"score": 7}, "unknown"),
        ({"allow": 1}, "unknown"),
        ([True], "unknown"),
        (None, "unknown"),
    ],
)
def test_results_of_known_shape_allow_or_deny(result: Any, outcome: str, tmp_path: Path) -> None:
    """A denial wins over an allowance beside it; an unknown shape is not guessed."""
    row = read(tmp_path, result=result)
    assert row["outcome"] == outcome
    assert row["detail"].get("result") == {"success": "allow", "denied": "deny"}.get(outcome)


def test_arguments_of_decision_and_tool_call_have_the_same_hash(tmp_path: Path) -> None:
    """That is how a change after the decision shows; a secret among them is hashed, not shown."""
    arguments = {"key": "a", "password": "hunter2"}
    asked = read(tmp_path, input={"tool": "t", "args": arguments})
    named = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.call.arguments": json.dumps(arguments, indent=1),
    }
    done = only("otel_genai", export(make_span(2, named)), tmp_path)
    assert asked["args_hash"] == done["args_hash"]
    assert "hunter2" not in asked["raw"] + json.dumps(asked["detail"])


@pytest.mark.parametrize("pointer", ["/input/arguments/key", "/input/arguments", "/input"])
def test_masked_arguments_have_no_hash(pointer: str, tmp_path: Path) -> None:
    """What OPA took out of the log was in the question: comparing the rest would accuse."""
    assert read(tmp_path, erased=[pointer])["args_hash"] is None
    assert read(tmp_path, masked=["/input/agent/id"])["args_hash"] is not None


def test_a_map_for_the_policy_says_where_things_are(tmp_path: Path) -> None:
    """The map of the most exact path glob counts; what it does not name comes from the general one."""
    inputs = {
        **OPTIONS.opa_inputs,
        "gateway/*": {"subject": "input.caller", "tool": "input.nothing"},
        "gateway/v2/*": {"subject": "input.absent|input.who.sub"},
    }
    options = Options(hash_key=b"k", opa_inputs=inputs)
    asked = {"caller": "one", "who": {"sub": "two"}, "tool": "t", "action": "s3:GetObject"}

    def actor(path: str) -> Any:
        data = json.dumps(decision(path=path, input=asked)).encode()
        return rows("opa_decisions", data, tmp_path, options)[0]["actor_uid"]

    assert (actor("gateway/allow"), actor("gateway/v2/allow"), actor("other")) == ("one", "two", None)


def test_the_array_that_opa_posts_is_read(tmp_path: Path) -> None:
    """The decision log service gets arrays; the console and file plugins write lines."""
    data = json.dumps([decision(decision_id=f"dec-{n}") for n in range(3)]).encode()
    assert [row["decision_uid"] for row in rows("opa_decisions", data, tmp_path)] == [
        "dec-0",
        "dec-1",
        "dec-2",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"timestamp": None}, "no time"), ({"decision_id": 7}, "no decision_id: not an OPA decision")],
)
def test_a_decision_without_id_or_time_is_put_aside(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Neither can be guessed."""
    found = quarantined("opa_decisions", json.dumps(decision(**change)).encode(), tmp_path)
    assert [row.reason for row in found] == [reason]


def test_without_a_trace_there_is_no_tool_call_key(tmp_path: Path) -> None:
    """A model's call id repeats in every run, so alone it must join nothing."""
    row = read(tmp_path, trace_id=None, span_id=None)
    assert {kind for kind, _, _ in keys(row)} == {"decision", "approval", "ticket"}
