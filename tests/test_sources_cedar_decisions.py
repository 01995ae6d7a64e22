"""Decisions of Cedar engines, in their own logs and in CloudTrail: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import batches as read_batches
from source_samples import claimed_by, cloudtrail, keys, only, quarantined, rows

NAME = "cedar_decisions"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00000000000000a1"


def cedarling(**members: Any) -> dict[str, Any]:
    own = {
        "id": "log-1",
        "request_id": "req-1",
        "timestamp": "2026-10-05T10:00:00.403Z",
        "log_kind": "Decision",
        "pdp_id": "pdp",
        "principal": ["Harbour::User"],
        "User": {"sub": "mira@example.org"},
        "diagnostics": {"reason": [{"id": "p1"}], "errors": []},
        "action": 'Harbour::Action::"Pay"',
        "resource": 'Harbour::Invoice::"INV-7"',
        "decision": "ALLOW",
    }
    return {**own, **members}


def asked(**members: Any) -> dict[str, Any]:
    own = {
        "timestamp": "2026-10-05T10:00:00Z",
        "requestId": "req-1",
        "policyStoreId": "PS1",
        "principal": {"entityType": "Agent", "entityId": "agent-7"},
        "action": {"actionType": "Action", "actionId": "s3:GetObject"},
        "resource": {"entityType": "Object", "entityId": "arn:aws:s3:::data/a"},
        "context": {},
        "decision": "ALLOW",
        "determiningPolicies": [{"policyId": "p1"}],
    }
    return {**own, **members}


def test_cedarlings_decision(tmp_path: Path) -> None:
    """Known by its request's id, as the application has it."""
    row = only(NAME, cedarling(), tmp_path)
    assert (row["kind"], row["outcome"], row["detail"]["result"]) == ("decision", "success", "allow")
    assert (row["actor_uid"], row["actor_kind"], row["action"]) == ("mira@example.org", "human", "Harbour:Pay")
    assert row["resource_uids"] == ['Harbour::Invoice::"INV-7"']
    assert (row["decision_uid"], row["native_id"]) == ("req-1", "log-1")
    assert keys(row) == {("decision", "req-1", "names")}


@pytest.mark.parametrize(
    ("members", "actor", "behalf"),
    [
        (
            {"principal": ["Harbour::User", "Harbour::Workload"], "Workload": {"client_id": "inv"}},
            "inv",
            "mira@example.org",
        ),
        ({"principal": ['Harbour::User::"jon"']}, "jon", None),
        ({"principal": "Workload", "Workload": {"client_id": "inv"}}, "inv", None),
        ({"principal": []}, None, None),
    ],
)
def test_cedarlings_principals(members: dict[str, Any], actor: str | None, behalf: str | None, tmp_path: Path) -> None:
    """Types with claims beside them, or entities; a workload acts for the user beside it."""
    row = only(NAME, cedarling(**members), tmp_path)
    assert (row["actor_uid"], row["on_behalf_of_uid"]) == (actor, behalf)


def test_no_token_is_kept(tmp_path: Path) -> None:
    """Cedarling logs claims of tokens under the tokens' names."""
    row = only(NAME, cedarling(tokens={"access_token": {"jti": "s3cr3t"}}), tmp_path)
    assert "s3cr3t" not in row["raw"]


@pytest.mark.parametrize(
    "record",
    [
        asked(),
        asked(principal='Agent::"agent-7"', action='Action::"s3:GetObject"', resource='Object::"arn:aws:s3:::data/a"'),
        asked(principal={"__entity": {"type": "Agent", "id": "agent-7"}}, decision="Allow"),
        {
            "timestamp": "2026-10-05T10:00:00Z",
            "id": "req-1",
            "request": {name: asked()[name] for name in ("principal", "action", "resource", "context")},
            "response": {"decision": "allow", "determiningPolicies": ["p1"]},
        },
    ],
)
def test_every_spelling_of_a_request_and_its_answer(record: dict[str, Any], tmp_path: Path) -> None:
    """Flat or nested, as literals or objects: the same decision."""
    row = only(NAME, record, tmp_path)
    assert claimed_by(json.dumps(record).encode()) == [NAME]
    assert (row["actor_uid"], row["actor_kind"], row["action"]) == ("agent-7", "agent", "s3:GetObject")
    assert (row["resource_uids"], row["outcome"], row["decision_uid"]) == (["arn:aws:s3:::data/a"], "success", "req-1")


