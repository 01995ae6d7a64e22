"""What coding agents log: prompts, permissions, tools, and what changes the permissions."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import attributes, keys, log_export, only, rows

NAME = "otel_genai"


def claude(folder: Path, event: str, **named: Any) -> dict[str, Any]:
    """One of Claude Code's events; `a__b` stands for the attribute `a.b`."""
    common = {"event.name": event, "session.id": "sess", "user.email": "mira@example.org", "event.sequence": 5}
    given = {name.replace("__", "."): value for name, value in named.items()}
    record = {
        "timeUnixNano": "1791194400000000000",
        "body": {"stringValue": f"claude_code.{event}"},
        "attributes": attributes({**common, **given}),
    }
    return only(NAME, log_export(record), folder)


def codex(folder: Path, event: str, **named: Any) -> list[dict[str, Any]]:
    """One of Codex's events: no time of the record, an event.timestamp instead."""
    common = {
        "event.name": f"codex.{event}",
        "event.timestamp": "2026-10-05T10:00:00.250Z",
        "conversation.id": "conv",
        "user.email": "mira@example.org",
        "user.account_id": "acct-1",
        "app.version": "0.99.0",
        "auth_mode": "Chatgpt",
        "terminal.type": "xterm",
        "model": "gpt-5.5-codex",
        "slug": "gpt-5.5-codex",
    }
    given = {name.replace("__", "."): value for name, value in named.items()}
    record = {"observedTimeUnixNano": "1791194401000000000", "attributes": attributes({**common, **given})}
    data = json.dumps(log_export(record, resource={"service.name": "codex_cli_rs"})).encode()
    return rows(NAME, data, folder)


def test_a_decision_shows_what_was_permitted(tmp_path: Path) -> None:
    """The parameters of the prompt; their hash is left out, for they are less than the tool's whole input."""
    row = claude(
        tmp_path,
        "tool_decision",
        tool_name="Bash",
        tool_use_id="toolu_1",
        prompt__id="p1",
        decision="accept",
        source="user_temporary",
        tool_parameters='{"bash_command": "rm", "full_command": "rm -r build"}',
    )
    assert row["detail"]["arguments"] == {"bash_command": "rm", "full_command": "rm -r build"}
    assert row["args_hash"] is None and row["decision_uid"] == "sess/toolu_1/decision"
    assert row["on_behalf_of_uid"] == row["detail"]["approver"] == "mira@example.org"


def test_a_tool_of_an_mcp_server_names_the_server(tmp_path: Path) -> None:
    """Claude Code says it in the parameters, Codex in an attribute of its own."""
    given = {"tool_name": "mcp__stock__list", "success": "true", "tool_use_id": "toolu_1"}
    parameters = '{"mcp_server_name": "stock", "mcp_tool_name": "list"}'
    row = claude(tmp_path, "tool_result", **given, tool_parameters=parameters, tool_input='{"shelf": 7}')
    assert (row["detail"]["server"], row["detail"]["arguments"]) == ("stock", {"shelf": 7})
    (row,) = codex(tmp_path, "tool_result", tool_name="list", call_id="c", success="true", mcp_server="stock")
    assert row["detail"]["server"] == "stock"


def test_failed_requests_of_the_model(tmp_path: Path) -> None:
    """Claude Code logs an api_error, Codex a status and a message."""
    row = claude(tmp_path, "api_error", model="m", error="overloaded", status_code=529)
    assert (row["action"], row["outcome"], row["error_code"]) == ("model:chat", "failure", "529")
    (row,) = codex(tmp_path, "api_request", attempt=1, http__response__status_code=429, error__message="slow down")
    assert (row["action"], row["outcome"], row["error_code"]) == ("model:chat", "failure", "429")
    (row,) = codex(tmp_path, "api_request", attempt=1, http__response__status_code=200)
    assert (row["outcome"], row["error_code"]) == ("success", None)


def test_a_change_of_the_permission_mode_is_what_the_person_did(tmp_path: Path) -> None:
    """From then on the agent asks less; where it fell back by itself, it is the agent's doing."""
    row = claude(
        tmp_path, "permission_mode_changed", from_mode="default", to_mode="bypassPermissions", trigger="shift_tab"
    )
    assert (row["kind"], row["action"]) == ("activity", "claude-code:permission_mode_changed")
    assert (row["actor_uid"], row["actor_kind"]) == ("mira@example.org", "human")
    assert row["resource_uids"] == ["to_mode:bypassPermissions"]
    row = claude(tmp_path, "permission_mode_changed", from_mode="auto", to_mode="default", trigger="auto_gate_denied")
    assert (row["actor_uid"], row["actor_kind"]) == ("agent:claude-code", "agent")


@pytest.mark.parametrize(
    ("action", "success", "expected"),
    [
        ("login", "true", (3002, 1, "success")),
        ("logout", "true", (3002, 2, "success")),
        ("login", "false", (3002, 1, "failure")),
    ],
)
def test_signing_in_and_out(action: str, success: str, expected: tuple[int, int, str], tmp_path: Path) -> None:
    """An authentication of the person."""
    row = claude(tmp_path, "auth", action=action, success=success, auth_method="oauth")
    assert (row["class_uid"], row["activity_id"], row["outcome"]) == expected


