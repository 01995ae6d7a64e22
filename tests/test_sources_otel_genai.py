"""OTLP spans and logs of agents: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import (
    TRACE,
    attributes,
    claimed_by,
    export,
    keys,
    log_export,
    log_record,
    only,
    quarantined,
    rows,
)
from source_samples import batches as read_batches
from source_samples import span as make_span

RUN, TOOL = f"{TRACE}/{1:016x}", f"{TRACE}/{2:016x}"


def read(folder: Path, named: dict[str, Any], *, parent: int | None = 1, **members: Any) -> dict[str, Any]:
    """The event of one span, number 2, with these attributes."""
    return only("otel_genai", export(make_span(2, named, parent, **members)), folder)


def read_log(folder: Path, named: dict[str, Any], service: str = "claude-code", body: str = "") -> dict[str, Any]:
    return only("otel_genai", log_export(log_record(named, body), resource={"service.name": service}), folder)


def test_a_tool_call_with_its_place_in_the_trace(tmp_path: Path) -> None:
    """The call is named by its span; the model's own id, its parent and what it states are keys."""
    row = read(
        tmp_path,
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "read_object",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": '{"key": "a", "password": "hunter2"}',
            "gen_ai.agent.id": "agent-invoices",
            "gen_ai.agent.name": "Invoices",
            "gen_ai.conversation.id": "conv-1",
            "approval.id": "APR-1",
            "ticket.id": "TCK-1",
            "opa.decision_id": "dec-1",
        },
    )
    expected = {
        "kind": "tool_call",
        "native_id": TOOL,
        "tool_call_uid": TOOL,
        "actor_uid": "agent-invoices",
        "actor_kind": "agent",
        "actor_name": "Invoices",
        "action": "tool:read_object",
        "outcome": "success",
    }
    assert {name: row[name] for name in expected} == expected
    assert keys(row) == {
        ("span", TOOL, "names"),
        ("span", RUN, "uses"),
        ("tool_call", f"{TRACE}/call_1", "names"),
        ("tool_call", "conv-1/call_1", "uses"),
        ("approval", "APR-1", "uses"),
        ("ticket", "TCK-1", "uses"),
        ("decision", "dec-1", "uses"),
        ("trace", TRACE, "carries"),
        ("conversation", "conv-1", "carries"),
    }
    assert row["detail"]["arguments"]["key"] == "a"
    assert row["detail"]["ended_at"] == "2026-10-05T10:00:02.500000Z"
    assert "hunter2" not in row["raw"] + json.dumps(row["detail"])


@pytest.mark.parametrize(
    ("named", "action"),
    [
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, "model:chat"),
        ({"gen_ai.operation.name": "text_completion"}, "model:chat"),
        ({"gen_ai.operation.name": "generate_content"}, "model:chat"),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "m"}, "model:chat"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent:invoke"),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "search"}, "tool:search"),
        ({"traceloop.span.kind": "agent"}, "agent:invoke"),
        ({"openinference.span.kind": "TOOL", "tool.name": "search"}, "tool:search"),
        ({"openinference.span.kind": "AGENT"}, "agent:invoke"),
        ({"openinference.span.kind": "LLM"}, "model:chat"),
        ({"mcp.method.name": "tools/call", "gen_ai.tool.name": "search"}, "tool:search"),
        ({"mcp.method.name": "tools/call", "mcp.tool.name": "search"}, "tool:search"),
        ({"rpc.system": "aws-api", "rpc.service": "S3", "rpc.method": "GetObject"}, "rpc:S3.GetObject"),
        ({"rpc.system.name": "aws-api", "rpc.method": "S3/GetObject"}, "rpc:S3.GetObject"),
    ],
)
def test_current_and_older_names_mean_the_same(named: dict[str, Any], action: str, tmp_path: Path) -> None:
    """Four vocabularies are in use for the same four operations."""
    assert read(tmp_path, named)["action"] == action


