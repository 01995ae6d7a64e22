"""AWS TEAM: states of a request from exports, streams and answers, and the roles that a permission set becomes."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, claimed_by, only, quarantined, rows
from ultravires.reading.options import Options
from ultravires.sources.aws.team import role_patterns

ACCOUNT = "111122223333"


def request(**members: Any) -> dict[str, Any]:
    own = {
        "id": "r-1",
        "accountId": ACCOUNT,
        "accountName": "shop-prod",
        "role": "DatabaseOperator",
        "roleId": "arn:aws:sso:::permissionSet/ssoins-1/ps-1",
        "startTime": "2026-10-05T09:00:00.000Z",
        "duration": "4",
        "justification": "repair the index",
        "status": "pending",
        "username": "idc_mira.solis",
        "email": "mira@northwind.example",
        "ticketNo": "OPS-7",
        "createdAt": "2026-10-05T08:30:00Z",
        "updatedAt": "2026-10-05T08:40:00Z",
    }
    return {**own, **members}


ANSWER = {"approver": "jon@northwind.example", "approverId": "idc_jon"}


@pytest.mark.parametrize(
    ("status", "state", "actor", "approved_at"),
    [
        ("pending", "requested", "mira@northwind.example", None),
        ("approved", "approved", "jon@northwind.example", "2026-10-05T08:40:00.000000Z"),
        ("scheduled", "approved", "jon@northwind.example", None),
        ("in progress", "approved", "jon@northwind.example", None),
        ("rejected", "denied", "jon@northwind.example", None),
        ("error", "denied", None, None),
        ("cancelled", "revoked", "mira@northwind.example", None),
        ("revoked", "revoked", "ana@northwind.example", None),
        ("ended", "expired", "jon@northwind.example", None),
        ("expired", "expired", None, None),
    ],
)
def test_each_status_is_a_state_and_says_who_made_it_so(
    status: str, state: str, actor: str | None, approved_at: str | None, tmp_path: Path
) -> None:
    """The time of the answer is known only of the record of the answer itself."""
    row = only("aws_team", request(status=status, revoker="ana@northwind.example", **ANSWER), tmp_path)
    assert (row["action"], row["actor_uid"]) == (f"approval:{state}", actor)
    assert row["detail"].get("approved_at") == approved_at
    is_answered = status not in ("pending", "cancelled", "error", "expired")
    assert row["detail"].get("approved_by") == ("jon@northwind.example" if is_answered else None)
    assert (row["detail"]["subject"], row["detail"]["requested_by"]) == ("mira.solis", "mira@northwind.example")
    assert (row["detail"]["ticket"], row["task"]) == ("OPS-7", "repair the index")


def test_what_needed_no_approver_was_approved_by_policy_as_it_was_made(tmp_path: Path) -> None:
    """A grant that ran without an approver is still a grant."""
    row = only("aws_team", request(status="ended"), tmp_path)
    assert row["detail"]["approved_at"] == "2026-10-05T08:30:00.000000Z"


@pytest.mark.parametrize(
    ("members", "until"),
    [
        ({"status": "approved"}, "2026-10-05T13:00:00.000000Z"),
        ({"status": "in progress", "updatedAt": "2026-10-05T10:00:00Z"}, "2026-10-05T14:00:00.000000Z"),
        ({"status": "in progress", "endTime": "2026-10-05T12:00:00Z"}, "2026-10-05T12:00:00.000000Z"),
        ({"status": "pending"}, None),
        ({"status": "approved", "duration": "99999999999999999999"}, None),
    ],
)
def test_the_grant_ends_when_its_hours_are_over(members: dict[str, Any], until: str | None, tmp_path: Path) -> None:
    """A late answer moves the end; the end that the record states counts before all."""
    assert only("aws_team", request(**members), tmp_path)["detail"].get("valid_until") == until


def test_roles_are_patterns_of_the_roles_of_the_permission_set() -> None:
    """Any code of AWS behind the name, with or without the path and the region; no other name, no other account."""
    patterns = role_patterns(ACCOUNT, "DatabaseOperator")
    role = f"arn:aws:iam::{ACCOUNT}:role/"
    code = "0123456789abcdef"
    for fits in (
        f"{role}AWSReservedSSO_DatabaseOperator_{code}",
        f"{role}aws-reserved/sso.amazonaws.com/AWSReservedSSO_DatabaseOperator_{code}",
        f"{role}aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_DatabaseOperator_{code}",
    ):
        assert any(fnmatchcase(fits, pattern) for pattern in patterns)
    for other in (
        f"{role}AWSReservedSSO_DatabaseOperator_Admin_{code}",
        f"{role}xAWSReservedSSO_DatabaseOperator_{code}",
        f"arn:aws:iam::444455556666:role/AWSReservedSSO_DatabaseOperator_{code}",
    ):
        assert not any(fnmatchcase(other, pattern) for pattern in patterns)


@pytest.mark.parametrize(("account", "role"), [(ACCOUNT, "*"), (ACCOUNT, "a?"), ("*", "Reader"), (ACCOUNT, "a/b")])
def test_a_wildcard_in_a_name_widens_nothing(account: str, role: str, tmp_path: Path) -> None:
    """No permission set and no account of AWS is called so."""
    assert role_patterns(account, role) == ()
    assert "roles" not in only("aws_team", request(accountId=account, role=role), tmp_path)["detail"]


def test_the_configuration_says_what_a_permission_set_means(tmp_path: Path) -> None:
    """By its name, or by account and name."""
    scopes = {f"{ACCOUNT}/Database*": {"actions": ("rds:*",)}, "DatabaseOperator": {"resources": ("arn:aws:rds:*",)}}
    options = Options(hash_key=b"k", approval_scopes={"aws_team": scopes})
    (row,) = rows("aws_team", json.dumps(request()).encode(), tmp_path, options)
    assert (row["detail"]["actions"], row["detail"]["resources"]) == (["rds:*"], ["arn:aws:rds:*"])


def typed(record: dict[str, Any]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in record.items()}


@pytest.mark.parametrize(
    "whole",
    [
        [request()],
        {"Item": typed(request())},
        {"Items": [typed(request())], "Count": 1},
        {"Records": [{"eventID": "1", "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": typed(request())}}]},
        {"data": {"listRequests": {"items": [request()], "nextToken": None}}},
        {"data": {"getRequests": request()}},
        {"items": [request()]},
    ],
)
def test_the_same_request_in_every_wrapping_is_one_event(whole: Any, tmp_path: Path) -> None:
    """An export, a scan, a stream and the answers of the API hold the same record, and are recognised."""
    data = json.dumps(whole).encode()
    assert claimed_by(data) == ["aws_team"]
    (row,) = rows("aws_team", data, tmp_path)
    plain = only("aws_team", request(), tmp_path)
    assert row["event_id"] == plain["event_id"] and row["detail"] == plain["detail"]


def test_items_of_other_tables_and_deletions_are_not_ours(tmp_path: Path) -> None:
    """They are counted as ignored, and nothing is put aside."""
    data = "\n".join(
        json.dumps(record)
        for record in (
            {"Item": typed({"id": "settings", "duration": "9"})},
            {"eventName": "REMOVE", "dynamodb": {"OldImage": typed(request())}},
            {"data": None},
        )
    )
    assert rows("aws_team", data.encode(), tmp_path) == quarantined("aws_team", data.encode(), tmp_path) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "no id"),
        ({"status": "lost"}, "status is none of "),
        ({"createdAt": None, "updatedAt": "soon"}, "no time"),
    ],
)
def test_what_a_request_needs(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """An id, a known status and a time."""
    (found,) = quarantined("aws_team", json.dumps(request(**change)).encode(), tmp_path)
    assert found.reason.startswith(reason)


def test_a_stream_of_dynamodb_is_not_taken_for_cloudtrail() -> None:
    """Both have eventID, eventName, eventSource and awsRegion."""
    stream = next(line for line in SAMPLES["aws_team"].splitlines() if b"aws:dynamodb" in line)
    assert claimed_by(stream) == ["aws_team"]
