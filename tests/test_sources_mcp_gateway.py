"""Logs of MCP gateways: messages in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import batches as read_batches
from source_samples import claimed_by, keys, quarantined, rows

NAME = "mcp_gateway"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00000000000000a1"


def logged(second: int, message: dict[str, Any], **members: Any) -> dict[str, Any]:
    own = {"timestamp": f"2026-10-05T10:00:{second:02}Z", "session_id": "sess", "server": "stock"}
    return {**own, "message": {"jsonrpc": "2.0", **message}, **members}


def asked(number: int = 1, tool: str = "pay", meta: dict[str, Any] | None = None) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"invoice": 7}, **({"_meta": meta} if meta else {})}
    return {"id": number, "method": "tools/call", "params": params}


def answered(number: int = 1, **result: Any) -> dict[str, Any]:
    return {"id": number, "result": {"content": [{"type": "text", "text": "done"}], **result}}


def read(folder: Path, *records: dict[str, Any]) -> list[dict[str, Any]]:
    return rows(NAME, b"\n".join(json.dumps(record).encode() for record in records), folder)


def test_a_request_and_its_response_are_states_of_one_call(tmp_path: Path) -> None:
    """The response says when it ended and how; both say which tool, and when it began."""
    request, response = read(tmp_path, logged(1, asked()), logged(4, answered()))
    assert request["tool_call_uid"] == response["tool_call_uid"] == "sess/1"
    assert request["event_at"] == response["event_at"] and request["event_id"] != response["event_id"]
    assert (request["outcome"], response["outcome"]) == ("unknown", "success")
    assert response["detail"]["ended_at"] == "2026-10-05T10:00:04.000000Z" and "ended_at" not in request["detail"]
    assert request["args_hash"] == response["args_hash"] is not None
    assert response["action"] == "tool:pay" and response["detail"]["arguments"] == {"invoice": 7}
    of_call = {("tool_call", "sess/1", "names"), ("conversation", "sess", "carries")}
    between = {("mcp_request", "sess/1", "names"), ("mcp_request", "sess/1", "uses")}
    assert keys(request) == keys(response) == of_call | between


def test_a_trace_context_names_the_call_by_the_callers_span(tmp_path: Path) -> None:
    """In the parameters, or in the headers; the response has none and takes its request's."""
    context = f"00-{TRACE}-{SPAN}-01"
    in_meta = (logged(1, asked(meta={"traceparent": context})), logged(2, answered()))
    in_headers = (logged(1, asked(), headers={"Traceparent": context}), logged(2, answered()))
    request, response = read(tmp_path, *in_meta)
    assert request["tool_call_uid"] == response["tool_call_uid"] == f"{TRACE}/{SPAN}"
    assert {("span", f"{TRACE}/{SPAN}", "names"), ("trace", TRACE, "carries")} <= keys(response)
    assert read(tmp_path, *in_headers)[0]["tool_call_uid"] == f"{TRACE}/{SPAN}"


@pytest.mark.parametrize(
    ("members", "uid"),
    [
        ({"session_id": None, "headers": {"Mcp-Session-Id": "of-header"}}, "of-header/1"),
        ({"session_id": None, "metadata": {"sessionId": "of-metadata"}}, "of-metadata/1"),
        ({"session_id": None, "connection_id": "conn-9"}, "conn-9/1"),
        ({"session_id": None, "client_id": "cl"}, "cl>stock/1@2026-10-05T10:00:01.000000Z"),
    ],
)
def test_without_a_trace_the_parties_scope_the_id(members: dict[str, Any], uid: str, tmp_path: Path) -> None:
    """JSON-RPC ids start anew with each connection; where none is known, the time tells calls apart."""
    request, response = read(tmp_path, logged(1, asked(), **members), logged(2, answered(), **members))
    assert request["tool_call_uid"] == response["tool_call_uid"] == uid


@pytest.mark.parametrize(
    ("message", "outcome", "error"),
    [
        (answered(isError=True), "failure", None),
        ({"id": 1, "error": {"code": -32602, "message": "bad"}}, "failure", "-32602"),
        (answered(), "success", None),
    ],
)
def test_how_a_call_ended(message: dict[str, Any], outcome: str, error: str | None, tmp_path: Path) -> None:
    """A tool's own error and the protocol's are both failures."""
    response = read(tmp_path, logged(1, asked()), logged(2, message))[1]
    assert (response["outcome"], response["error_code"]) == (outcome, error)


