"""AgentCore's spans and application logs: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import batches as read_batches
from source_samples import claimed_by, keys, only, quarantined, rows

NAME = "bedrock_agentcore"
TRACE = "6ae1005492b3acc3e318e0f22ae9909e"
GATEWAY = "arn:aws:bedrock-agentcore:eu-central-1:111122223333:gateway/harbour-gw"
CALL = f"{TRACE}/{2:016x}"


def span(name: str, attributes: dict[str, Any], **members: Any) -> dict[str, Any]:
    own = {
        "resource": {"attributes": {"cloud.platform": "aws_bedrock_agentcore", "service.name": "harbour"}},
        "traceId": TRACE,
        "spanId": f"{2:016x}",
        "parentSpanId": f"{1:016x}",
        "name": name,
        "startTimeUnixNano": 1791194400000000000,
        "endTimeUnixNano": 1791194400500000000,
        "attributes": attributes,
        "status": {"code": "UNSET"},
    }
    return {**own, **members}


def invoke_tool(**attributes: Any) -> dict[str, Any]:
    known = {"tool.name": "stock___list", "aws.resource.arn": GATEWAY, "aws.request.id": "req-1"}
    return span("AgentCore.Gateway.InvokeTool", {**known, **attributes})


def application(body: dict[str, Any], **members: Any) -> dict[str, Any]:
    own = {"resource_arn": GATEWAY, "event_timestamp": 1791194400000, "account_id": "111122223333"}
    return {**own, "request_id": "req-1", "trace_id": TRACE, "span_id": f"{2:016x}", "body": body, **members}


def test_a_gateways_call_and_the_policys_decision_on_it(tmp_path: Path) -> None:
    """One span says both; the decision leads to the call, and the call to its request."""
    decided = {"aws.agentcore.policy.authorization_decision": "ALLOW", "session.id": "sess"}
    call, decision = rows(NAME, json.dumps(invoke_tool(**decided)).encode(), tmp_path)
    assert (call["action"], call["outcome"], call["tool_call_uid"]) == ("tool:stock___list", "success", CALL)
    assert keys(call) == {
        ("span", CALL, "names"),
        ("span", f"{TRACE}/{1:016x}", "uses"),
        ("request", "111122223333/req-1", "uses"),
        ("trace", TRACE, "carries"),
        ("conversation", "sess", "carries"),
    }
    assert (decision["kind"], decision["outcome"], decision["detail"]["result"]) == ("decision", "success", "allow")
    assert ("span", CALL, "uses") in keys(decision)


@pytest.mark.parametrize(("mode", "outcome"), [("ENFORCE", "denied"), ("LOG_ONLY", "success")])
def test_a_denial_stops_the_call_only_where_it_is_enforced(mode: str, outcome: str, tmp_path: Path) -> None:
    """The policy said no either way."""
    decided = {"aws.agentcore.policy.authorization_decision": "DENY", "aws.agentcore.gateway.policy.mode": mode}
    call, decision = rows(NAME, json.dumps(invoke_tool(**decided)).encode(), tmp_path)
    assert (call["outcome"], decision["outcome"]) == (outcome, "denied")


def test_a_gateway_without_a_policy_only_calls(tmp_path: Path) -> None:
    """A failed request is a failed call."""
    assert only(NAME, invoke_tool(**{"http.response.status_code": 502}), tmp_path)["outcome"] == "failure"


def test_an_agents_spans_are_those_of_any_trace(tmp_path: Path) -> None:
    """Their attributes are plain members here, and the names are the conventions'."""
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "gen_ai.agent.name": "Payer"}
    row = only(NAME, span("execute_tool pay", named), tmp_path)
    assert (row["action"], row["actor_uid"], row["tool_call_uid"]) == ("tool:pay", "agent:Payer", CALL)


@pytest.mark.parametrize(
    "record",
    [
        span("AgentCore.Policy.AuthorizeAction", {"rpc.system": "aws-api", "rpc.method": "AuthorizeAction"}),
        span("POST /invocations", {"http.request.method": "POST"}),
        application({"log": "Successfully processed request"}),
        {"resource": {}, "timeUnixNano": 1, "observedTimeUnixNano": 1, "body": {}, "attributes": {}},
    ],
)
def test_other_records_are_read_and_left_out(record: dict[str, Any], tmp_path: Path) -> None:
    """They are counted; what the policy engine's span says stands in the gateway's."""
    (batch,) = read_batches(NAME, json.dumps(record).encode(), tmp_path)
    assert (batch.n_records, batch.n_ignored, batch.events.num_rows) == (1, 1, 0)


def test_a_gateways_log_says_which_tool_and_who_was_denied(tmp_path: Path) -> None:
    """The request's text is no JSON; the decision names the caller."""
    asked = "{id=7, jsonrpc=2.0, method=tools/call, params={name=pay___payout, arguments={amount=1}}}"
    call = only(NAME, application({"log": "Started processing request", "requestBody": asked}), tmp_path)
    assert (call["action"], call["outcome"], call["tool_call_uid"]) == ("tool:pay___payout", "unknown", CALL)
    policy = {"decision": "DENY", "principal": {"entityType": "AgentCore::OAuthUser", "entityId": "agent-7"}}
    decision = only(NAME, application({"log": "Policy evaluation completed", "policy": policy}), tmp_path)
    assert (decision["actor_uid"], decision["outcome"]) == ("agent-7", "denied")
    assert decision["decision_uid"] == "111122223333/req-1/decision"
    assert ("span", CALL, "uses") in keys(decision)


def test_a_runtimes_log_says_what_the_agent_was_asked(tmp_path: Path) -> None:
    """The invocation joins CloudTrail's by its request id."""
    record = application({"request_payload": {"prompt": "pay them"}}, operation="InvokeAgentRuntime", session_id="sess")
    row = only(NAME, record, tmp_path)
    assert (row["action"], row["task"], row["detail"]["operation"]) == ("agent:invoke", "pay them", "invoke_agent")
    assert ("request", "111122223333/req-1", "uses") in keys(row) and ("conversation", "sess", "carries") in keys(row)


def test_messages_of_the_log_group_are_opened(tmp_path: Path) -> None:
    """As CloudWatch's command line writes them."""
    wrapped = {"timestamp": 1, "message": json.dumps(invoke_tool())}
    data = json.dumps(wrapped).encode()
    assert claimed_by(data) == [NAME]
    assert only(NAME, wrapped, tmp_path)["action"] == "tool:stock___list"


def test_records_without_a_time_or_of_another_kind_are_put_aside(tmp_path: Path) -> None:
    """Each with its reason."""
    timeless = span("x", {"gen_ai.operation.name": "chat"}, startTimeUnixNano=0)
    policy = application({"policy": {"decision": "ALLOW"}}, event_timestamp=None)
    data = b"\n".join(json.dumps(record).encode() for record in (timeless, policy, {"some": "thing"}))
    reasons = [row.reason for row in quarantined(NAME, data, tmp_path)]
    assert reasons == ["no time", "no time", "no span and no application log of AgentCore"]
