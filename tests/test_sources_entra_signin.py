"""Microsoft Entra sign-ins: records in, rows out."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined, rows

RECORDS = json.loads(SAMPLES["entra_signin"])["records"]
PERSON, SERVICE, REFUSED_KEY, MANAGED, AGENT, BLOCKED = RECORDS
CATEGORIES = ("SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs")


def changed(record: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {**record, "properties": {**record["properties"], **properties}}


def test_a_service_principal_shows_a_key_and_gets_a_token(tmp_path: Path) -> None:
    """The key it used is one credential, the token it got another: Graph's activity log names the token."""
    row = only("entra_signin", SERVICE, tmp_path)
    assert (row["actor_uid"], row["actor_kind"], row["actor_name"]) == (
        SERVICE["properties"]["servicePrincipalId"],
        "service",
        "invoice-sync",
    )
    assert row["credential_uid"] == SERVICE["properties"]["servicePrincipalCredentialKeyId"]
    assert row["issued_credential_uid"] == SERVICE["properties"]["uniqueTokenIdentifier"]
    assert (row["class_uid"], row["activity_id"], row["action"]) == (3002, 1, "entra:signIn")


def test_a_failed_sign_in_issues_nothing(tmp_path: Path) -> None:
    """Microsoft writes a token identifier on failures too; no such token exists."""
    for record, outcome in ((REFUSED_KEY, "failure"), (BLOCKED, "denied")):
        row = only("entra_signin", record, tmp_path)
        assert (row["outcome"], row["issued_credential_uid"]) == (outcome, None)
        assert row["error_code"] == str(record["properties"]["status"]["errorCode"])


def test_an_agent_with_a_person_s_delegation_acts_on_their_behalf(tmp_path: Path) -> None:
    """The token's subject is the person; the client that holds it is the agent."""
    row = only("entra_signin", AGENT, tmp_path)
    properties = AGENT["properties"]
    assert (row["actor_uid"], row["actor_kind"]) == (properties["appId"], "agent")
    assert row["on_behalf_of_uid"] == properties["userId"]
    assert row["credential_uid"] == properties["federatedCredentialId"]


def test_an_agent_s_own_user_account_is_the_agent(tmp_path: Path) -> None:
    """Nobody stands behind an agent user but its agent."""
    agent = {"agentType": "agentIDuser", "agentSubjectType": "agentIDuser", "agentSubjectParentId": "a1"}
    row = only("entra_signin", changed(AGENT, agent=agent), tmp_path)
    assert (row["actor_uid"], row["actor_kind"], row["on_behalf_of_uid"]) == (
        AGENT["properties"]["userId"],
        "agent",
        None,
    )


def test_an_agent_without_a_person_is_an_agent(tmp_path: Path) -> None:
    """A service principal that is an agent identity."""
    record = changed(SERVICE, agent={"agentType": "agenticAppInstance"})
    row = only("entra_signin", record, tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == (SERVICE["properties"]["servicePrincipalId"], "agent")


def test_a_managed_identity_is_the_workload_it_belongs_to(tmp_path: Path) -> None:
    """The Azure resource is named with it."""
    row = only("entra_signin", MANAGED, tmp_path)
    assert row["actor_kind"] == "workload"
    assert row["workload_uid"].endswith("/virtualMachines/runner-7")
    assert row["src_ip"] is None


def test_a_person_s_sign_in_says_how_it_was_done(tmp_path: Path) -> None:
    """The address, more than one factor, and the ids of the request, bare and in the tenant."""
    row = only("entra_signin", PERSON, tmp_path)
    assert (row["actor_kind"], row["actor_name"], row["src_ip"]) == ("human", "mira@fjordline.example", "192.0.2.31")
    assert row["detail"] == {"event_type": "interactiveUser", "mfa": True, "second_factor": "passed"}
    tenant, request = PERSON["tenantId"], PERSON["correlationId"]
    assert {("request", request, "names"), ("request", f"{tenant}/{request}", "names")} <= keys(row)


@pytest.mark.parametrize("record", RECORDS)
def test_graph_s_object_is_the_same_sign_in(record: dict[str, Any], tmp_path: Path) -> None:
    """The properties alone, as Microsoft Graph answers them, say the same; only the tenant may be missing."""
    event_type = {"SignInLogs": "interactiveUser", "NonInteractiveUserSignInLogs": "nonInteractiveUser"}
    named = {**record["properties"], "signInEventTypes": [event_type.get(record["category"], "servicePrincipal")]}
    if record is MANAGED:
        named["signInEventTypes"] = ["managedIdentity"]
    answer = json.dumps({"@odata.context": "https://graph.microsoft.com/beta/$metadata", "value": [named]}).encode()
    assert claimed_by(answer) == ["entra_signin"]
    (found,) = rows("entra_signin", answer, tmp_path)
    same = ("actor_uid", "actor_kind", "action", "outcome", "credential_uid", "issued_credential_uid", "event_at")
    expected = only("entra_signin", record, tmp_path)
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}