def test_who_called_and_for_whom(tmp_path: Path) -> None:
    """An agent by its id, else the client by its name; the person behind it."""
    (row,) = read(tmp_path, logged(1, asked(), agent_id="agent-7", user={"email": "mira@example.org"}))
    assert (row["actor_uid"], row["actor_kind"], row["on_behalf_of_uid"]) == ("agent-7", "agent", "mira@example.org")
    (row,) = read(tmp_path, logged(1, asked(), client={"name": "desk", "version": "1"}))
    assert (row["actor_uid"], row["actor_name"]) == ("agent:desk", "desk")


@pytest.mark.parametrize(("word", "outcome", "call"), [("allow", "success", "unknown"), ("Denied", "denied", "denied")])
def test_the_gateways_own_answer_is_a_decision(word: str, outcome: str, call: str, tmp_path: Path) -> None:
    """It leads to the call, and to the approval that it states; a person who approved is named."""
    said = {"decision": word, "decision_id": "dec-1", "approval_id": "APR-1", "approved_by": "jon@example.org"}
    request, decision = read(tmp_path, logged(1, asked(), **said))
    assert (request["outcome"], decision["outcome"]) == (call, outcome)
    assert (decision["decision_uid"], decision["approval_uid"]) == ("dec-1", "APR-1")
    assert (decision["detail"]["approver"], decision["detail"]["is_human"]) == ("jon@example.org", True)
    assert {("tool_call", "sess/1", "uses"), ("approval", "APR-1", "uses")} <= keys(decision)


@pytest.mark.parametrize(("action", "outcome"), [("accept", "success"), ("decline", "denied"), ("cancel", "denied")])
def test_a_person_asked_in_the_course_of_a_call_decides_on_it(action: str, outcome: str, tmp_path: Path) -> None:
    """Server and client number their requests apart: 1 is the call's id and the question's."""
    question = {"id": 1, "method": "elicitation/create", "params": {"message": "really?"}}
    found = read(
        tmp_path,
        logged(1, asked()),
        logged(2, question),
        logged(3, {"id": 1, "result": {"action": action}}, user="mira@example.org"),
        logged(4, answered()),
    )
    _, decision, response = found
    assert (decision["kind"], decision["outcome"], decision["action"]) == ("decision", outcome, "tool:pay")
    assert decision["detail"]["approver"] == "mira@example.org" and decision["detail"]["is_human"]
    assert ("tool_call", "sess/1", "uses") in keys(decision)
    assert (response["tool_call_uid"], response["outcome"]) == ("sess/1", "success")


def test_an_answer_among_two_open_calls_belongs_to_neither(tmp_path: Path) -> None:
    """Nothing is guessed; the session still joins them."""
    question = {"id": 9, "method": "elicitation/create", "params": {}}
    found = read(
        tmp_path,
        logged(1, asked(1)),
        logged(1, asked(2)),
        logged(2, question),
        logged(3, {"id": 9, "result": {"action": "accept"}}),
    )
    assert found[-1]["action"] == "mcp:elicitation/create"
    assert keys(found[-1]) == {("decision", "sess/9/elicitation", "names"), ("conversation", "sess", "carries")}


def test_a_record_that_holds_both_sides_is_one_event(tmp_path: Path) -> None:
    """Some gateways write a line once the answer is there."""
    record = {"timestamp": "2026-10-05T10:00:04Z", "metadata": {"sessionId": "sess", "serverName": "stock"}}
    record |= {"request": {"jsonrpc": "2.0", **asked()}, "response": {"jsonrpc": "2.0", **answered()}}  # type: ignore[dict-item]
    (row,) = read(tmp_path, record)
    assert (row["tool_call_uid"], row["outcome"], row["detail"]["server"]) == ("sess/1", "success", "stock")


def test_what_a_gateway_withheld_is_a_denial(tmp_path: Path) -> None:
    """GitHub's gateway writes it between the messages."""
    item = {"timestamp": "2026-10-05T10:00:01Z", "type": "DIFC_FILTERED", "server_id": "github", "tool_name": "list"}
    (row,) = read(tmp_path, {**item, "description": "issue:o/r#1", "reason": "integrity"})
    assert (row["kind"], row["outcome"], row["action"]) == ("decision", "denied", "tool:list")
    assert row["resource_uids"] == ["issue:o/r#1"]


