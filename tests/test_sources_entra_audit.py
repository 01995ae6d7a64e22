"""Microsoft Entra directory audits: records in, rows out."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, batches, claimed_by, keys, only, quarantined, rows

RECORDS = json.loads(SAMPLES["entra_audit"])["records"]
CREATED, REQUESTED, APPROVED, COMPLETED, KEY_ADDED, KEY_REMOVED, REFUSED, EXPIRED = RECORDS
MIRA, JON = "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22", "5e2b9f60-7d14-48ac-b3f7-90c6d8a1e433"
REQUEST = "cd8e3f15-6a90-4b72-8c4d-1e7f5a2b9d03"


def changed(record: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {**record, "properties": {**record["properties"], **properties}}


def read(record: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    return rows("entra_audit", json.dumps(record).encode(), folder)


def approval_in(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    activity, approval = read(record, folder)
    assert activity["kind"] == "activity" and approval["kind"] == "approval"
    return approval


def test_a_new_key_is_a_credential_issued_and_a_dropped_one_revoked(tmp_path: Path) -> None:
    """The identifier is the one that sign-ins name; the secret is not in the log."""
    added, removed = only("entra_audit", KEY_ADDED, tmp_path), only("entra_audit", KEY_REMOVED, tmp_path)
    assert (added["issued_credential_uid"], added["revoked_credential_uid"]) == (
        "e7a90b3c-4d21-4f86-9b7e-05c1d2a3f477",
        None,
    )
    assert (removed["issued_credential_uid"], removed["revoked_credential_uid"]) == (
        None,
        "11c4e7a8-3f60-4d95-b2c7-8e5a9d0f6b00",
    )
    failed = only("entra_audit", changed(KEY_ADDED, result="failure"), tmp_path)
    assert failed["issued_credential_uid"] is None


def test_keys_added_together_are_all_seen(tmp_path: Path) -> None:
    """One column holds one credential, so the second key is an event of its own."""
    change = {
        "displayName": "KeyDescription",
        "oldValue": json.dumps(["[KeyIdentifier=old,KeyType=Password]"]),
        "newValue": json.dumps(["[KeyIdentifier=one,KeyType=Password]", "[KeyIdentifier=two,KeyType=Password]"]),
    }
    first, second = read(changed(KEY_ADDED, targetResources=[{"id": "a", "modifiedProperties": [change]}]), tmp_path)
    assert (first["kind"], first["issued_credential_uid"], first["revoked_credential_uid"]) == (
        "activity",
        "one",
        "old",
    )
    assert (second["kind"], second["issued_credential_uid"], second["revoked_credential_uid"]) == (
        "credential",
        "two",
        None,
    )
    assert first["event_id"] != second["event_id"]


def test_a_person_made_a_service_principal(tmp_path: Path) -> None:
    """Who, from where, what on what."""
    row = only("entra_audit", CREATED, tmp_path)
    assert (row["actor_uid"], row["actor_kind"], row["actor_name"]) == (JON, "human", "jon@fjordline.example")
    assert (row["action"], row["src_ip"], row["outcome"]) == ("entra:Add service principal", "192.0.2.44", "success")
    assert row["resource_uids"] == ["91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44"]


def test_a_federated_credential_has_an_id_too(tmp_path: Path) -> None:
    """What it says is JSON in a string; broken JSON says nothing."""
    for value, expected in (('[{"Id": "fic-1", "Issuer": "https://token.example"}]', "fic-1"), ("[{", None)):
        change = {"displayName": "FederatedIdentityCredentials", "oldValue": "[]", "newValue": value}
        record = changed(KEY_ADDED, targetResources=[{"id": "a", "modifiedProperties": [change]}])
        assert only("entra_audit", record, tmp_path)["issued_credential_uid"] == expected


def test_an_application_that_is_refused_is_denied(tmp_path: Path) -> None:
    """A service principal acted; the reason says that it had no right to."""
    row = only("entra_audit", REFUSED, tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == ("91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44", "service")
    assert (row["outcome"], row["error_code"]) == ("denied", "Authorization_RequestDenied")
    other = only("entra_audit", changed(REFUSED, resultReason="Microsoft.Online.DuplicateObject"), tmp_path)
    assert (other["outcome"], other["error_code"]) == ("failure", "Microsoft.Online.DuplicateObject")


def test_an_activation_is_asked_for_approved_and_ends(tmp_path: Path) -> None:
    """Four records, one approval: who asked, who answered, for how long, and when it was over."""
    asked, answered, done, over = (
        approval_in(record, tmp_path) for record in (REQUESTED, APPROVED, COMPLETED, EXPIRED)
    )
    assert {row["approval_uid"] for row in (asked, answered, done, over)} == {REQUEST}
    assert [row["detail"]["status"] for row in (asked, answered, done, over)] == [
        "requested",
        "approved",
        "approved",
        "expired",
    ]
    assert asked["detail"]["requested_by"] == asked["detail"]["subject"] == MIRA
    assert (answered["actor_uid"], answered["detail"]["approved_by"], answered["detail"]["subject"]) == (JON, JON, MIRA)
    assert (answered["task"], asked["task"]) == (None, "rotate the secret of invoice-sync")
    assert "approved_by" not in done["detail"] and done["actor_uid"] is None
    assert done["detail"]["valid_until"] == "2026-10-05T09:40:00.000000Z"
    assert done["detail"]["scope"] == ["Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"]
    assert keys(asked) == {("approval", REQUEST, "names"), ("ticket", "CHG-2041", "names")}


def test_what_pim_did_carries_the_request(tmp_path: Path) -> None:
    """The record of the act and the approval's state are two events of one record."""
    for record in (REQUESTED, APPROVED, COMPLETED, EXPIRED):
        activity = read(record, tmp_path)[0]
        assert ("approval", REQUEST, "carries") in keys(activity)
    assert (activity["actor_kind"], activity["actor_name"]) == ("service", "Azure AD PIM")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Add member to role request denied (PIM activation)", "denied"),
        ("Add member to role canceled (PIM activation)", "revoked"),
        ("PIM activation request expired", "expired"),
        ("Add member to role in PIM requested (timebound)", "requested"),
        ("Add member to role in PIM completed (permanent)", "approved"),
        ("Add eligible member to role in PIM completed (permanent)", None),
        ("Add member to role outside of PIM (permanent)", None),
        ("Remove member from role requested (PIM deactivate)", None),
        ("Remove member from role completed (PIM deactivate)", None),
        ("Update role setting in PIM", None),
    ],
)
def test_the_names_of_pim_s_activities_say_the_state(name: str, status: str | None, tmp_path: Path) -> None:
    """Eligibility gives no power, and an end that names no request ends none."""
    found = read(changed(REQUESTED, activityDisplayName=name), tmp_path)
    assert [row["detail"]["status"] for row in found[1:]] == ([status] if status else [])