@pytest.mark.parametrize(
    "named",
    [
        {"http.request.method": "GET"},
        {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "x"},
        {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"},
        {"mcp.method.name": "tools/list"},
        {"openinference.span.kind": "RETRIEVER"},
        {},
    ],
)
def test_other_spans_are_read_and_left_out(named: dict[str, Any], tmp_path: Path) -> None:
    """They are counted, not quarantined: nothing is wrong with them."""
    (batch,) = read_batches("otel_genai", json.dumps(export(make_span(2, named))).encode(), tmp_path)
    assert (batch.n_records, batch.n_ignored, batch.events.num_rows) == (1, 1, 0)


def test_a_humans_request_is_an_approval_of_the_task(tmp_path: Path) -> None:
    """The root span of a run that a person asked for: approved by them, in their words, for the run."""
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "hello"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "hi"}]},
        {"role": "user", "parts": [{"type": "text", "content": "pay the invoices"}]},
    ]
    row = read(
        tmp_path,
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "payer",
            "gen_ai.input.messages": json.dumps(messages),
            "user.id": "u-1",
            "user.email": "mira@example.org",
        },
        parent=None,
    )
    assert (row["kind"], row["approval_uid"], row["task"]) == ("approval", TOOL, "pay the invoices")
    assert (row["actor_uid"], row["actor_kind"], row["action"]) == (
        "mira@example.org",
        "human",
        "approval:approved",
    )
    assert keys(row) == {("span", TOOL, "names"), ("trace", TRACE, "carries")}
    detail = row["detail"]
    assert (detail["origin"], detail["status"], detail["subject"]) == (
        "human_request",
        "approved",
        "agent:payer",
    )
    assert detail["requested_by"] == detail["approved_by"] == "mira@example.org"
    assert (detail["valid_from"], detail["valid_until"]) == (
        "2026-10-05T10:00:02.000000Z",
        "2026-10-05T10:00:02.500000Z",
    )


@pytest.mark.parametrize("key", [("ticket", "T-1", "uses"), ("approval", "A-1", "uses")], ids=["ticket", "approval"])
def test_a_humans_request_states_what_it_is_under(key: tuple[str, str, str], tmp_path: Path) -> None:
    """The ticket or approval on the root span is the key by which the request hangs under it."""
    run = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "payer", "user.email": "mira@example.org"}
    row = read(tmp_path, {**run, f"{key[0]}.id": key[1]}, parent=None)
    assert row["kind"] == "approval" and keys(row) == {("span", TOOL, "names"), key, ("trace", TRACE, "carries")}


@pytest.mark.parametrize(("human", "parent"), [({}, None), ({"user.id": "mira"}, 1)])
def test_a_run_without_a_human_or_below_another_span_is_a_tool_call(
    human: dict[str, Any], parent: int | None, tmp_path: Path
) -> None:
    """Only a person's own request, at the root, approves anything."""
    row = read(tmp_path, {"gen_ai.operation.name": "invoke_agent", **human}, parent=parent)
    assert (row["kind"], row["detail"]["operation"]) == ("tool_call", "invoke_agent")


@pytest.mark.parametrize(
    ("named", "request_key"),
    [
        ({"aws.request_id": "R", "cloud.account.id": "111122223333"}, ("request", "111122223333/R", "uses")),
        ({"aws.request_id": "R"}, ("request", "R", "uses")),
    ],
)
def test_an_aws_call_uses_its_request(named: dict[str, Any], request_key: tuple[str, str, str], tmp_path: Path) -> None:
    """The request id leads to the CloudTrail event; with the account where the span knows it."""
    rpc = {"rpc.system": "aws-api", "rpc.service": "S3", "rpc.method": "GetObject"}
    row = read(tmp_path, {**rpc, **named})
    assert request_key in keys(row) and row["detail"]["operation"] == "rpc"