def test_other_messages_and_answers_to_nothing_are_left_out(tmp_path: Path) -> None:
    """A response whose request is not in the file says neither tool nor trace."""
    others = [
        logged(1, {"id": 1, "method": "prompts/list"}),
        logged(2, {"id": 1, "result": {"prompts": []}}),
        logged(3, {"method": "notifications/initialized"}),
        logged(4, answered(77)),
    ]
    (batch,) = read_batches(NAME, b"\n".join(json.dumps(record).encode() for record in others), tmp_path)
    assert (batch.n_records, batch.n_ignored, batch.events.num_rows) == (4, 4, 0)


def test_records_without_time_or_message_are_put_aside(tmp_path: Path) -> None:
    """Each with its reason."""
    data = b"\n".join(
        json.dumps(record).encode() for record in (logged(1, asked(), timestamp=None), {"timestamp": "x", "a": 1})
    )
    assert [row.reason for row in quarantined(NAME, data, tmp_path)] == ["no time", "no JSON-RPC message"]


@pytest.mark.parametrize("moment", [1791194401, 1791194401000, 1791194401.0, "2026-10-05T10:00:01+00:00"])
def test_times_in_seconds_milliseconds_or_words(moment: Any, tmp_path: Path) -> None:
    """Gateways differ."""
    record = {"ts": moment, "connection_id": "c", "message": {"jsonrpc": "2.0", **asked()}}
    (row,) = read(tmp_path, record)
    assert row["event_at"].isoformat() == "2026-10-05T10:00:01+00:00"
    assert claimed_by(json.dumps(record).encode()) == [NAME]


def test_secrets_in_arguments_are_hidden_and_still_told_apart(tmp_path: Path) -> None:
    """The hash is taken before, the rest after redaction."""

    def call(password: str) -> dict[str, Any]:
        message = {"id": 1, "method": "tools/call", "params": {"name": "login", "arguments": {"password": password}}}
        (row,) = read(tmp_path, logged(1, message))
        assert password not in row["raw"] + json.dumps(row["detail"])
        return row

    assert call("hunter2")["args_hash"] != call("hunter3")["args_hash"]


def batch(second: int, messages: list[Any]) -> dict[str, Any]:
    return {**logged(second, {}), "message": messages}


def of_batch(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"jsonrpc": "2.0", **message} for message in messages]


def test_every_message_of_a_batch_is_read_as_if_it_were_alone(tmp_path: Path) -> None:
    """Calls and their answers, in whatever order the server answers, and messages that are no calls among them."""
    ping = {"id": 9, "method": "ping"}
    asked_one_by_one = [asked(1), asked(2, "lookup"), ping]
    answers_one_by_one = [{"id": 2, "error": {"code": -32000}}, answered(1)]
    alone = read(tmp_path, *(logged(1, m) for m in asked_one_by_one), *(logged(4, m) for m in answers_one_by_one))
    together = read(
        tmp_path,
        batch(1, of_batch(*asked_one_by_one)),
        batch(4, of_batch(*answers_one_by_one)),
    )
    told = ("event_id", "action", "outcome", "error_code", "tool_call_uid", "args_hash", "keys", "detail")
    assert [[row[name] for name in told] for row in together] == [[row[name] for name in told] for row in alone]
    assert [(row["action"], row["outcome"]) for row in together] == [
        ("tool:pay", "unknown"),
        ("tool:lookup", "unknown"),
        ("tool:lookup", "failure"),
        ("tool:pay", "success"),
    ]


def test_batches_of_requests_and_answers_in_one_record(tmp_path: Path) -> None:
    """A gateway that logs both sides at once: each answer belongs to the request of its id."""
    both = {"request": of_batch(asked(1), asked(2, "lookup")), "response": of_batch(answered(2), answered(1))}
    record = {name: value for name, value in logged(1, {}).items() if name != "message"} | both
    found = read(tmp_path, record)
    assert [(row["action"], row["outcome"]) for row in found] == [("tool:pay", "success"), ("tool:lookup", "success")]


def test_calls_of_a_batch_hide_behind_no_common_id(tmp_path: Path) -> None:
    """Two calls under one id are two calls; what is no message of a batch adds nothing."""
    found = read(tmp_path, batch(1, [*of_batch(asked(1), asked(1), asked(1, "delete")), None, 5, {}]))
    assert [row["action"] for row in found] == ["tool:pay", "tool:pay", "tool:delete"]
    assert len({row["event_id"] for row in found}) == len({row["tool_call_uid"] for row in found}) == 3
    (reason,) = quarantined(NAME, json.dumps(batch(1, [None])).encode(), tmp_path)
    assert reason.reason == "no JSON-RPC message"