def test_a_codex_conversation_says_under_which_policy_it_runs(tmp_path: Path) -> None:
    """`never` asks nobody, and `danger-full-access` has no sandbox."""
    (row,) = codex(
        tmp_path,
        "conversation_starts",
        provider_name="OpenAI",
        approval_policy="never",
        sandbox_policy="danger-full-access",
        mcp_servers="stock, mail",
    )
    assert (row["kind"], row["action"]) == ("activity", "codex_cli_rs:conversation_starts")
    assert row["resource_uids"] == ["approval_policy:never", "sandbox_policy:danger-full-access"]
    assert row["actor_uid"] == "mira@example.org" and row["native_id"].startswith("conv/conversation_starts/")
    assert row["event_at"].microsecond == 250_000


@pytest.mark.parametrize(
    ("decision", "source", "outcome", "is_human"),
    [
        ("approved", "config", "success", False),
        ("approved", "user", "success", True),
        ("approved_for_session", "user", "success", True),
        ("approved_execpolicy_amendment", "user", "success", True),
        ("approved", "automated_reviewer", "success", False),
        ("denied", "user", "denied", True),
        ("denied", "config", "denied", False),
        ("abort", "user", "denied", True),
        ("timed_out", "automated_reviewer", "denied", False),
        ("network_policy_amendment", "user", "unknown", True),
    ],
)
def test_codexs_answers(decision: str, source: str, outcome: str, is_human: bool, tmp_path: Path) -> None:
    """By configuration nobody was asked; what the answer's word does not say is unknown."""
    (row,) = codex(tmp_path, "tool_decision", tool_name="shell", call_id="call_1", decision=decision, source=source)
    assert (row["kind"], row["outcome"], row["detail"]["is_human"]) == ("decision", outcome, is_human)
    assert row["detail"].get("approver") == ("mira@example.org" if is_human else None)
    assert keys(row) == {("tool_call", "conv/call_1", "uses"), ("conversation", "conv", "carries")}


def test_what_codex_then_did(tmp_path: Path) -> None:
    """Joined to the decision by the call's id; the arguments are JSON in a string."""
    given = {"tool_name": "shell", "call_id": "call_1", "arguments": '{"command": ["ls", "-l"]}', "duration_ms": "12"}
    (row,) = codex(tmp_path, "tool_result", **given, success="false", output="no such file")
    assert (row["tool_call_uid"], row["outcome"], row["action"]) == ("conv/call_1", "failure", "tool:shell")
    assert row["detail"]["arguments"] == {"command": ["ls", "-l"]} and row["args_hash"]
    assert ("tool_call", "conv/call_1", "names") in keys(row)
    assert (row["actor_uid"], row["on_behalf_of_uid"]) == ("agent:codex_cli_rs", "mira@example.org")


def test_a_codex_prompt_is_a_persons_request(tmp_path: Path) -> None:
    """In its words unless they are hidden; it has no id, so its time names it."""
    (row,) = codex(tmp_path, "user_prompt", prompt="fix the build", prompt_length="13")
    assert (row["kind"], row["task"], row["actor_uid"]) == ("approval", "fix the build", "mira@example.org")
    assert row["approval_uid"].startswith("conv/")
    (row,) = codex(tmp_path, "user_prompt", prompt="[REDACTED]", prompt_length="13")
    assert row["task"] is None


@pytest.mark.parametrize("event", ["sse_event", "websocket_event", "auth_recovery", "sandbox_outcome"])
def test_codexs_other_events_are_left_out(event: str, tmp_path: Path) -> None:
    """They say nothing of who may do what."""
    assert codex(tmp_path, event, duration_ms="3") == []


def test_a_codex_tool_that_never_ran_has_no_call_id(tmp_path: Path) -> None:
    """It failed before a call was made; it is still one event of its own."""
    (row,) = codex(tmp_path, "tool_result", tool_name="unknown_tool", success="false", output="unsupported call")
    assert row["outcome"] == "failure" and row["tool_call_uid"].startswith("conv/tool_result/")
    assert keys(row) == {("conversation", "conv", "carries")}


def test_a_ticket_of_the_resource_stands_above_the_prompt(tmp_path: Path) -> None:
    """`OTEL_RESOURCE_ATTRIBUTES=ticket.id=...` says under what the person works."""
    row = claude(tmp_path, "user_prompt", prompt__id="p1", prompt="go on", ticket__id="CHG-1")
    assert ("ticket", "CHG-1", "uses") in keys(row) and row["kind"] == "approval"
    row = claude(tmp_path, "tool_decision", prompt__id="p1", tool_use_id="t", decision="accept", ticket__id="CHG-1")
    assert not any(kind == "ticket" for kind, _, _ in keys(row))
