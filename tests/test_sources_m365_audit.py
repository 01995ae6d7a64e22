"""Microsoft 365 unified audit: records in, rows out, from every form of export."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, SAMPLES, claimed_by, expected_events, only, quarantined, rows, source

RECORDS = [frame.value for frame in source("m365_audit").records(iter([SAMPLES["m365_audit"]]), OPTIONS)]
BY_OPERATION = {record["Operation"].strip(): record for record in RECORDS}
KEYS = BY_OPERATION["Update application \N{EN DASH} Certificates and secrets management"]
TENANT = "6f1d2c9e-8a40-4b57-9c3e-2f7b1a0d4e11"


def read(operation: str, folder: Path, **members: Any) -> dict[str, Any]:
    return only("m365_audit", {**BY_OPERATION[operation], **members}, folder)


def test_consent_to_an_application_gives_it_access(tmp_path: Path) -> None:
    """As in the Entra logs: class, target and actor are the ids that those logs have."""
    row = read("Consent to application.", tmp_path)
    assert (row["class_uid"], row["activity_id"], row["outcome"]) == (3005, 1, "success")
    assert (row["actor_uid"], row["actor_kind"]) == ("0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22", "human")
    assert row["resource_uids"] == ["b80e4d17-35a9-4c62-9f08-7d21c6e5a934"]
    assert row["account_uid"] == TENANT


def test_a_role_is_given_by_an_application(tmp_path: Path) -> None:
    """An actor written `ServicePrincipal_<id>` is that principal; the role stands in what was modified."""
    row = read("Add member to role.", tmp_path)
    assert (row["class_uid"], row["activity_id"]) == (3005, 1)
    assert (row["actor_uid"], row["actor_kind"], row["actor_name"]) == (
        "91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44",
        "service",
        "invoice-sync",
    )
    assert row["resource_uids"] == ["5e2b9f60-7d14-48ac-b3f7-90c6d8a1e433", "4a6f0d83-7c25-4e1b-92d8-b3e5f7091c6d"]


def test_keys_of_an_application_are_issued_and_revoked(tmp_path: Path) -> None:
    """Each key by the id that sign-ins show; of a failed change none."""
    new, old = KEYS["ModifiedProperties"][0]["NewValue"], KEYS["ModifiedProperties"][0]["OldValue"]
    key = "0d84c6a1-92f7-4e35-8b60-1c7d5e9f2a34"
    assert only("m365_audit", KEYS, tmp_path)["issued_credential_uid"] == key
    turned = {**KEYS, "ModifiedProperties": [{"Name": "KeyDescription", "NewValue": old, "OldValue": new}]}
    assert only("m365_audit", turned, tmp_path)["revoked_credential_uid"] == key
    assert only("m365_audit", {**KEYS, "ResultStatus": "Failure"}, tmp_path)["issued_credential_uid"] is None
    both = {**KEYS, "ModifiedProperties": [{"Name": "KeyDescription", "NewValue": new, "OldValue": "[]"}]}
    found = rows("m365_audit", json.dumps(both).encode(), tmp_path)
    assert [row["kind"] for row in found] == ["activity", "credential"]
    assert len({row["issued_credential_uid"] for row in found} - {None}) == 2


def test_a_file_is_read_with_the_token_that_the_sign_in_log_knows(tmp_path: Path) -> None:
    """`UniqueTokenId` is the sign-in's uniqueTokenIdentifier; an application alone is a service."""
    person, app = read("FileDownloaded", tmp_path), read("FileAccessed", tmp_path)
    assert person["credential_uid"] == "4segQDWbaE-NFy5rWpwBAA" and person["actor_kind"] == "human"
    assert (app["actor_uid"], app["actor_kind"]) == ("c3f1a7e0-58b2-4d96-8c47-e19d60b5a2f8", "service")
    assert (person["activity_id"], person["outcome"]) == (2, "success")
    signed_in = {event.get("issued_credential_uid") for event in expected_events("entra_signin")}
    assert {person["credential_uid"], app["credential_uid"]} <= signed_in


def test_exchange_says_who_may_act_as_a_mailbox(tmp_path: Path) -> None:
    """The port behind the address is left out."""
    row = read("Add-MailboxPermission", tmp_path)
    assert (row["class_uid"], row["activity_id"], row["outcome"]) == (3005, 1, "success")
    assert (row["resource_uids"], row["src_ip"]) == (["finance-inbox"], "192.0.2.31")


