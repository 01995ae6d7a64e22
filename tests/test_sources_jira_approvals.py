"""Jira Service Management: approvals alone, in pages, with their request, in issues and in webhooks."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, keys, only, quarantined, rows
from ultravires.reading.options import Options

NAME = "jira_approvals"
SITE = "https://northwind.atlassian.example"
MIRA, JON, ANA = (
    {"accountId": f"id-{name}", "emailAddress": f"{name}@northwind.example"} for name in ("mira", "jon", "ana")
)


def approval(decision: str = "approved", request: str = "10042", **members: Any) -> dict[str, Any]:
    own = {
        "id": "101",
        "name": "Waiting for approval",
        "finalDecision": decision,
        "canAnswerApproval": False,
        "approvers": [{"approver": JON, "approverDecision": decision}],
        "createdDate": {"iso8601": "2026-10-05T10:05:00+0200", "epochMillis": 1791187500000},
        "completedDate": {"iso8601": "2026-10-05T10:40:00+0200"},
        "_links": {"self": f"{SITE}/rest/servicedeskapi/request/{request}/approval/101"},
    }
    return {**own, **members}


def issue(*approvals: dict[str, Any], **fields: Any) -> dict[str, Any]:
    own = {
        "summary": "write access to orders",
        "reporter": MIRA,
        "creator": ANA,
        "issuetype": {"name": "Service Request"},
        "customfield_10010": {"requestType": {"name": "Database access"}},
        "customfield_10041": list(approvals),
    }
    return {"id": "10042", "key": "OPS-42", "self": f"{SITE}/rest/api/2/issue/10042", "fields": {**own, **fields}}


def test_an_approval_alone_says_who_answered_and_when(tmp_path: Path) -> None:
    """Its id holds in one site; an issue's number is no key, so there is no ticket."""
    row = only(NAME, approval(), tmp_path)
    assert (row["approval_uid"], row["action"], row["actor_uid"]) == (
        "northwind.atlassian.example/approval/101",
        "approval:approved",
        "jon@northwind.example",
    )
    assert row["detail"] == {
        "status": "approved",
        "origin": "ticket",
        "approved_by": "jon@northwind.example",
        "requested_at": "2026-10-05T08:05:00.000000Z",
        "approved_at": "2026-10-05T08:40:00.000000Z",
    }
    keyed = only(NAME, approval(request="OPS-42"), tmp_path)
    assert keys(keyed) == {
        ("approval", "northwind.atlassian.example/approval/101", "names"),
        ("ticket", "OPS-42", "names"),
    }


def test_an_issue_says_for_whom_and_what(tmp_path: Path) -> None:
    """The reporter is for whom, the creator who asked, the request's type the scope in Jira's words."""
    row = only(NAME, issue(approval()), tmp_path)
    assert (row["task"], row["detail"]["ticket"]) == ("write access to orders", "OPS-42")
    assert (row["detail"]["subject"], row["detail"]["requested_by"]) == (
        "mira@northwind.example",
        "ana@northwind.example",
    )
    assert row["detail"]["scope"] == ["Database access"]
    scopes = {NAME: {"Database*": {"actions": ("rds:*",), "tools": ("run_sql",)}}}
    options = Options(hash_key=b"k", approval_scopes=scopes)
    (meant,) = rows(NAME, json.dumps(issue(approval())).encode(), tmp_path, options)
    assert (meant["detail"]["actions"], meant["detail"]["tools"]) == (["rds:*"], ["run_sql"])
    plain = only(NAME, issue(approval(), customfield_10010=None), tmp_path)
    assert plain["detail"]["scope"] == ["Service Request"]


@pytest.mark.parametrize(
    ("decision", "status", "at", "actor"),
    [
        ("pending", "requested", "08:05", None),
        ("approved", "approved", "08:40", "jon@northwind.example"),
        ("declined", "denied", "08:40", "jon@northwind.example"),
    ],
)
def test_each_decision_is_a_state(decision: str, status: str, at: str, actor: str | None, tmp_path: Path) -> None:
    """A pending approval has no answer, whoever of several has given one."""
    row = only(NAME, approval(decision), tmp_path)
    assert (row["detail"]["status"], row["event_at"].strftime("%H:%M"), row["actor_uid"]) == (status, at, actor)
    assert row["detail"].get("approved_by") == actor


