"""Bedrock's model invocation logs: records in, rows out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, keys, only, quarantined, rows

NAME = "bedrock_invocations"
CALL = "111122223333/req-1"


def invocation(answer: Any = None, **members: Any) -> dict[str, Any]:
    own = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-10-05T10:00:02Z",
        "accountId": "111122223333",
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/Invoicer/run-7"},
        "region": "eu-central-1",
        "requestId": "req-1",
        "operation": "Converse",
        "modelId": "anthropic.claude-sonnet-5-v1:0",
        "input": {"inputBodyJson": {"messages": []}},
        "output": {"outputBodyJson": answer},
    }
    return {**own, **members}


def test_a_call_of_the_model_uses_its_request(tmp_path: Path) -> None:
    """The request id is CloudTrail's, so that the call leads to the activity."""
    row = only(NAME, invocation(), tmp_path)
    assert (row["action"], row["outcome"], row["tool_call_uid"]) == ("model:chat", "success", CALL)
    assert (row["actor_uid"], row["actor_kind"]) == ("arn:aws:iam::111122223333:role/Invoicer", "role")
    assert keys(row) == {("span", CALL, "names"), ("request", CALL, "uses")}
    assert row["resource_uids"] == ["anthropic.claude-sonnet-5-v1:0"]


CONVERSE = {"output": {"message": {"content": [{"toolUse": {"toolUseId": "t1", "name": "pay", "input": {"n": 7}}}]}}}
MESSAGES = {
    "content": [{"type": "text", "text": "so"}, {"type": "tool_use", "id": "t1", "name": "pay", "input": {"n": 7}}]
}
CHOICES = {
    "choices": [{"message": {"tool_calls": [{"id": "t1", "function": {"name": "pay", "arguments": '{"n": 7}'}}]}}]
}
CHUNKS = [
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t1", "name": "pay", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"n"'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ": 7}"}},
]
STREAM = [
    {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": "pay"}}, "contentBlockIndex": 0}},
    {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"n": 7}'}}, "contentBlockIndex": 0}},
]


@pytest.mark.parametrize("answer", [CONVERSE, MESSAGES, CHOICES, CHUNKS, STREAM])
def test_tools_that_the_model_asked_for_are_calls_of_their_own(answer: Any, tmp_path: Path) -> None:
    """In every shape of an answer; whether they ran, this log does not say."""
    chat, tool = rows(NAME, json.dumps(invocation(answer)).encode(), tmp_path)
    assert (chat["action"], tool["action"], tool["outcome"]) == ("model:chat", "tool:pay", "unknown")
    assert tool["tool_call_uid"] == f"{CALL}/t1"
    assert tool["detail"]["arguments"] == {"n": 7} and tool["detail"]["result_status"] == "requested"
    assert keys(tool) == {("tool_call", f"{CALL}/t1", "names"), ("span", CALL, "uses")}
    assert tool["args_hash"] is not None


@pytest.mark.parametrize(
    ("members", "outcome", "error"),
    [
        ({"errorCode": "ThrottlingException"}, "failure", "ThrottlingException"),
        ({"errorCode": "AccessDeniedException"}, "denied", "AccessDeniedException"),
        ({"output": {"outputBodyJson": {"stopReason": "guardrail_intervened"}}}, "denied", "guardrail_intervened"),
    ],
)
def test_errors_and_guardrails(members: dict[str, Any], outcome: str, error: str, tmp_path: Path) -> None:
    """A guardrail that replaced the answer denied the call."""
    row = only(NAME, invocation(**members), tmp_path)
    assert (row["outcome"], row["error_code"]) == (outcome, error)


def test_a_user_and_a_person_with_a_reserved_role(tmp_path: Path) -> None:
    """IAM Identity Center's roles are people's."""
    user = only(NAME, invocation(identity={"arn": "arn:aws:iam::111122223333:user/ann"}), tmp_path)
    assert (user["actor_uid"], user["actor_kind"]) == ("arn:aws:iam::111122223333:user/ann", "unknown")
    arn = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/mira@example.org"
    person = only(NAME, invocation(identity={"arn": arn}), tmp_path)
    assert (person["actor_kind"], person["actor_name"]) == ("human", "mira@example.org")


def test_cloudwatchs_envelopes_are_opened(tmp_path: Path) -> None:
    """One message a line, the command line's array, and a subscription's batch say the same as the bare record."""
    plain = only(NAME, invocation(), tmp_path)
    envelope = {"timestamp": 1791194402000, "message": json.dumps(invocation())}
    batch = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": [envelope]}
    for wrapped in (envelope, {"events": [envelope]}, batch):
        data = json.dumps(wrapped).encode()
        assert claimed_by(data) == [NAME]
        assert only(NAME, wrapped, tmp_path)["event_id"] == plain["event_id"]


def test_other_records_are_put_aside(tmp_path: Path) -> None:
    """Each with its reason."""
    data = b"\n".join(
        json.dumps(record).encode()
        for record in (invocation(timestamp=None), invocation(schemaType="X"), invocation(requestId=None))
    )
    reasons = [row.reason for row in quarantined(NAME, data, tmp_path)]
    assert reasons == [
        "no time",
        "no schemaType ModelInvocationLog: not a model invocation",
        "no requestId: not a model invocation",
    ]


def test_real_events_are_read_whole(third_party: Path, tmp_path: Path) -> None:
    """Every recorded invocation has who, which model, and whether a guardrail stopped it."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        found = [line["event"] for line in map(json.loads, file) if line["log_type"] == "AWS.BedrockModelInvocation"]
    data = b"\n".join(json.dumps(event).encode() for event in found)
    assert claimed_by(data) == [NAME] and all(claimed_by(json.dumps(event).encode()) == [NAME] for event in found)
    read = rows(NAME, data, tmp_path)
    assert (len(found), len(read), quarantined(NAME, data, tmp_path)) == (4, 4, [])
    for event, row in zip(found, read, strict=True):
        assert row["actor_uid"] == "arn:aws:iam::111111111111:role/role_details"
        assert row["resource_uids"] == [event["modelId"]]
        assert ("request", f"111111111111/{event['requestId']}", "uses") in keys(row)
        is_stopped = "guardrail" in json.dumps(event["output"]).lower()
        assert row["outcome"] == ("denied" if is_stopped else "success")
