"""Microsoft Graph's activity logs: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined
from ultravires.sources.entra.msgraph_activity import template_of

RECORDS = [json.loads(line) for line in SAMPLES["msgraph_activity"].splitlines()]
READ, REFUSED, BY_PERSON, FAILED = RECORDS


def changed(record: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {**record, "properties": {**record["properties"], **properties}}


def test_the_token_is_one_that_a_sign_in_issued(tmp_path: Path) -> None:
    """SignInActivityId is uniqueTokenIdentifier: the call hangs below the sign-in."""
    signed_in = json.loads(SAMPLES["entra_signin"])["records"]
    issued = {record["properties"]["uniqueTokenIdentifier"] for record in signed_in}
    for record in RECORDS:
        assert only("msgraph_activity", record, tmp_path)["credential_uid"] in issued


def test_a_service_principal_or_a_person_calls(tmp_path: Path) -> None:
    """Where a person is named the token is theirs, whatever application holds it."""
    service, person = only("msgraph_activity", READ, tmp_path), only("msgraph_activity", BY_PERSON, tmp_path)
    assert (service["actor_uid"], service["actor_kind"]) == (READ["properties"]["servicePrincipalId"], "service")
    assert (person["actor_uid"], person["actor_kind"]) == (BY_PERSON["properties"]["userId"], "human")
    bare = changed(READ, servicePrincipalId="")
    assert only("msgraph_activity", bare, tmp_path)["actor_uid"] == READ["properties"]["appId"]


@pytest.mark.parametrize(
    ("status", "outcome", "error"),
    [(200, "success", None), ("204", "success", None), (302, "success", None), (401, "denied", "401"),
     (403, "denied", "403"), (404, "failure", "404"), (None, "unknown", None), ("9" * 30, "unknown", None)],
)  # fmt: skip
def test_the_status_is_the_outcome(status: Any, outcome: str, error: str | None, tmp_path: Path) -> None:
    """Numbers and numbers in texts."""
    row = only("msgraph_activity", changed(READ, responseStatusCode=status), tmp_path)
    assert (row["outcome"], row["error_code"]) == (outcome, error)


def test_the_action_is_the_same_for_every_id(tmp_path: Path) -> None:
    """What was called stands in the action, on what in the resource; the query is in neither."""
    row = only("msgraph_activity", READ, tmp_path)
    assert row["action"] == "msgraph:GET /users/{id}/messages"
    assert row["resource_uids"] == [
        "https://graph.microsoft.com/v1.0/users/0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22/messages"
    ]
    assert row["detail"] == {"read_only": True, "credential_kind": "session"}


@pytest.mark.parametrize(
    ("resource", "template"),
    [
        ("https://graph.microsoft.com/beta/users/mira@fjordline.example/events", "/users/{id}/events"),
        ("https://graph.microsoft.com/v1.0/applications(appId='c4f8a1b2-6d93-4e57-8a0b-1f2e3d4c5b66')",
         "/applications(appId='{id}')"),
        ("https://graph.microsoft.com/v1.0/me/messages/AAMkAGQ2ZTk4NjIzLWE0YjQ=", "/me/messages/{id}"),
        ("https://graph.microsoft.com/v1.0/security/alerts_v2/", "/security/alerts_v2"),
        ("https://graph.microsoft.com/v1.0/reports/getOffice365ActiveUserDetail(period='D7')",
         "/reports/getOffice365ActiveUserDetail(period='D7')"),
        ("/v1.0/users/12345", "/users/{id}"),
        ("https://graph.microsoft.com", "/"),
        ("https://graph.microsoft.com/v1.0", "/"),
        ("odd", "/odd"),
    ],
)  # fmt: skip
def test_ids_in_a_path_are_replaced(resource: str, template: str) -> None:
    """Names of operations and functions stay, also those with digits."""
    assert template_of(resource) == template


def test_a_batch_and_the_caller_have_ids_of_their_own(tmp_path: Path) -> None:
    """Every id by which somebody may name the request."""
    row = only("msgraph_activity", BY_PERSON, tmp_path)
    properties = BY_PERSON["properties"]
    named = {value for kind, value, role in keys(row) if (kind, role) == ("request", "names")}
    assert {properties["requestId"], properties["clientRequestId"]} <= named
    assert f"{properties['tenantId']}/{properties['clientRequestId']}" in named


def test_a_row_of_the_table_is_the_same_request(tmp_path: Path) -> None:
    """Log Analytics writes the names another way."""
    properties = READ["properties"]
    row = {
        "TimeGenerated": properties["timeGenerated"],
        "AadTenantId": properties["tenantId"],
        "RequestId": properties["requestId"],
        "OperationId": properties["operationId"],
        "ClientRequestId": properties["clientRequestId"],
        "RequestMethod": "GET",
        "RequestUri": properties["requestUri"],
        "ResponseStatusCode": 200,
        "IPAddress": properties["ipAddress"],
        "UserAgent": properties["userAgent"],
        "ServicePrincipalId": properties["servicePrincipalId"],
        "SignInActivityId": properties["signInActivityId"],
        "AppId": properties["appId"],
        "Type": "MicrosoftGraphActivityLogs",
    }
    assert claimed_by(json.dumps(row).encode()) == ["msgraph_activity"]
    left_out = ("raw", "raw_hash", "place")
    found, expected = only("msgraph_activity", row, tmp_path), only("msgraph_activity", READ, tmp_path)
    assert {k: v for k, v in found.items() if k not in left_out} == {
        k: v for k, v in expected.items() if k not in left_out
    }


def test_what_a_request_needs(tmp_path: Path) -> None:
    """A time, and what was asked; records of other logs are ignored."""
    timeless = {**changed(READ, timeGenerated=None), "time": None}
    data = "\n".join(map(json.dumps, (timeless, changed(READ, requestUri=None)))).encode()
    assert [row.reason for row in quarantined("msgraph_activity", data, tmp_path)] == [
        "no time",
        "no requestMethod and requestUri: not a request to Microsoft Graph",
    ]
    (batch,) = batches("msgraph_activity", json.dumps({**READ, "category": "AuditLogs"}).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored) == (0, 1)