@pytest.mark.parametrize(
    ("named", "action", "used"),
    [
        ({"az.namespace": "Microsoft.Storage", "az.service_request_id": "A"}, "rpc:Microsoft.Storage.unknown", {"A"}),
        (
            {
                "http.request.method": "PUT",
                "server.address": "management.azure.com",
                "http.response.header.x-ms-request-id": "A",
                "http.response.header.x-ms-client-request-id": "B",
            },
            "rpc:management.azure.com.PUT",
            {"A", "B"},
        ),
        ({"http.response.header.x-github-request-id": "C"}, "rpc:unknown.unknown", {"C"}),
        ({"http.response.header.audit-id": "D"}, "rpc:unknown.unknown", {"D"}),
        ({"gen_ai.operation.name": "execute_tool", "http.response.header.audit-id": "D"}, None, {"D"}),
        ({"gen_ai.operation.name": "execute_tool", "aws.request_id": "E"}, None, {"E"}),
    ],
)
def test_a_request_is_known_by_the_id_of_whoever_answered(
    named: dict[str, Any], action: str | None, used: set[str], tmp_path: Path
) -> None:
    """Azure's SDK, and HTTP clients that are told to keep headers; a tool may make the request itself."""
    row = read(tmp_path, named)
    assert row["action"] == action
    assert {value for kind, value, role in keys(row) if (kind, role) == ("request", "uses")} == used


@pytest.mark.parametrize("name", ["jsonrpc.request.id", "rpc.jsonrpc.request_id", "mcp.request.id"])
@pytest.mark.parametrize(("kind", "role"), [(3, "names"), ("SPAN_KIND_SERVER", "uses"), (1, None)])
def test_a_request_of_mcp_is_its_clients_and_used_by_its_server(
    name: str, kind: Any, role: str | None, tmp_path: Path
) -> None:
    """Within the session alone: without one its number says nothing, nor does a span that is neither side's."""
    named = {"mcp.method.name": "tools/call", name: "7"}
    found = read(tmp_path, {**named, "mcp.session.id": "s"}, kind=kind)
    assert {key for key in keys(found) if key[0] == "mcp_request"} == (
        {("mcp_request", "s/7", role)} if role else set()
    )
    assert not [key for key in keys(read(tmp_path, named, kind=kind)) if key[0] == "mcp_request"]


def test_the_nearest_of_equal_attributes_counts(tmp_path: Path) -> None:
    """A span's own attribute overrides its resource's; what only the resource has applies."""
    data = export(
        make_span(2, {"gen_ai.operation.name": "chat", "gen_ai.agent.id": "own"}),
        resource={"gen_ai.agent.id": "shared", "gen_ai.agent.name": "from the resource"},
    )
    row = only("otel_genai", data, tmp_path)
    assert (row["actor_uid"], row["actor_name"]) == ("own", "from the resource")


def test_an_agent_without_id_or_name_is_its_service(tmp_path: Path) -> None:
    """The prefix tells the kinds of names apart."""
    assert read(tmp_path, {"gen_ai.operation.name": "chat"})["actor_uid"] == "service:runner"
    assert read(tmp_path, {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "a"})["actor_uid"] == "agent:a"


def test_equal_arguments_have_equal_hashes(tmp_path: Path) -> None:
    """The order of keys and the spaces do not matter; any value does, also a secret one."""

    def hashed(arguments: str) -> str | None:
        named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": arguments}
        value = read(tmp_path, named)["args_hash"]
        assert value is None or isinstance(value, str)
        return value

    assert hashed('{"a": 1, "b": [2]}') == hashed('{"b":[2],"a":1}') != hashed('{"b":[2],"a":2}')
    assert hashed('{"password": "one"}') != hashed('{"password": "two"}')
    assert read(tmp_path, {"gen_ai.operation.name": "execute_tool"})["args_hash"] is None


def test_mcp_parameters_hold_the_arguments(tmp_path: Path) -> None:
    """In the JSON-RPC parameters of a tools/call the arguments stand beside the tool's name."""
    named = {"mcp.method.name": "tools/call", "jsonrpc.request.id": "7", "mcp.session.id": "sess"}
    row = read(
        tmp_path,
        {**named, "params": '{"name": "search", "arguments": {"q": "x"}}', "mcp.tool.name": "search"},
    )
    assert row["detail"]["arguments"] == {"q": "x"}
    assert ("tool_call", f"{TRACE}/7", "names") in keys(row)
    assert ("conversation", "sess", "carries") in keys(row)