def test_what_the_context_states_are_keys(tmp_path: Path) -> None:
    """Approval, ticket, the call and its place in the trace; the arguments' hash is taken before redaction."""
    context = {"approval_id": "APR-1", "ticket": "T-1", "tool_call_id": "call_1", "tool": "read"}
    context |= {"traceparent": f"00-{TRACE}-{SPAN}-01", "arguments": {"password": "hunter2"}}  # type: ignore[dict-item]
    row = only(NAME, asked(context=context), tmp_path)
    assert keys(row) == {
        ("decision", "req-1", "names"),
        ("approval", "APR-1", "uses"),
        ("ticket", "T-1", "uses"),
        ("tool_call", f"{TRACE}/call_1", "uses"),
        ("span", f"{TRACE}/{SPAN}", "uses"),
        ("trace", TRACE, "carries"),
    }
    assert (row["approval_uid"], row["detail"]["tool"]) == ("APR-1", "read")
    assert row["args_hash"] and "hunter2" not in row["raw"] + json.dumps(row["detail"])


def test_a_gateways_action_is_a_tool(tmp_path: Path) -> None:
    """AgentCore's policies name tools as actions."""
    row = only(NAME, asked(action='AgentCore::Action::"stock___list"', decision="DENY"), tmp_path)
    assert (row["action"], row["detail"]["tool"], row["outcome"]) == ("tool:stock___list", "stock___list", "denied")


def test_cedarlings_other_logs_are_left_out_and_odd_records_put_aside(tmp_path: Path) -> None:
    """Each with its reason."""
    system = {"id": "x", "timestamp": "2026-10-05T10:00:00Z", "log_kind": "System", "pdp_id": "pdp", "msg": "up"}
    (batch,) = read_batches(NAME, json.dumps(system).encode(), tmp_path)
    assert (batch.n_ignored, claimed_by(json.dumps(system).encode())) == (1, [NAME])
    data = b"\n".join(json.dumps(record).encode() for record in (cedarling(timestamp=""), cedarling(decision="MAYBE")))
    assert [row.reason for row in quarantined(NAME, data, tmp_path)] == ["no time", "no decision ALLOW or DENY"]


def verified(**members: Any) -> dict[str, Any]:
    own = {
        "eventSource": "verifiedpermissions.amazonaws.com",
        "eventName": "IsAuthorized",
        "requestParameters": {
            "policyStoreId": "PS1",
            "principal": {"entityType": "Harbour::Agent", "entityId": "agent-7"},
            "action": {"actionType": "Harbour::Action", "actionId": "Pay"},
            "resource": {"entityType": "Harbour::Invoice", "entityId": "INV-7"},
        },
        "additionalEventData": {"decision": "DENY"},
        "responseElements": None,
    }
    return cloudtrail(**{**own, **members})


def test_verified_permissions_in_cloudtrail_is_an_activity_and_a_decision(tmp_path: Path) -> None:
    """The caller asked; the principal asked for was denied."""
    activity, decision = rows("aws_cloudtrail", json.dumps({"Records": [verified()]}).encode(), tmp_path)
    assert (activity["kind"], activity["outcome"]) == ("activity", "success")
    assert (decision["kind"], decision["outcome"], decision["action"]) == ("decision", "denied", "Harbour:Pay")
    assert (decision["actor_uid"], decision["decision_uid"]) == ("agent-7", "REQ-1")
    assert keys(decision) == {("decision", "REQ-1", "names")}
    assert activity["event_id"] != decision["event_id"]


@pytest.mark.parametrize(
    "members",
    [
        {"eventName": "CreatePolicy"},
        {"additionalEventData": None},
        {"additionalEventData": {"decision": "x"}},
        {"eventSource": "s3.amazonaws.com"},
    ],
)
def test_other_events_of_cloudtrail_decide_nothing(members: dict[str, Any], tmp_path: Path) -> None:
    """Only an answered question does."""
    data = json.dumps({"Records": [verified(**members)]}).encode()
    assert [row["kind"] for row in rows("aws_cloudtrail", data, tmp_path)] == ["activity"]


def test_with_a_token_the_principal_is_not_known(tmp_path: Path) -> None:
    """CloudTrail hides the token that names it."""
    parameters = {"accessToken": "HIDDEN_DUE_TO_SECURITY_REASONS", "policyStoreId": "PS1"}
    record = verified(eventName="IsAuthorizedWithToken", requestParameters=parameters)
    decision = rows("aws_cloudtrail", json.dumps({"Records": [record]}).encode(), tmp_path)[1]
    assert (decision["actor_uid"], decision["action"], decision["outcome"]) == (None, None, "denied")