def test_a_failed_sign_in_fails(tmp_path: Path) -> None:
    """Its user is the object id that Entra has."""
    row = read("UserLoginFailed", tmp_path)
    assert (row["class_uid"], row["outcome"], row["error_code"]) == (3002, "failure", "InvalidUserNameOrPassword")
    assert row["actor_uid"] == "5e2b9f60-7d14-48ac-b3f7-90c6d8a1e433"


@pytest.mark.parametrize(
    ("members", "uid", "kind"),
    [
        ({"UserId": "NT AUTHORITY\\SYSTEM (w3wp)", "UserType": 3, "ApplicationId": None}, None, "service"),
        ({"UserId": "x", "UserType": 0, "ApplicationId": None}, "x", "unknown"),
        ({"UserId": "Not Available", "ApplicationId": None}, None, "unknown"),
        ({"UserId": None, "ApplicationId": "app-1"}, "app-1", "service"),
        ({"UserId": "guest@other.example", "UserType": 10}, "guest@other.example", "human"),
        ({"UserId": "a@b.example", "UserType": "2"}, "a@b.example", "human"),
        ({"UserId": "a@b.example", "UserType": ["2"]}, "a@b.example", "human"),
    ],
)
def test_who_acted(members: dict[str, Any], uid: str | None, kind: str, tmp_path: Path) -> None:
    """Users by their type and name, applications by their id; what nobody says stays unknown."""
    row = read("FileDownloaded", tmp_path, **members)
    assert (row["actor_uid"], row["actor_kind"]) == (uid or row["actor_uid"], kind)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("PartiallySucceeded", "success"),
        ("True", "success"),
        (True, "success"),
        (False, "failure"),
        (None, "success"),
        ("Failed", "failure"),
        ("Odd", "unknown"),
    ],
)
def test_the_result_is_the_records(status: Any, outcome: str, tmp_path: Path) -> None:
    """Workloads write it in several words."""
    assert read("Add-MailboxPermission", tmp_path, ResultStatus=status)["outcome"] == outcome


def as_csv(records: list[dict[str, Any]], header: list[str]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for record in records:
        cells = {
            "RecordId": record["Id"],
            "CreationDate": record["CreationTime"],
            "Operation": record["Operation"],
            "Operations": record["Operation"],
            "AuditData": json.dumps(record, indent=1),
        }
        writer.writerow([cells.get(name, "") for name in header])
    return out.getvalue().encode()


PURVIEW = ["RecordId", "CreationDate", "RecordType", "Operation", "UserId", "AuditData", "AssociatedAdminUnits"]
POWERSHELL = ["PSComputerName", "RecordType", "CreationDate", "UserIds", "Operations", "AuditData", "ResultIndex"]


@pytest.mark.parametrize("header", [PURVIEW, POWERSHELL])
def test_the_csv_export_gives_the_same_events(header: list[str], tmp_path: Path) -> None:
    """Purview and Search-UnifiedAuditLog put the record as JSON into one cell."""
    data = as_csv(RECORDS, header)
    assert claimed_by(data) == claimed_by(b"\xef\xbb\xbf" + data) == ["m365_audit"]
    expected = [event["event_id"] for event in expected_events("m365_audit")]
    for form in (data, b"\xef\xbb\xbf" + data):
        assert [row["event_id"] for row in rows("m365_audit", form, tmp_path)] == expected
        assert quarantined("m365_audit", form, tmp_path) == []


def test_graphs_answer_gives_the_same_events(tmp_path: Path) -> None:
    """`auditLogRecord` holds the record as an object."""
    answer = {"value": [{"id": record["Id"], "operation": "x", "auditData": record} for record in RECORDS]}
    data = json.dumps(answer).encode()
    assert claimed_by(data) == ["m365_audit"]
    expected = [event["event_id"] for event in expected_events("m365_audit")]
    assert [row["event_id"] for row in rows("m365_audit", data, tmp_path)] == expected


def test_a_record_that_an_export_cut_off_is_put_aside_for_that(tmp_path: Path) -> None:
    """PowerShell cuts cells; half a record is no event of nobody."""
    row = {"CreationDate": "2026-10-05T08:00:00Z", "AuditData": json.dumps(RECORDS[0])[:200]}
    assert [q.reason for q in quarantined("m365_audit", json.dumps(row).encode(), tmp_path)] == [
        "AuditData is cut off or no JSON"
    ]
    for change, reason in (({"CreationTime": None}, "no time"), ({"Operation": ""}, "no Operation")):
        (put_aside,) = quarantined("m365_audit", json.dumps({**RECORDS[0], **change}).encode(), tmp_path)
        assert put_aside.reason.startswith(reason)