def test_an_error_status_is_a_failure(tmp_path: Path) -> None:
    """The exporter writes the code as a number or by name."""
    for code in (2, "STATUS_CODE_ERROR"):
        row = read(tmp_path, {"gen_ai.operation.name": "chat"}, status={"code": code})
        assert (row["outcome"], row["detail"]["result_status"]) == ("failure", "error")


def test_a_span_without_a_start_is_put_aside(tmp_path: Path) -> None:
    """0 is how the format writes an unset time."""
    for start, reason in (
        ("0", "no time"),
        (None, "no time"),
        ("soon", "no time"),
        (-5, "impossible time"),
        ("9" * 20, "impossible time"),
    ):
        tool = make_span(2, {"gen_ai.operation.name": "chat"}, startTimeUnixNano=start)
        data = json.dumps(export(tool)).encode()
        assert [row.reason for row in quarantined("otel_genai", data, tmp_path)] == [reason]


def test_a_line_that_is_no_export_is_put_aside_and_metrics_are_left_out(tmp_path: Path) -> None:
    """The Collector can write all signals into one file."""
    good = json.dumps(export(make_span(2, {"gen_ai.operation.name": "chat"}))).encode()
    data = good + b'\n{"resourceMetrics": [{"a": 1}]}\n{"some": "thing"}\n{"resourceSpans": "x"}\n'
    (batch,) = read_batches("otel_genai", data, tmp_path)
    assert (batch.n_records, batch.events.num_rows, batch.n_ignored) == (4, 1, 1)
    reasons = [row.reason for row in batch.quarantined]
    assert reasons == ["not an OTLP export", "not the JSON object expected here"]


@pytest.mark.parametrize(
    ("decision", "answered_by", "outcome", "is_human"),
    [
        ("accept", "config", "success", False),
        ("accept", "hook", "success", False),
        ("accept", "user_temporary", "success", True),
        ("accept", "user_permanent", "success", True),
        ("reject", "user_reject", "denied", True),
        ("reject", "user_abort", "denied", True),
        ("what", "config", "unknown", False),
    ],
)
def test_a_permission_prompt_is_a_decision(
    decision: str, answered_by: str, outcome: str, is_human: bool, tmp_path: Path
) -> None:
    """Claude Code's answer, with the person as approver where a person gave it."""
    row = read_log(
        tmp_path,
        {
            "event.name": "tool_decision",
            "session.id": "s",
            "prompt.id": "p",
            "tool_use_id": "toolu_1",
            "tool_name": "Bash",
            "decision": decision,
            "source": answered_by,
            "user.id": "device",
            "user.email": "mira@example.org",
        },
        body="claude_code.tool_decision",
    )
    assert (row["kind"], row["outcome"], row["action"]) == ("decision", outcome, "tool:Bash")
    assert row["detail"]["is_human"] is is_human
    assert row["detail"].get("approver") == ("mira@example.org" if is_human else None)
    assert keys(row) == {
        ("tool_call", "s/toolu_1", "uses"),
        ("prompt", "s/p", "uses"),
        ("conversation", "s", "carries"),
    }


def test_what_the_coding_agent_then_did_is_a_tool_call(tmp_path: Path) -> None:
    """Its id is the one that the decision uses; a failed tool is a failure."""
    row = read_log(
        tmp_path,
        {
            "event.name": "claude_code.tool_result",
            "session.id": "s",
            "prompt.id": "p",
            "tool_use_id": "toolu_1",
            "tool_name": "Bash",
            "success": "false",
            "tool_input": '{"command": "ls"}',
        },
    )
    assert (row["kind"], row["tool_call_uid"], row["outcome"]) == ("tool_call", "s/toolu_1", "failure")
    assert row["detail"]["arguments"] == {"command": "ls"} and row["args_hash"]
    assert ("tool_call", "s/toolu_1", "names") in keys(row) and ("prompt", "s/p", "uses") in keys(row)