@pytest.mark.parametrize(
    ("properties", "event_type"),
    [
        ({"userId": "u", "isInteractive": True}, "interactiveUser"),
        ({"userId": "u", "isInteractive": False}, "nonInteractiveUser"),
        ({"servicePrincipalId": "s"}, "servicePrincipal"),
        ({"servicePrincipalId": "s", "managedIdentityType": "userAssigned"}, "managedIdentity"),
    ],
)
def test_graph_v1_does_not_say_the_type_of_a_sign_in(
    properties: dict[str, Any], event_type: str, tmp_path: Path
) -> None:
    """It shows in who signed in."""
    record = {"id": "r", "createdDateTime": "2026-10-05T08:00:00Z", "status": {"errorCode": 0}, **properties}
    assert only("entra_signin", record, tmp_path)["detail"]["event_type"] == event_type


@pytest.mark.parametrize(
    ("result", "outcome", "error"),
    [("0", "success", None), (0, "success", None), ("Success", "success", None), ("Failure", "failure", None),
     ("50126", "failure", "50126"), (53003, "denied", "53003"), (None, "unknown", None), ("Odd", "unknown", None)],
)  # fmt: skip
def test_the_envelope_s_result_counts_where_there_is_no_status(
    result: Any, outcome: str, error: str | None, tmp_path: Path
) -> None:
    """A code as number or text, or a word."""
    row = only("entra_signin", {**changed(PERSON, status=None), "resultType": result}, tmp_path)
    assert (row["outcome"], row["error_code"]) == (outcome, error)


def test_without_any_time_it_is_put_aside(tmp_path: Path) -> None:
    """Only the vendor's time counts."""
    record = {**changed(PERSON, createdDateTime=None), "time": "yesterday"}
    assert [row.reason for row in quarantined("entra_signin", json.dumps(record).encode(), tmp_path)] == ["no time"]


def test_other_records_of_the_same_export_are_ignored(tmp_path: Path) -> None:
    """They count as read and as not ours."""
    (batch,) = batches("entra_signin", json.dumps({**PERSON, "category": "AuditLogs"}).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored, batch.quarantined) == (0, 1, [])


def test_real_sign_ins_are_read_by_type(third_party: Path, tmp_path: Path) -> None:
    """Every real record gives one event with who, what, how it ended and, where it says so, what for."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    found = [line["event"] for line in lines if line["log_type"] == "Azure.Audit"]
    found = [event for event in found if event["category"] in CATEGORIES]
    data = "\n".join(map(json.dumps, found)).encode()
    read = rows("entra_signin", data, tmp_path)
    assert quarantined("entra_signin", data, tmp_path) == []
    assert Counter(event["category"] for event in found) == {
        "SignInLogs": 11,
        "NonInteractiveUserSignInLogs": 3,
        "ServicePrincipalSignInLogs": 6,
    }
    assert len(read) == len(found)
    for event, row in zip(found, read, strict=True):
        properties = event["properties"]
        assert claimed_by(json.dumps(event).encode()) == ["entra_signin"]
        assert row["actor_uid"] in (properties.get("userId"), properties.get("servicePrincipalId"))
        assert row["actor_kind"] == ("human" if "userId" in properties else "service")
        assert row["src_ip"] == properties["ipAddress"]
        code = properties.get("status", {}).get("errorCode", 0)
        assert row["outcome"] == ("failure" if code else "success")
        assert (
            row["resource_uids"]
            == [properties[name] for name in ("resourceId", "resourceDisplayName") if name in properties][:1]
        )
    assert sum(row["issued_credential_uid"] is not None for row in read) == 1
