"""A few records in the vendors' shapes, for tests that tell a story of their own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

DAY = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)
RUNNER = "arn:aws:iam::111122223333:role/runner"
WORKER = "arn:aws:iam::111122223333:role/worker"


def at(minutes: float) -> str:
    """A time of the story: minutes after its begin, as the vendors write it."""
    return (DAY + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def approval(approval_id: str, minutes: float, **changes: Any) -> dict[str, Any]:
    return {
        "approval_id": approval_id,
        "status": "approved",
        "task": "tidy up",
        "subject": WORKER,
        "requested_by": "ana@example.org",
        "approved_by": "bo@example.org",
        "requested_at": at(minutes - 10),
        "approved_at": at(minutes),
        "valid_from": at(minutes),
        "valid_until": at(minutes + 480),
        "actions": ["iam:*"],
        "roles": [WORKER],
        "risk": "low",
        "updated_at": at(minutes),
        **changes,
    }


def session(role: str, key: str, *, source_identity: str | None = None) -> dict[str, Any]:
    name = role.rsplit("/", 1)[-1]
    context: dict[str, Any] = {"sessionIssuer": {"type": "Role", "arn": role, "userName": name}}
    if source_identity:
        context["sourceIdentity"] = source_identity
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::111122223333:assumed-role/{name}/s1",
        "accountId": "111122223333",
        "accessKeyId": key,
        "sessionContext": context,
    }


def call(event_id: str, minutes: float, action: str, identity: dict[str, Any], **changes: Any) -> dict[str, Any]:
    service, name = action.split(":")
    return {
        "eventID": event_id,
        "requestID": f"r-{event_id}",
        "eventTime": at(minutes),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "eventVersion": "1.10",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "boto3",
        "userIdentity": identity,
        **changes,
    }


def assume(event_id: str, minutes: float, issuer: dict[str, Any], key: str, **parameters: Any) -> dict[str, Any]:
    """AssumeRole into WORKER that issues `key` for an hour."""
    return call(
        event_id,
        minutes,
        "sts:AssumeRole",
        issuer,
        requestParameters={"roleArn": WORKER, "roleSessionName": "s1", **parameters},
        responseElements={"credentials": {"accessKeyId": key, "expiration": at(minutes + 60)}},
    )


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