def test_a_failed_step_is_no_state(tmp_path: Path) -> None:
    """The attempt is an activity; the approval is as it was."""
    (activity,) = read(changed(APPROVED, result="failure"), tmp_path)
    assert activity["outcome"] == "failure"


def test_graph_s_object_is_the_same_audit(tmp_path: Path) -> None:
    """The properties alone, as Microsoft Graph answers them."""
    answer = json.dumps({"value": [record["properties"] for record in RECORDS]}).encode()
    assert claimed_by(answer) == ["entra_audit"]
    same = ("native_id", "event_at", "actor_uid", "action", "resource_uids", "outcome", "approval_uid")
    whole = rows("entra_audit", SAMPLES["entra_audit"], tmp_path)
    found = rows("entra_audit", answer, tmp_path)
    assert [[row[name] for name in same] for row in found] == [[row[name] for name in same] for row in whole]


@pytest.mark.parametrize(
    ("name", "operation_type", "ocsf"),
    [
        ("Add user", "Add", (3001, 1)),
        ("Add member to group", "Assign", (3006, 3)),
        ("Remove member from role", "Unassign", (3005, 2)),
        ("Consent to application", "Assign", (3005, 1)),
        ("Update policy", "Update", (6003, 3)),
        ("Something new", None, (6003, 99)),
    ],
)
def test_operations_have_their_class(
    name: str, operation_type: str | None, ocsf: tuple[int, int], tmp_path: Path
) -> None:
    """By name, else by what kind of operation it is."""
    row = only("entra_audit", changed(KEY_ADDED, activityDisplayName=name, operationType=operation_type), tmp_path)
    assert (row["class_uid"], row["activity_id"]) == ocsf