def test_a_prompt_is_a_humans_request(tmp_path: Path) -> None:
    """Named by conversation and prompt, so that decisions and calls lead to it; hidden words are no task."""
    named = {"event.name": "claude_code.user_prompt", "session.id": "s", "prompt.id": "p", "user.id": "mira"}
    row = read_log(tmp_path, {**named, "prompt": "tidy up"})
    assert (row["kind"], row["approval_uid"], row["task"]) == ("approval", "s/p", "tidy up")
    assert ("prompt", "s/p", "names") in keys(row)
    assert row["detail"]["origin"] == "human_request"
    assert read_log(tmp_path, {**named, "prompt": "<REDACTED>"})["task"] is None


def test_codex_writes_the_same_with_other_names(tmp_path: Path) -> None:
    """conversation.id and call_id; approved and denied; the source is User or Config."""
    common = {
        "conversation.id": "c",
        "call_id": "call_9",
        "tool_name": "shell",
        "user.email": "mira@example.org",
    }
    asked = {
        **common,
        "event.name": "codex.tool_decision",
        "decision": "approved_for_session",
        "source": "User",
    }
    decided = read_log(tmp_path, asked, "codex_cli_rs")
    assert (decided["outcome"], decided["detail"]["approver"]) == ("success", "mira@example.org")
    assert ("tool_call", "c/call_9", "uses") in keys(decided)
    denied = read_log(tmp_path, {**asked, "decision": "denied", "source": "Config"}, "codex_cli_rs")
    assert (denied["outcome"], denied["detail"]["is_human"]) == ("denied", False)
    done = {**common, "event.name": "codex.tool_result", "arguments": '{"command":["ls"]}', "success": "true"}
    result = read_log(tmp_path, done, "codex_cli_rs")
    assert (result["tool_call_uid"], result["outcome"]) == ("c/call_9", "success")
    prompt = {"event.name": "codex.user_prompt", "conversation.id": "c", "prompt": "do", "event.sequence": 4}
    assert read_log(tmp_path, prompt, "codex_cli_rs")["approval_uid"] == "c/4"


def test_a_log_record_without_time_takes_its_events_own_else_the_observed(tmp_path: Path) -> None:
    """Codex leaves timeUnixNano unset and writes event.timestamp."""
    named = {"event.name": "claude_code.api_request", "session.id": "s", "model": "m"}
    stamped = {**log_record({**named, "event.timestamp": "2026-10-05T10:00:00.250Z"}), "timeUnixNano": "0"}
    assert only("otel_genai", log_export(stamped), tmp_path)["event_at"].microsecond == 250_000
    observed = {"observedTimeUnixNano": "1791194400000000000", "attributes": attributes(named)}
    assert only("otel_genai", log_export(observed), tmp_path)["action"] == "model:chat"
    nothing = json.dumps(log_export({"attributes": attributes(named)})).encode()
    assert [row.reason for row in quarantined("otel_genai", nothing, tmp_path)] == ["no time"]


def test_every_anyvalue_is_decoded(tmp_path: Path) -> None:
    """Lists and maps of values may be attributes too; a task may stand in either."""
    words = {"arrayValue": {"values": [{"kvlistValue": {"values": [
        {"key": "role", "value": {"stringValue": "user"}}, {"key": "content", "value": {"stringValue": "go"}}
    ]}}]}}  # fmt: skip
    tool = make_span(2, {"gen_ai.operation.name": "invoke_agent", "user.id": "mira"})
    tool["attributes"].append({"key": "gen_ai.input.messages", "value": words})
    assert only("otel_genai", export(tool), tmp_path)["task"] == "go"


def test_spans_of_one_export_keep_their_own_raw(tmp_path: Path) -> None:
    """Each row's raw is a whole export with the one span and its resource."""
    spans = [make_span(n, {"gen_ai.operation.name": "chat"}) for n in range(1, 4)]
    found = rows("otel_genai", json.dumps(export(*spans)).encode(), tmp_path)
    assert [json.loads(row["raw"])["resourceSpans"][0]["scopeSpans"][0]["spans"] for row in found] == [
        [s] for s in spans
    ]
    assert all(claimed_by(row["raw"].encode()) == ["otel_genai"] for row in found)
