"""Google Workspace audit: activities in, rows out, also of their copies in Cloud Logging."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import SAMPLES, SOURCE_SAMPLES, claimed_by, keys, only, quarantined, rows

LINES = [json.loads(line) for line in SAMPLES["google_workspace_audit"].splitlines()]
ACTIVITIES = [activity for line in LINES for activity in line.get("items", [line])]
BY_NAME = {(a.get("events") or [a])[0]["name"]: a for a in ACTIVITIES}
COPY = json.loads((SOURCE_SAMPLES / "google_workspace_audit" / "crossing.jsonl").read_text())
APP = "571100000088-q1w2e3r4harbor.apps.googleusercontent.com"
GRANT = f"google:grant:tom@harborline.example/{APP}"


def read(name: str, folder: Path) -> list[dict[str, Any]]:
    return rows("google_workspace_audit", json.dumps(BY_NAME[name]).encode(), folder)


def test_domain_wide_delegation_gives_access_to_a_client(tmp_path: Path) -> None:
    """An admin lets a service account's client act for every user."""
    (row,) = read("AUTHORIZE_API_CLIENT_ACCESS", tmp_path)
    assert (row["class_uid"], row["activity_id"]) == (3005, 1)
    assert (row["actor_uid"], row["actor_kind"]) == ("ines@harborline.example", "human")
    assert (row["resource_uids"], row["account_uid"]) == (["118800000000000000042"], "C02harbor7")
    (ended,) = read("REMOVE_API_CLIENT_ACCESS", tmp_path)
    assert (ended["class_uid"], ended["activity_id"], ended["resource_uids"]) == (3005, 2, row["resource_uids"])


def test_each_thing_that_happened_is_an_event(tmp_path: Path) -> None:
    """One activity of an admin may assign a role and change a group."""
    role, group = read("ASSIGN_ROLE", tmp_path)
    assert (role["class_uid"], role["activity_id"], group["class_uid"], group["activity_id"]) == (3005, 1, 3006, 3)
    assert role["resource_uids"] == ["mail-agent@harborline.iam.gserviceaccount.com", "_GROUPS_ADMIN_ROLE"]
    assert role["native_id"] != group["native_id"]


def test_a_grant_is_issued_used_and_taken_back(tmp_path: Path) -> None:
    """What a client does under a grant is done by the client, for the person who granted it."""
    (made,), (used,), (ended,) = (read(name, tmp_path) for name in ("authorize", "activity", "revoke"))
    assert (made["issued_credential_uid"], used["credential_uid"], ended["revoked_credential_uid"]) == (GRANT,) * 3
    assert (used["actor_uid"], used["actor_kind"], used["on_behalf_of_uid"]) == (
        APP,
        "service",
        "tom@harborline.example",
    )
    assert (made["class_uid"], made["activity_id"], ended["activity_id"]) == (3005, 1, 2)
    assert used["resource_uids"] == ["gmail"]


def test_what_google_does_by_itself_has_the_name_that_its_other_log_gives_it(tmp_path: Path) -> None:
    """The caller is the key SYSTEM; a key of ours keeps its own name."""
    (row,) = read("SUSPEND_USER", tmp_path)
    assert (row["actor_uid"], row["actor_kind"]) == ("system@google.com", "service")
    own = {**BY_NAME["SUSPEND_USER"], "actor": {"callerType": "KEY", "key": "harbor-sync"}}
    assert only("google_workspace_audit", own, tmp_path)["actor_uid"] == "harbor-sync"
    nobody = {**BY_NAME["SUSPEND_USER"], "actor": {}}
    assert only("google_workspace_audit", nobody, tmp_path)["actor_kind"] == "unknown"


def test_an_application_that_acts_with_a_users_token_is_named(tmp_path: Path) -> None:
    """The user is the actor, the client stands in between."""
    actor = {**BY_NAME["revoke"]["actor"], "applicationInfo": {"oauthClientId": "client-7"}}
    row = only("google_workspace_audit", {**BY_NAME["revoke"], "actor": actor}, tmp_path)
    assert (row["actor_kind"], row["via_service"]) == ("human", "client-7")


def test_cloud_logging_tells_of_the_same_event(tmp_path: Path) -> None:
    """The copy issues the same grant, has the same class, and shares a key with the activity."""
    (own,), copy = read("authorize", tmp_path), only("gcp_audit", COPY, tmp_path)
    assert claimed_by(json.dumps(COPY).encode()) == ["gcp_audit"]
    assert (copy["class_uid"], copy["activity_id"], copy["issued_credential_uid"]) == (3005, 1, GRANT)
    assert copy["resource_uids"] == ["organizations/330000000001", APP]
    assert (
        keys(own)
        == keys(copy)
        == {("shared_event", f"google-workspace/7710000000000000001/authorize/{APP}", "carries")}
    )


def test_an_admins_act_in_cloud_logging_has_its_targets(tmp_path: Path) -> None:
    """Service admin.googleapis.com writes what happened into the metadata; a failed call grants nothing."""
    event = {
        "eventName": "AUTHORIZE_API_CLIENT_ACCESS",
        "eventType": "DOMAIN_SETTINGS",
        "parameter": [{"name": "API_CLIENT_NAME", "value": "118800000000000000042"}],
    }
    payload = {
        **COPY["protoPayload"],
        "serviceName": "admin.googleapis.com",
        "methodName": "google.admin.AdminService.authorizeApiClientAccess",
        "metadata": {"event": [event]},
    }
    row = only("gcp_audit", {**COPY, "protoPayload": payload}, tmp_path)
    assert (row["class_uid"], row["activity_id"]) == (3005, 1)
    assert "118800000000000000042" in row["resource_uids"] and keys(row) == set()
    refused = {**COPY, "protoPayload": {**COPY["protoPayload"], "status": {"code": 7}}}
    assert only("gcp_audit", refused, tmp_path)["issued_credential_uid"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": {"applicationName": "admin", "time": "soon"}}, "no time"),
        ({"events": []}, "no applicationName and events"),
        ({"id": {"time": "2026-10-05T08:00:00Z"}}, "no applicationName and events"),
    ],
)
def test_what_cannot_be_read_is_put_aside(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """Without a time or anything that happened there is no activity."""
    record = {**BY_NAME["authorize"], **change}
    (row,) = quarantined("google_workspace_audit", json.dumps(record).encode(), tmp_path)
    assert row.reason.startswith(reason)
