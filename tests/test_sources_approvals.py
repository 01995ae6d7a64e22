"""approvals.jsonl: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import approval, keys, only, quarantined


def read(folder: Path, **members: Any) -> dict[str, Any]:
    return only("approvals", approval(**members), folder)


def test_an_approval_is_an_event_with_its_scope(tmp_path: Path) -> None:
    """The scope is in detail, with times as ISO; the ids are keys."""
    row = read(tmp_path)
    expected = {
        "kind": "approval",
        "native_id": "APR-1/approved",
        "approval_uid": "APR-1",
        "actor_uid": "jon@example.org",
        "action": "approval:approved",
        "outcome": "success",
        "task": "read the invoices of October",
        "class_uid": 3005,
        "activity_id": 1,
    }
    assert {name: row[name] for name in expected} == expected
    assert keys(row) == {("approval", "APR-1", "names"), ("ticket", "TCK-1", "names")}
    assert row["detail"] == {
        "status": "approved",
        "origin": "ticket",
        "subject": "agent-invoices",
        "requested_by": "mira@example.org",
        "approved_by": "jon@example.org",
        "requested_at": "2026-10-05T08:00:00.000000Z",
        "approved_at": "2026-10-05T09:00:00.000000Z",
        "valid_from": "2026-10-05T09:00:00.000000Z",
        "valid_until": "2026-10-06T09:00:00.000000Z",
        "actions": ["s3:Get*"],
        "resources": ["arn:aws:s3:::data/in/*"],
        "roles": ["arn:aws:iam::111122223333:role/team/Reader"],
        "tools": ["read_object"],
        "ticket": "TCK-1",
        "risk": "low",
    }


@pytest.mark.parametrize(
    ("status", "own_time", "actor", "outcome"),
    [
        ("requested", "requested_at", "mira@example.org", "unknown"),
        ("approved", "approved_at", "jon@example.org", "success"),
        ("denied", "approved_at", "jon@example.org", "denied"),
        ("revoked", "revoked_at", "jon@example.org", "success"),
    ],
)
def test_each_state_is_an_event_of_its_time_and_its_actor(
    status: str, own_time: str, actor: str, outcome: str, tmp_path: Path
) -> None:
    """updated_at is the time of the state; without it the time that belongs to the state."""
    updated = read(tmp_path, status=status, updated_at="2026-10-05T12:34:56Z")
    assert updated["event_at"].isoformat() == "2026-10-05T12:34:56+00:00"
    own = read(tmp_path, status=status, **{own_time: "2026-10-05T07:00:00Z"})
    assert own["event_at"].isoformat() == "2026-10-05T07:00:00+00:00"
    assert (own["actor_uid"], own["outcome"], own["native_id"]) == (actor, outcome, f"APR-1/{status}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"approval_id": None}, "no approval_id"),
        ({"status": "pending"}, "status is none of requested, approved, denied, revoked, expired"),
        ({"status": None}, "status is none of requested, approved, denied, revoked, expired"),
        ({"approved_at": None}, "no time"),
        ({"status": "revoked"}, "no time"),
    ],
)
def test_what_an_approval_needs(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Without id, known status or time there is nothing to hold anybody to."""
    found = quarantined("approvals", json.dumps(approval(**change)).encode(), tmp_path)
    assert [row.reason for row in found] == [reason]


def test_an_absent_scope_stays_absent_and_an_empty_one_empty(tmp_path: Path) -> None:
    """`no actions listed` and `no action allowed` are different things."""
    record = {k: v for k, v in approval(roles=[]).items() if k != "tools"}
    detail = only("approvals", record, tmp_path)["detail"]
    assert "tools" not in detail and detail["roles"] == []