@pytest.mark.parametrize(
    ("resolution", "status"), [("Withdrawn", "revoked"), ("Expired", "expired"), ("Done", "approved")]
)
def test_how_an_issue_ends_ends_its_approval(resolution: str, status: str, tmp_path: Path) -> None:
    """Who resolved it is known only of the webhook that tells of it; done is delivered, not over."""
    ended = {"resolution": {"name": resolution}, "resolutiondate": "2026-10-05T18:00:00.000+0200"}
    hook = {
        "webhookEvent": "jira:issue_updated",
        "user": ANA,
        "issue": issue(approval(), **ended),
        "changelog": {"items": [{"field": "resolution", "toString": resolution}]},
    }
    row = only(NAME, hook, tmp_path)
    assert row["detail"]["status"] == status
    assert row["actor_uid"] == ("jon@northwind.example" if status == "approved" else "ana@northwind.example")
    assert row["event_at"].strftime("%H:%M") == ("08:40" if status == "approved" else "16:00")
    refused = only(NAME, issue(approval("declined"), **ended), tmp_path)
    assert refused["detail"]["status"] == "denied"


def test_of_several_deciders_one_who_did_not_ask_speaks(tmp_path: Path) -> None:
    """An approval that somebody else also gave is no self-approval; one that nobody else gave is."""
    both = [{"approver": who, "approverDecision": "approved"} for who in (ANA, JON)]
    assert only(NAME, issue(approval(approvers=both)), tmp_path)["detail"]["approved_by"] == "jon@northwind.example"
    alone = only(NAME, issue(approval(approvers=both[:1])), tmp_path)["detail"]
    assert alone["approved_by"] == alone["requested_by"] == "ana@northwind.example"


def test_an_approver_without_an_address_goes_by_account_id(tmp_path: Path) -> None:
    """People may hide their addresses."""
    hidden = [{"approver": {"accountId": "id-jon"}, "approverDecision": "approved"}]
    assert only(NAME, approval(approvers=hidden), tmp_path)["actor_uid"] == "id-jon"


@pytest.mark.parametrize(
    "whole",
    [
        {"size": 1, "isLastPage": True, "_links": {"base": f"{SITE}/rest/servicedeskapi"}, "values": [approval()]},
        [approval()],
        {"issueKey": "OPS-42", "summary": "s", "reporter": MIRA, "approvals": [approval()]},
        {"expand": "names", "startAt": 0, "total": 1, "issues": [issue(approval())]},
        {"timestamp": 1, "webhookEvent": "jira:issue_updated", "user": JON, "issue": issue(approval())},
    ],
)
def test_the_same_approval_in_every_wrapping_is_one_event(whole: Any, tmp_path: Path) -> None:
    """A page, an array, a request, a search and a webhook hold the same approval, and are recognised."""
    data = json.dumps(whole).encode()
    assert claimed_by(data) == [NAME]
    (row,) = rows(NAME, data, tmp_path)
    assert row["event_id"] == only(NAME, approval(), tmp_path)["event_id"]


def test_an_issue_without_approvals_is_not_ours(tmp_path: Path) -> None:
    """It is counted as ignored, and a log of such issues is recognised by nobody here."""
    data = json.dumps({"webhookEvent": "jira:issue_created", "issue": issue()}).encode()
    assert claimed_by(data) == []
    assert rows(NAME, data, tmp_path) == quarantined(NAME, data, tmp_path) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "no id"),
        ({"finalDecision": "maybe"}, "finalDecision is none of pending, approved, declined"),
        ({"createdDate": None, "completedDate": {"friendly": "Today"}}, "no time"),
    ],
)
def test_what_an_approval_needs(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """An id, a known decision and a time."""
    assert [row.reason for row in quarantined(NAME, json.dumps(approval(**change)).encode(), tmp_path)] == [reason]