@pytest.mark.parametrize(
    ("by", "actor"),
    [
        ({"user": {"id": "u", "userPrincipalName": "u@x.example", "agentType": "agentIDuser"}}, ("u", "agent")),
        ({"app": {"servicePrincipalId": "s", "agentType": "agenticAppInstance"}}, ("s", "agent")),
        ({"app": {"appId": "a", "displayName": "Sync"}}, ("a", "service")),
        ({"user": {"id": "u", "displayName": "Somebody"}}, ("u", "unknown")),
        ({"user": None, "app": None}, (None, None)),
        (["user"], (None, None)),
    ],
)
def test_who_did_it(by: Any, actor: tuple[str | None, str | None], tmp_path: Path) -> None:
    """A user, an application, or an agent of either kind."""
    row = only("entra_audit", changed(KEY_ADDED, initiatedBy=by), tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == actor


def test_without_a_time_or_a_name_it_is_put_aside(tmp_path: Path) -> None:
    """Only the vendor's time counts."""
    timeless = {**changed(KEY_ADDED, activityDateTime=None), "time": None}
    nameless = {**changed(KEY_ADDED, activityDisplayName=None), "operationName": ""}
    data = "\n".join(map(json.dumps, (timeless, nameless))).encode()
    assert [row.reason for row in quarantined("entra_audit", data, tmp_path)] == [
        "no time",
        "no activityDisplayName: not a directory audit",
    ]


def test_audit_logs_of_other_products_are_ignored(tmp_path: Path) -> None:
    """Intune names its category AuditLogs too."""
    intune = {**KEY_ADDED, "properties": {"ActivityDate": "4/11/2025 6:21:02 PM", "Actor": {"UPN": "mira"}}}
    (batch,) = batches("entra_audit", json.dumps(intune).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored) == (0, 1)
    assert claimed_by(json.dumps(intune).encode()) == []


def test_real_audits_are_read_by_type(third_party: Path, tmp_path: Path) -> None:
    """Every real record gives an activity with who, what, how it ended and, where it says so, on what."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    azure = [line["event"] for line in lines if line["log_type"] == "Azure.Audit"]
    found = [event for event in azure if "loggedByService" in event["properties"]]
    data = "\n".join(map(json.dumps, found)).encode()
    assert quarantined("entra_audit", data, tmp_path) == []
    read_ = rows("entra_audit", data, tmp_path)
    activities = [row for row in read_ if row["kind"] == "activity"]
    assert Counter(event["category"] for event in found) == {
        "AuditLogs": 12,
        "Policy": 2,
        "DirectoryManagement": 2,
        "ApplicationManagement": 2,
    }
    assert len(activities) == len(found)
    assert [row["detail"]["status"] for row in read_ if row["kind"] == "approval"] == ["approved", "requested"]
    for event, row in zip(found, activities, strict=True):
        properties = event["properties"]
        user = properties["initiatedBy"]["user"]
        assert claimed_by(json.dumps(event).encode()) == ["entra_audit"]
        assert (row["actor_uid"], row["actor_kind"], row["actor_name"]) == (
            user["id"],
            "human",
            user["userPrincipalName"],
        )
        assert row["action"] == "entra:" + properties.get("activityDisplayName", event["operationName"])
        is_success = properties.get("result", event.get("result", "")).lower() == "success"
        assert row["outcome"] == ("success" if is_success else "failure")
        assert {target["id"] for target in properties.get("targetResources", [])} <= set(row["resource_uids"])
    for line in lines:
        if line["log_type"] == "Microsoft365.Audit.AzureActiveDirectory":
            assert claimed_by(json.dumps(line["event"]).encode()) == ["m365_audit"]
        if line["log_type"] == "MicrosoftIntune.AuditLogs":
            assert claimed_by(json.dumps(line["event"]).encode()) == []
